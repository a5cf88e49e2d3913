"""Test rows that have nearly the same row in training: by hand, and put into a run on purpose."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outgrow.core.inputs.image import Image
from outgrow.core.pool import Pool
from outgrow.experiment.near_copies import ALIKE, near_copies, neighbours
from outgrow.experiment.pipeline import run
from outgrow.experiment.spec.schema import Experiment
from outgrow.tasks.contract import RawTask
from outgrow.tasks.pool import build_pool
from outgrow.tasks.sentiment import sentiment


def test_the_nearest_training_row_by_hand() -> None:
    # Around the training rows' mean (1, 1): test rows 4 and 5, of which one lies in the direction of row 0.
    features = np.array([[3, 1], [1, 3], [-1, 1], [1, -1], [5, 1.1], [2, 2]], dtype=np.float32)
    found = neighbours(features, np.array([4, 5]), np.arange(4))
    assert found.nearest[0] == 0
    assert found.cosine == pytest.approx([4 / (16 + 0.01) ** 0.5, 1 / 2**0.5], abs=1e-6)
    assert found.alike.tolist() == [0]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(300, 8)).astype(np.float32)
    test, training = np.arange(40), np.arange(40, 300)
    whole = neighbours(features, test, training)
    moved = features - features[training].mean(axis=0)
    unit = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    cosines = unit[test] @ unit[training].T
    assert whole.nearest.tolist() == training[cosines.argmax(axis=1)].tolist()
    assert whole.cosine == pytest.approx(cosines.max(axis=1), abs=1e-5)


def test_of_many_training_rows_fewer_test_rows_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outgrow.experiment.near_copies.WORK", 2 * 300 * 8 * 60.0)
    features = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
    assert len(neighbours(features, np.arange(100), np.arange(100, 400)).rows) == 60


def pool_of(texts: list[str]) -> Pool:
    return build_pool(RawTask(texts, ["a", "b"] * (len(texts) // 2)), test_rows=len(texts) // 4, balance=False)


def test_a_few_pairs_are_no_news_and_more_are() -> None:
    pool = pool_of([f"row {place}" for place in range(800)])
    test, training = np.flatnonzero(pool.test), np.flatnonzero(~pool.test)
    features = np.random.default_rng(1).normal(size=(800, 32)).astype(np.float32)
    assert near_copies(pool, features, training, "x") == []
    features[test[0]] = features[training[0]]
    assert near_copies(pool, features, training, "x") == []
    for place in range(4):
        features[test[place]] = features[training[place]]
    (note,) = near_copies(pool, features, training, "x")
    assert note.startswith(
        f"4 of 200 test rows (2.0%) have a training row nearly the same (cosine {ALIKE:g} or more of x's"
    )
    assert f'"{pool.inputs[test[0]]}" and "{pool.inputs[training[0]]}"' in note
    assert near_copies(pool, features, np.array([], dtype=np.int64), "x") == []


def test_pictures_are_named_by_their_files_and_not_by_their_bytes() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (40, 4, 5, 3)).astype(np.uint8)
    images = [Image.of(one, f"{place}.png") for place, one in enumerate(pixels)]
    pool = build_pool(RawTask(images, ["a", "b"] * 20, input_type="image"), test_rows=8, balance=False)
    test, training = np.flatnonzero(pool.test), np.flatnonzero(~pool.test)
    features = np.random.default_rng(1).normal(size=(40, 32)).astype(np.float32)
    features[test] = features[training[:8]]
    (note,) = near_copies(pool, features, training, "x")
    pairs = [
        f'"{pool.inputs[one].name} (5 x 4)" and "{pool.inputs[other].name} (5 x 4)"'
        for one, other in zip(test, training, strict=False)
    ]
    assert sum(pair in note for pair in pairs) == 2, note


def doubled(folder: Path, change: Any) -> Path:
    """Six hundred of the demo's sentences, each of them a second time as `change` leaves it."""
    task = sentiment()
    rows = list(dict(zip(task.inputs, task.labels, strict=True)).items())[:600]
    with (folder / "twice.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows, *((change(text), label) for text, label in rows)])
    return folder / "twice.csv"


def noted(folder: Path, file: Path) -> list[str]:
    asked = {
        "name": "x",
        "tasks": [{"file": str(file), "text": "text", "label": "label", "balance": False}],
        "weak": [{"static": "wordllama", "rows": 60}],
        "strong": ["static:wordllama"],
        "methods": ["naive"],
        "seeds": 1,
        "split": {"weak_train": 200, "transfer": 200, "test": 150},
    }
    made = run(Experiment(**asked), store=folder / "store", out=folder / "run")
    return [note for note in made.notes if "nearly the same" in note]


def test_test_rows_with_a_word_more_in_training_are_noticed(tmp_path: Path) -> None:
    (note,) = noted(tmp_path, doubled(tmp_path, lambda text: f"{text} Really."))
    assert note.startswith("twice: ")
    assert "of 150 test rows" in note
    assert '" and "' in note


def test_sentences_that_stand_there_once_are_not(tmp_path: Path) -> None:
    task = sentiment()
    rows = list(dict(zip(task.inputs, task.labels, strict=True)).items())[:1200]
    with (tmp_path / "once.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    assert noted(tmp_path, tmp_path / "once.csv") == []
