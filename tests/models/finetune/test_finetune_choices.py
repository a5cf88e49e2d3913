"""Finetuned models of choices: one score per candidate, all candidates of a row in one pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models as tiny
from finetuning import options, weights

from outgrow.methods.losses import Confidence, Naive
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.tokens import Candidates, read_texts
from outgrow.models.finetune.batches import Passes, backward_batch, cut
from outgrow.models.finetune.classifier import load
from outgrow.models.finetune.saved import keep
from outgrow.models.finetune.train import Lesson, probabilities, train

TEXTS = tiny.TEXTS
pytestmark = pytest.mark.usefixtures("one_thread")
# Two or three candidates a row, some texts in several rows.
PLACES = np.array([[0, 1, -1], [2, 3, 1], [4, 0, -1], [3, 2, 4], [1, 2, -1], [0, 4, 3]]) % len(TEXTS)
PLACES[[0, 2, 4], 2] = -1
ROWS = np.arange(len(PLACES))


def candidates(folder: Path) -> Any:
    location = resolve(str(folder), "finetune")
    return location, Candidates(read_texts(location, TEXTS, max_length=None, chat_template=False), PLACES)


def targets() -> Any:
    values = np.random.default_rng(2).dirichlet(np.ones(3), size=len(PLACES)).astype(np.float32)
    values[PLACES < 0] = 0
    return values / values.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("family", tiny.FAMILIES[:2])
@pytest.mark.parametrize("method", [Naive(), Confidence()])
def test_swapped_candidates_have_swapped_probabilities(made: Callable[[str], Path], family: str, method: Any) -> None:
    location, read = candidates(made(family))
    asked = options(batch=4)
    found = train(location, asked, read, ("score",), Lesson(ROWS, targets(), method, 0))
    before = probabilities(found, read, ROWS, asked)
    after = probabilities(found, Candidates(read.texts, PLACES[:, ::-1]), ROWS, asked)
    assert after[:, ::-1] == pytest.approx(before, abs=1e-6)
    assert (before[PLACES < 0] == 0).all()
    assert before.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.ptp(before[PLACES >= 0]) > 0.01


def test_parts_of_a_batch_have_the_gradient_of_the_whole(made: Callable[[str], Path]) -> None:
    import torch

    location, read = candidates(made(tiny.FAMILIES[0]))
    loaded = load(location, options(), ("score",))
    loaded.module.eval()
    found = []
    for parts in ([ROWS], [ROWS[row : row + 1] for row in ROWS], cut(read.lengths, 40, 1.0)):
        loaded.module.zero_grad()

        def ask(part: Any) -> Any:
            return read.logits(loaded.module, ROWS[part], loaded.filler, "cpu")

        passes = Passes(ask, ask, lambda loss: loss.backward())
        goal = torch.from_numpy(targets())
        loss = backward_batch(passes, parts, goal, torch.ones(len(ROWS)), Naive(), 0.5, statistic=False)
        gradients = {n: p.grad.clone() for n, p in loaded.module.named_parameters() if p.grad is not None}
        found.append((float(loss), gradients))
    for loss, gradients in found[1:]:
        assert loss == pytest.approx(found[0][0], abs=1e-5)
        for name, gradient in gradients.items():
            assert torch.allclose(gradient, found[0][1][name], atol=1e-5), name


def test_a_kept_model_gives_each_text_its_score_by_transformers_alone(
    made: Callable[[str], Path], tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    location, read = candidates(made(tiny.FAMILIES[0]))
    asked = options(batch=4)
    trained = train(location, asked, read, ("score",), Lesson(ROWS, targets(), Naive(), 0))
    expected = probabilities(trained, read, ROWS, asked)
    (tmp_path / "model").mkdir()
    keep(trained, asked, read.limit, tmp_path / "model")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert model.config.num_labels == 1
    with torch.no_grad():
        inputs = [tokenizer(text, return_tensors="pt") for text in TEXTS]
        scores = np.array(
            [float(model(**{k: one[k] for k in ("input_ids", "attention_mask")}).logits) for one in inputs]
        )
    logits = np.where(PLACES < 0, -np.inf, scores[PLACES])
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert exponents / exponents.sum(axis=1, keepdims=True) == pytest.approx(expected, abs=1e-5)
    assert weights(trained)
