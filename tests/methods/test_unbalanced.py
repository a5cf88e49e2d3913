"""Classes of unequal size: what confidence hardens by, and students whose classes are far from their labels'."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import held_out

from outgrow import Results
from outgrow.experiment.pipeline import run
from outgrow.experiment.spec.schema import Experiment
from outgrow.results.cells import Entry, RunToScore
from outgrow.results.predictions import ModelKey, Predictions
from outgrow.tasks.sentiment import sentiment


def four_to_one(folder: Path) -> Path:
    """The demo's sentences, 1,500 of one class and 375 of the other."""
    task = sentiment()
    rows = sorted(
        zip(task.inputs, task.labels, strict=True), key=lambda row: hashlib.sha256(row[0].encode()).hexdigest()
    )
    kept = [row for row in rows if row[1] == 0] + [row for row in rows if row[1] == 1][:375]
    with (folder / "imb.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *kept])
    return folder / "imb.csv"


def found(folder: Path, **changes: Any) -> Results:
    asked = {
        "name": "imb",
        "tasks": [{"file": str(four_to_one(folder)), "text": "text", "label": "label", "balance": False}],
        "weak": [{"static": "wordllama", "rows": 200}],
        "methods": ["naive", "confidence", {"confidence": {"prior": "balanced"}}],
        "split": {"weak_train": 500, "transfer": 600, "test": 500},
        **changes,
    }
    return run(Experiment(**asked), store=folder / "store", out=folder / "run")


def test_confidence_takes_the_prior_of_its_labels_and_says_so(tmp_path: Path) -> None:
    made = found(tmp_path, strong=["static:wordllama"], seeds=2)
    priors = [one.get("prior") for one in made.runs]
    assert [prior is not None for prior in priors] == [False, False, True, True, False, False]
    for prior in priors[2:4]:
        assert prior["0"] == pytest.approx(0.8, abs=0.08)
        assert sum(prior.values()) == pytest.approx(1)
    (told,) = [note for note in made.notes if "hardens" in note]
    assert told.startswith("imb: confidence hardens static:wordllama's predictions by the shares of static:wordllama")
    assert '("0" 0.8' in told


@pytest.mark.slow
def test_of_four_to_one_the_labels_prior_gains_where_the_balanced_one_loses(tmp_path: Path) -> None:
    """The case of an audit, in which `run` gave confidence a balanced prior: naive .863, confidence .828, PGR -.22."""
    made = found(tmp_path, strong=["probe:minilm"], seeds=10)
    naive, labels, balanced = made.cells
    assert naive["student_accuracy"]["estimate"] == pytest.approx(0.850, abs=0.01)
    assert labels["student_accuracy"]["estimate"] == pytest.approx(0.881, abs=0.01)
    assert labels["pgr"]["estimate"] == pytest.approx(0.54, abs=0.1)
    assert labels["gain"]["low"] > 0
    assert balanced["student_accuracy"]["estimate"] == pytest.approx(0.822, abs=0.01)
    assert balanced["pgr"]["estimate"] < 0
    (far,) = [note for note in made.notes if "far from its labels'" in note]
    assert 'confidence prior=balanced, predicts "1" on 26% of the test rows and its supervisor on 11%' in far


def told(weak: float, student: float, *, n: int = 500, seeds: int = 3) -> list[str]:
    """Notes of a cell whose supervisor and student say class 0 on these shares of the rows."""
    test = held_out("t", n)
    predicted: dict[ModelKey, Any] = {}
    asked = []
    for seed in range(seeds):
        keys = {
            "weak": ModelKey("t", "weak", "w", None, None, seed),
            "student": ModelKey("t", "student", "w", "s", "m", seed),
        }
        random = np.random.default_rng(seed)
        for role, share in (("weak", weak), ("student", student)):
            says = random.permutation(n) >= round(share * n)
            predicted[keys[role]] = np.eye(2, dtype=np.float32)[says.astype(int)]
        entries = (Entry("w", "w"), Entry("s", "s"), Entry("m", "m"))
        asked.append(RunToScore("t", *entries, seed, {**keys, "ceiling": None}, {"n_transfer": n}))
    return list(Results.compute(asked, Predictions({"t": test}, predicted), {}).notes)


def test_a_student_far_from_its_labels_is_named() -> None:
    (note,) = told(0.5, 0.98)
    assert note == (
        't: s, taught by w with m, predicts "0" on 98% of the test rows and its supervisor on 50%: '
        "the student's shares of the classes are far from its labels'"
    )
    assert told(0.8, 0.75) == told(0.5, 0.5) == []
    assert told(0.5, 0.65, n=20, seeds=1) == []  # three rows of twenty are chance
    assert len(told(0.5, 0.35)) == 1
