"""Frozen features: pooled as a plain loop without padding pools them, whatever the batch; counted; told when broken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_models import FAMILIES, TEXTS, WORDS, features, one_by_one

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.inputs.input_type import TEXT
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.tokens import batches
from outgrow.models.heads.probe import Probe


@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.parametrize("family", FAMILIES)
def test_batches_pool_what_each_text_alone_gives(made: Callable[[str], Path], family: str, pooling: str) -> None:
    found = features(Probe(checkpoint="x", layer=-1, pooling=pooling), TEXTS, made(family))
    assert found.values.dtype == np.float32
    np.testing.assert_allclose(found.values, one_by_one(made(family), TEXTS, pooling), atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_defaults_are_the_mean_of_the_last_layer_for_encoders_and_the_last_token_of_the_middle_one_else(
    made: Callable[[str], Path], family: str
) -> None:
    pooling, layer = ("mean", 3) if family in ("bert", "mpnet") else ("last", 1)
    found = features(Probe(checkpoint="x"), TEXTS, made(family))
    np.testing.assert_allclose(found.values, one_by_one(made(family), TEXTS, pooling, layer), atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer", [0, 1, 3, -2, -4])
def test_layer_is_an_index_into_the_hidden_states(made: Callable[[str], Path], family: str, layer: int) -> None:
    found = features(Probe(checkpoint="x", layer=layer, pooling="mean"), TEXTS[:6], made(family))
    np.testing.assert_allclose(found.values, one_by_one(made(family), TEXTS[:6], "mean", layer), atol=1e-5)


def test_a_layer_that_is_not_there_is_said_before_and_when_it_is_read(made: Callable[[str], Path]) -> None:
    model = Probe(checkpoint="x", layer=4)
    (sentence,) = model.problems(resolve(str(made("gpt2")), "probe"))
    assert "no layer 4: the model has 3 layers" in sentence
    with pytest.raises(UsageError, match="no layer 4: the model has 3 layers"):
        features(model, TEXTS, made("gpt2"))
    assert Probe(checkpoint="x", layer=-4).problems(resolve(str(made("gpt2")), "probe")) == []


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_untrained_features_are_of_random_weights_always_the_same(made: Callable[[str], Path], family: str) -> None:
    import torch

    made(family)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    found = [features(Probe(checkpoint="x", untrained=True), TEXTS, made(family)).values for _ in range(2)]
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(found[0], found[1])
    pretrained = features(Probe(checkpoint="x"), TEXTS, made(family)).values
    assert found[0].shape == pretrained.shape
    assert not np.allclose(found[0], pretrained, atol=1e-2)
    assert "untrained" not in Probe(checkpoint="x").identity()  # so that keys are as they were


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_token_with_id_0_counts_as_any_other(made: Callable[[str], Path], family: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(made(family))
    zero = tokenizer.convert_ids_to_tokens(0)
    texts = [f"film {zero} light", f"{zero} {zero}", f"light {zero}", "film light patience", zero]
    assert tokenizer(texts[1])["input_ids"] == [0, 0]
    for pooling in ("mean", "last"):
        found = features(Probe(checkpoint="x", layer=-1, pooling=pooling), texts, made(family))
        assert found.tokens == 3 + 2 + 2 + 3 + 1
        np.testing.assert_allclose(found.values, one_by_one(made(family), texts, pooling), atol=1e-5)


def test_a_text_without_any_token_gets_zeros(made: Callable[[str], Path]) -> None:
    found = features(Probe(checkpoint="x"), ["", "film", ""], made("gpt2"))
    assert not found.values[[0, 2]].any()
    assert found.values[1].any()
    assert features(Probe(checkpoint="x"), [], made("gpt2")).values.shape == (0, 16)


def test_long_texts_are_cut_and_counted_and_keep_their_closing_token(made: Callable[[str], Path]) -> None:
    long = " ".join(WORDS * 4)
    found = features(Probe(checkpoint="x", max_length=10), ["film", long, "light", long], made("bert"))
    assert (found.truncated, found.tokens) == (2, 3 + 10 + 3 + 10)
    cut = one_by_one(made("bert"), [" ".join(WORDS[:8])], "mean")
    np.testing.assert_allclose(found.values[1], cut[0], atol=1e-5)
    for family in ("bert", "mpnet", "gpt2"):  # 32 positions each; MPNet's 34 hold two that are never used
        found = features(Probe(checkpoint="x"), [long, "film"], made(family))
        assert found.truncated == 1
        with pytest.raises(UsageError, match="max_length 33 is more than the 32 tokens"):
            features(Probe(checkpoint="x", max_length=33), [long], made(family))
    with pytest.raises(UsageError, match="no room for a text beside the model's 2 special tokens"):
        features(Probe(checkpoint="x", max_length=2), [long], made("bert"))


def test_no_more_than_512_tokens_are_read_unless_asked_for(made: Callable[[str], Path]) -> None:
    long = " ".join(WORDS * 60)
    assert features(Probe(checkpoint="x"), [long], made("llama")).tokens == 512
    assert features(Probe(checkpoint="x", max_length=600), [long], made("llama")).tokens == 600


def test_batches_hold_every_row_once_within_budget_and_padding() -> None:
    lengths = np.random.default_rng(0).geometric(0.03, size=3000)
    lengths[[5, 70]] = 0
    found = list(batches(lengths, budget=4096))
    assert sorted(np.concatenate(found)) == sorted(np.flatnonzero(lengths))
    padded = [len(rows) * lengths[rows].max() for rows in found]
    assert max(padded) <= 4096
    assert sum(padded) < 1.05 * lengths.sum()
    assert all(len(rows) > 20 for rows in found if 20 < lengths[rows].max() < 60)  # not one by one, either
    assert [rows.tolist() for rows in batches(np.array([9000, 1]))] == [[0], [1]]


def test_padding_is_reported_and_progress_ends_at_all(made: Callable[[str], Path]) -> None:
    seen: list[tuple[int, int]] = []
    location = resolve(str(made("bert")), "probe")
    found = Probe(checkpoint="x").features(TEXTS, location, "cpu", lambda *at: seen.append(at))
    assert 0 <= found.padding < 0.05
    assert seen[-1] == (len(TEXTS), len(TEXTS))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_the_same_texts_give_the_same_bits(made: Callable[[str], Path]) -> None:
    first, second = (features(Probe(checkpoint="x"), TEXTS, made("llama")) for _ in range(2))
    assert first.values.tobytes() == second.values.tobytes()


def test_attention_is_torchs_own(made: Callable[[str], Path]) -> None:
    model = Probe(checkpoint="x").open(resolve(str(made("llama")), "probe")).model
    assert model.config._attn_implementation == "sdpa"
    assert not model.training


def test_weights_that_do_not_fit_are_never_filled_with_random_numbers(
    made: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(made("gpt2"), folder)
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "mlp" in name)
    save_file({key: value for key, value in weights.items() if key != name}, folder / "model.safetensors")
    with pytest.raises(OutgrowError, match=r"1 are missing or of another shape, for one .*mlp"):
        features(Probe(checkpoint="x"), TEXTS, folder)
    save_file(weights | {name: np.full_like(weights[name], np.nan)}, folder / "model.safetensors")
    with pytest.raises(OutgrowError, match="values that are not numbers, the first is text 1"):
        features(Probe(checkpoint="x"), TEXTS, folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_above_the_one_asked_for_are_not_computed(
    made: Callable[[str], Path], family: str, tmp_path: Path
) -> None:
    folder = tmp_path / "broken above"
    shutil.copytree(made(family), folder)
    weights = load_file(folder / "model.safetensors")
    upper = [name for name in weights if ".2." in f".{name}."]
    assert len(upper) > 5
    save_file(weights | {name: np.full_like(weights[name], np.nan) for name in upper}, folder / "model.safetensors")
    model = Probe(checkpoint="x", layer=2, pooling="mean")
    np.testing.assert_array_equal(features(model, TEXTS, folder).values, features(model, TEXTS, made(family)).values)
    with pytest.raises(OutgrowError, match="not numbers"):
        features(Probe(checkpoint="x", layer=3, pooling="mean"), TEXTS, folder)


def test_a_model_that_reads_no_text_is_said(made: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "vit"
    shutil.copytree(made("bert"), folder)
    for kind, sentence in (
        ("vit", "a 'vit' model is neither"),
        ("t5", "a 't5' model is neither"),
        ("zzz", "cannot be"),
    ):
        (folder / "config.json").write_text(json.dumps({"model_type": kind}))
        with pytest.raises(OutgrowError, match=sentence):
            features(Probe(checkpoint="x"), TEXTS, folder)


def test_a_wrong_torchvision_is_named(made: Callable[[str], Path], tmp_path: Path) -> None:
    """A Pillow that is there and a torchvision built for another torch, as pip leaves them, on the path before all else."""
    files = {
        "torchvision/__init__.py": "raise RuntimeError('operator torchvision::nms does not exist')",
        "PIL/__init__.py": "",
        "PIL/ImageOps.py": "",
        "PIL/Image.py": "import enum\nResampling = enum.IntEnum('Resampling', 'NEAREST LANCZOS BILINEAR BICUBIC BOX HAMMING')\n"
        "class Image: pass",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    code = f"""
