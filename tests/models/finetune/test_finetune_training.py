"""Training: what of a model learns, when it stops, and that it is what a plain loop does."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models as tiny
from finetuning import CLASSES, NUMBERS, TEXTS, learn, learned, options, soft, weights
from safetensors.numpy import load_file, save_file

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import harden
from outgrow.methods.losses import Confidence, Naive
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.tokens import read_texts
from outgrow.models.finetune.adapters import choose_learning
from outgrow.models.finetune.classifier import load, predict, save
from outgrow.models.finetune.learning_curve import Watch
from outgrow.models.finetune.saved import train_texts
from outgrow.models.finetune.train import Finetuned, Lesson, probabilities, train

pytestmark = pytest.mark.usefixtures("one_thread")


def test_training_twice_gives_the_same_bits_and_leaves_the_random_states_alone(made: Callable[[str], Path]) -> None:
    import torch

    first = learned(made("gpt2"), options())
    random.seed(3)
    np.random.seed(4)
    torch.manual_seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    second = learned(made("gpt2"), options())
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert first.tobytes() == second.tobytes()
    assert np.abs(first - learned(made("gpt2"), options(), seed=1)).max() > 1e-4


def test_confidence_of_weight_0_is_naive_to_the_bit_and_of_a_half_is_not(made: Callable[[str], Path]) -> None:
    naive = learned(made("bert"), options(), Naive(), classes=2)
    assert learned(made("bert"), options(), Confidence(alpha=0), classes=2).tobytes() == naive.tobytes()
    assert learned(made("bert"), options(), Confidence(), classes=2).tobytes() != naive.tobytes()


def test_watching_changes_nothing_and_tells_what_is_so(made: Callable[[str], Path]) -> None:
    plain = learned(made("bert"), options(epochs=8))
    truth, weak = NUMBERS % 3, np.where(NUMBERS % 5, NUMBERS % 2, -1)
    ids = np.array([f"{number:02}" for number in NUMBERS])
    asked = options(epochs=8)
    found, tokens = learn(made("bert"), asked, watch=Watch(NUMBERS, ids, truth, weak))
    after = probabilities(found, tokens, NUMBERS, asked)
    assert after.tobytes() == plain.tobytes()
    assert [point["progress"] for point in found.curve] == [np.ceil(24 * k / 10) / 24 for k in range(1, 11)]
    said = harden(after, ids)
    assert found.curve[-1]["test_accuracy"] == (said == truth).mean()
    assert found.curve[-1]["weak_agreement"] == (said == weak)[weak >= 0].mean()
    assert found.curve[-1]["loss"] < found.curve[0]["loss"]  # type: ignore[operator]


def test_training_is_what_a_plain_loop_does(tmp_path: Path) -> None:
    """AdamW, decay of matrices alone, warm-up, cosine and clipping, against a loop over whole batches without parts."""
    import math

    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tiny.make("gpt2", tmp_path / "m", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    asked = options(epochs=10, batch=32, lr=0.01, clip=0.05, warmup=0.3, weight_decay=0.5)
    found = learn(folder, asked)[0]
    start = learn(folder, options(lr=1e-30, epochs=1, weight_decay=0.0, batch=32))[0].loaded.module.model
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3, pad_token_id=39).eval()
    model.load_state_dict(start.state_dict(), strict=False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    plain = {name for name, value in model.named_parameters() if name.endswith("bias") or ".ln_" in name}
    groups = [
        {"params": [value for name, value in model.named_parameters() if name not in plain], "weight_decay": 0.5},
        {"params": [value for name, value in model.named_parameters() if name in plain], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.01)
    norms = []
    for step in range(10):
        share = step / 3 if step < 3 else 0.5 * (1 + math.cos(math.pi * (step - 3) / 7))
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * share
        logits = torch.cat([model(**tokenizer(text, return_tensors="pt")).logits for text in TEXTS])
        torch.nn.functional.cross_entropy(logits, torch.from_numpy(soft(3))).backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)))
        optimizer.step()
        optimizer.zero_grad()
    assert min(norms) > 0.05  # so every step was clipped
    ours, before = found.loaded.module.model.state_dict(), start.state_dict()
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(ours[name], value, atol=2e-4, err_msg=name)
    assert max(float((ours[name] - before[name]).abs().max()) for name in ours) > 0.02


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_lora_and_bitfit_train_what_they_say(made: Callable[[str], Path], family: str) -> None:
    for asked, trained in (
        ({"lora": {"r": 2}}, lambda name: "lora_" in name),
        ({"bitfit": True}, lambda name: name.endswith("bias")),
    ):
        found, _ = learn(made(family), options(**asked, epochs=1, batch=16))
        start = weights(learn(made(family), options(**asked, epochs=1, batch=16, lr=1e-30, weight_decay=0.0))[0])
        body = f"model.{found.loaded.module.model.base_model_prefix}."
        moved = {name for name, value in weights(found).items() if not np.array_equal(value, start[name])}
        heads = {name for name in start if not name.startswith(body) or "pooler" in name}
        assert {name for name in moved if not trained(name)} <= heads
        assert any(name.endswith("weight") for name in moved & heads)
        assert any(map(trained, moved - heads)) or (family == "llama" and "bitfit" in asked)  # Llama has no biases


def test_early_stopping_takes_the_weights_of_the_smallest_loss_on_validation(made: Callable[[str], Path]) -> None:
    asked = options(epochs=10, lr=0.02, early_stop=2, batch=21)
    validation = NUMBERS[:9]
    judged = 1 - np.eye(3, dtype=np.float32)[soft(3)[:9].argmax(axis=1)]  # what is learned is wrong there
    judged[0] = np.nan
    found, tokens = learn(made("gpt2"), asked, watch=Watch(validation=validation, judged=judged))
    assert len(found.curve) < 10
    assert found.taken_at == found.curve[-3]["progress"]

    def loss(of: Finetuned) -> float:
        said = probabilities(of, tokens, validation[1:], asked)
        return float(-(judged[1:] * np.log(said)).sum(axis=1).mean())

    assert loss(found) < loss(learn(made("gpt2"), options(epochs=10, lr=0.02, batch=21))[0]) - 0.1


def test_bf16_and_checkpointing_run_and_are_near(made: Callable[[str], Path]) -> None:
    plain = learned(made("llama"), options())
    half = learned(made("llama"), options(precision="bf16"))
    assert half.dtype == np.float32
    assert half.tobytes() != plain.tobytes()
    np.testing.assert_allclose(half, plain, atol=0.03)
    recomputed: list[int] = []
    folder = made("llama")
    from torch.utils import checkpoint

    original = checkpoint.checkpoint
    checkpoint.checkpoint, keep = (lambda *a, **k: (recomputed.append(1), original(*a, **k))[1]), checkpoint.checkpoint
    try:
        found = learned(folder, options(checkpointing=True))
    finally:
        checkpoint.checkpoint = keep
    np.testing.assert_allclose(found, plain, atol=1e-6)
    with pytest.raises(UsageError, match="cannot checkpoint a 'mpnet' model"):
        learned(made("mpnet"), options(checkpointing=True))


def test_weights_of_examples_count_as_repetitions_do(made: Callable[[str], Path]) -> None:
    location = resolve(str(made("bert")), "finetune")
    tokens = read_texts(location, TEXTS, max_length=None, chat_template=False)
    asked = options(batch=64, epochs=3)
    times = np.where(NUMBERS < 5, 3, 1)
    twice = np.repeat(NUMBERS, times)
    no_dropout = tiny.make(
        "bert", location_folder(location) / "plain", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    location = resolve(str(no_dropout), "finetune")
    weighted = train(location, asked, tokens, CLASSES, Lesson(NUMBERS, soft(3), Naive(), 0, times.astype(float)))
    repeated = train(location, asked, tokens, CLASSES, Lesson(twice, soft(3)[twice], Naive(), 0))
    np.testing.assert_allclose(
        probabilities(weighted, tokens, NUMBERS, asked), probabilities(repeated, tokens, NUMBERS, asked), atol=1e-5
    )


def location_folder(location: Any) -> Path:
    return Path(location.path)


def test_mean_pooling_reads_all_real_tokens(made: Callable[[str], Path]) -> None:
    import torch

    location = resolve(str(made("bert")), "finetune")
    loaded = load(location, options(pooling="mean"), CLASSES)
    loaded.module.eval()
    tokens = read_texts(location, TEXTS, max_length=None, chat_template=False)
    found = predict(loaded, tokens, NUMBERS, options())
    states = tiny.one_by_one(made("bert"), TEXTS, "mean")
    with torch.no_grad():
        expected = loaded.module.head(torch.from_numpy(states)).softmax(-1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(UsageError, match="`pooling: mean` cannot be kept"):
        save(loaded, made("bert"), {})
    with pytest.raises(UsageError, match="`pooling: mean` is for encoders"):
        load(resolve(str(made("gpt2")), "finetune"), options(pooling="mean"), CLASSES)


def test_a_head_of_other_classes_is_not_taken_over(made: Callable[[str], Path], tmp_path: Path) -> None:
    location = resolve(str(made("bert")), "finetune")
    train_texts(location, options(lr=0.01), TEXTS, CLASSES, Lesson(NUMBERS, soft(3), Naive(), 0), tmp_path)
    again = load(resolve(str(tmp_path), "finetune"), options(), CLASSES)
    kept = load(resolve(str(tmp_path), "finetune"), options(), (), fresh_head=False)
    assert not np.array_equal(
        again.module.model.classifier.weight.detach(), kept.module.model.classifier.weight.detach()
    )
    assert np.array_equal(
        again.module.model.bert.encoder.layer[0].output.dense.weight.detach(),
        kept.module.model.bert.encoder.layer[0].output.dense.weight.detach(),
    )


def test_training_that_diverges_is_said(made: Callable[[str], Path], tmp_path: Path) -> None:
    """Weights near the end of float32: their products are infinite whatever the processor."""
    folder = shutil.copytree(made("llama"), tmp_path / "huge")
    huge = {name: np.full_like(value, 1e38) for name, value in load_file(folder / "model.safetensors").items()}
    save_file(huge, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(OutgrowError, match="training diverged: the loss is nan"):
        learned(folder, options())


def test_no_litter(made: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    learn(made("bert"), options(), scratch=scratch)
    assert [path.name for path in tmp_path.rglob("*")] == ["scratch"]


def test_choose_learning_leaves_the_head_to_learn(made: Callable[[str], Path]) -> None:
    loaded = load(resolve(str(made("mpnet")), "finetune"), options(), CLASSES)
    choose_learning(loaded.module, options(bitfit=True))
    learning = {name for name, value in loaded.module.named_parameters() if value.requires_grad}
    assert {"model.classifier.dense.weight", "model.classifier.out_proj.weight"} <= learning
    assert all(name.endswith("bias") for name in learning if not name.startswith("model.classifier."))
