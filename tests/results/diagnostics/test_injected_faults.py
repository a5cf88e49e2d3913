"""Faults put in on purpose, and which control or note each sets off: the table of docs/reference/statistics.md."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from folders import guesses, held_out

from outgrow import Results
from outgrow.results.cells import NO_LESSON, Entry, RunToScore
from outgrow.results.predictions import ModelKey, Predictions
from outgrow.tasks.contract import RawTask
from outgrow.tasks.pool import build_pool, deal

SEEDS = (0, 1, 2, 3, 4)


def controls(student: float, shuffled: float | None, *, learns: bool = True) -> dict[str, str]:
    """Status by control of one cell, whose student reaches `student`, and `shuffled` from shuffled labels."""
    test = held_out("t", 600, 2)
    predicted: dict[ModelKey, Any] = {}
    asked = []
    for seed in SEEDS:
        weak, learned, ceiling = (
            ModelKey("t", "weak", "w", None, None, seed),
            ModelKey("t", "student", "w", "s", "naive", seed),
            ModelKey("t", "ceiling", None, "s", None, seed),
        )
        for place, (key, accuracy) in enumerate(((weak, 0.7), (learned, student), (ceiling, 0.9))):
            predicted[key] = guesses(test, accuracy, [place, seed])
        if shuffled is not None:
            predicted[ModelKey("t", "shuffled", "w", "s", None, seed)] = guesses(test, shuffled, [9, seed])
        facts = {"n_transfer": 600} | ({} if learns else {"no_ceiling": NO_LESSON})
        models = {"weak": weak, "student": learned, "ceiling": ceiling if learns else None}
        entries = (Entry("w", "w"), Entry("s", "s"), Entry("naive", "naive"))
        asked.append(RunToScore("t", *entries, seed, models, facts))
    made = Results.compute(asked, Predictions({"t": test}, predicted), {}, controls=True)
    return {control["control"]: control["status"] for control in made.controls}


@pytest.mark.parametrize("known", [0.1, 1.0])
def test_a_model_that_knows_the_truth_fails_the_shuffled_control(known: float) -> None:
    found = controls(0.8 + 0.2 * known, 0.5 + 0.5 * known)
    assert found["shuffled labels"] == "failed"
    assert found["no teacher"] == "ok"


def test_a_lexicon_that_never_learns_is_accused_of_nothing() -> None:
    assert controls(0.68, None, learns=False) == {}
    assert controls(0.8, 0.5)["shuffled labels"] == "ok"


def test_the_class_written_into_every_text_is_named() -> None:
    texts = [f"sentence {row}. Answer: {'good' if row % 2 else 'bad'}" for row in range(200)]
    (note,) = build_pool(RawTask(texts, ["bad", "good"] * 100), test_rows=50, balance=True).notes
    assert "the label may be written into the text" in note


@pytest.mark.parametrize("change", [str.upper, lambda text: f"{text} ", lambda text: text.replace(" ", "  ")])
def test_test_rows_written_otherwise_never_reach_training(change: Any) -> None:
    texts = [f"sentence number {row}" for row in range(200)]
    labels = ["bad", "good"] * 100
    pool = build_pool(RawTask([*texts, *map(change, texts)], [*labels, *labels]), test_rows=50, balance=True)
    forms = np.array([pool.input_type.normal_form(text) for text in pool.inputs])
    held = set(forms[pool.test])
    assert int(pool.test.sum()) == 50
    for rows in deal(pool, 0, weak_train=80, transfer=80, validation=20).values():
        assert not held & set(forms[rows])
    assert any("differ from others in case, white space or Unicode form alone" in note for note in pool.notes)