from outgrow.core.errors import OutgrowError
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.heads.probe import Probe
try:
    Probe(checkpoint="x").features(["film"], resolve({str(made("bert"))!r}, "probe"), "cpu", print)
except OutgrowError as error:
    print(error)
"""
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "the installed torchvision does not fit the installed torch: pip uninstall torchvision" in answer.stdout


def test_transformers_keeps_its_own_settings(made: Callable[[str], Path], capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    features(Probe(checkpoint="x"), TEXTS, made("mpnet"))
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("family", ["bert", "mpnet", "llama"])
def test_all_layers_are_their_mean(made: Callable[[str], Path], family: str) -> None:
    found = features(Probe(checkpoint="x", layer="all", pooling="mean"), TEXTS, made(family))
    layers = [one_by_one(made(family), TEXTS, "mean", layer) for layer in range(4)]
    np.testing.assert_allclose(found.values, np.mean(layers, axis=0), atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_student_of_an_encoder_has_all_layers_unless_one_is_named(made: Callable[[str], Path], family: str) -> None:
    place = resolve(str(made(family)), "probe")
    for named in ({"layer": -1}, {"pooling": "last"}):
        asked = Probe(checkpoint="x", **named)
        assert asked.as_student(place, TEXT) == asked
    encoder = family in ("bert", "mpnet")
    assert Probe(checkpoint="x").as_student(place, TEXT).layer == ("all" if encoder else None)
