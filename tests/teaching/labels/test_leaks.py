"""Careful texts that the student has nearly seen, and those that hold the name of their class."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from outgrow.experiment.near_copies import neighbours
from outgrow.tasks.sentiment import sentiment
from outgrow.teaching.teach_files import teach_files

pytestmark = pytest.mark.usefixtures("one_thread")


def taught(folder: Path, careful: Sequence[tuple[str, str]], cheap: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """What is noted of a static student that learns these."""
    for name, rows in (("cheap", cheap), ("careful", careful)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    report = teach_files(
        folder / "cheap.csv",
        out=folder / "student",
        text="text",
        columns=["label"],
        truth=folder / "careful.csv",
        student="static:wordllama",
        method="naive",
        store=folder / "store",
    )
    return report.notes


def sentences(count: int) -> list[tuple[str, str]]:
    task = sentiment()
    labels = ("negative" if label == "0" else "positive" for label in map(str, task.labels))
    return list(dict(zip(task.inputs, labels, strict=True)).items())[:count]


def test_near_copies_of_careful_texts_are_noted_where_there_are_many(tmp_path: Path) -> None:
    rows = sentences(330)
    careful, cheap = rows[:30], rows[30:]
    assert not [note for note in taught(tmp_path, careful, cheap) if "nearly the same" in note]
    copied = [(f"{text} Really.", label) for text, label in cheap[:6]]
    (note,) = [note for note in taught(tmp_path, careful[:24] + copied, cheap) if "nearly the same" in note]
    assert " of 30 careful texts (" in note
    assert "accuracy on new texts may be lower" in note
    first = note.partition('such as "')[2]
    assert any(first[:20] == text[:20] for text, _ in copied)


def test_the_name_of_its_class_in_a_careful_text_is_noted(tmp_path: Path) -> None:
    rows = sentences(200)
    careful = [(f"[{label}] {text}", label) for text, label in rows[:30]]
    (note,) = [note for note in taught(tmp_path, careful, rows[30:]) if "the name of one class" in note]
    assert note.startswith("careful.csv: the name of one class occurs in 30 of 30 texts")


def test_a_row_is_no_neighbour_of_its_own() -> None:
    features = np.array([[1, 0], [0, 1], [-1, 0], [1, 0.1]], dtype=np.float32)
    found = neighbours(features, np.array([0]), np.arange(4))
    assert found.nearest.tolist() == [3]
