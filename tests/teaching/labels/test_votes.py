"""Votes and columns that are odd: voters who repeat or contradict themselves, who never meet, and who give nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from taught import write

from outgrow.teaching.labels.cheap_labels import read_cheap_labels
from outgrow.teaching.labels.dataset import read_dataset
from outgrow.teaching.labels.dataset_notes import notes
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.teach_files import teach_files

WORDS = [("good", "great", "fine"), ("bad", "poor", "dull")]


def labelled(count: int) -> list[tuple[str, str]]:
    """Texts and their classes, by turns."""
    return [(f"a {WORDS[n % 2][n % 3]} thing, number {n}", "np"[n % 2]) for n in range(count)]


def test_a_voter_has_one_vote_on_a_text(tmp_path: Path) -> None:
    lines = [("one", "v", "a"), ("one", "v", "a"), ("one", "w", "b"), ("two", "v", "a"), ("two", "v", "b")]
    lines += [("three", "w", "a"), ("three", "w", ""), ("four", "v", "b"), ("four", "w", "b")]
    write(tmp_path / "votes.csv", ["text", "who", "label"], lines)
    problems: list[str] = []
    form = Form.of(["label"], None, "who")
    cheap = read_cheap_labels(tmp_path / "votes.csv", Reading.of("text"), form, problems)
    assert cheap is not None
    place = {text: row for row, text in enumerate(dict.fromkeys(cheap.read.values))}
    given = cheap.given(np.array([place[text] for text in cheap.read.values]), len(place))
    assert given.answers[:, 0].tolist() == [0, -1, 1, -1, -1, 0, -1, 1, 1]
    assert given.counts.tolist() == [[1, 1], [0, 0], [1, 0], [0, 2]]
    found = notes(read_dataset(tmp_path / "votes.csv", reading=Reading.of("text"), form=form), "votes.csv", "")
    assert found[:2] == [
        "1 repeated vote of one voter on one text: counted once",
        "1 text with contradicting votes of one voter: these votes are left out",
    ]


@pytest.mark.parametrize("together", [False, True])
def test_voters_that_never_meet_are_not_said_to_be_right(tmp_path: Path, together: bool) -> None:
    rows = labelled(120)
    votes: list[tuple[Any, ...]] = [(text, f"v{n % 4}", name) for n, (text, name) in enumerate(rows)]
    if together:
        votes += [(text, f"v{(n + 1) % 4}", name) for n, (text, name) in enumerate(rows)]
    write(tmp_path / "votes.csv", ["text", "who", "label"], votes)
    where: dict[str, Any] = {"text": "text", "columns": ["label"], "voter": "who", "student": "wordllama"}
    report = teach_files(tmp_path / "votes.csv", **where, out=tmp_path / "s", store=tmp_path / "store")
    never = "4 voters gave 120 labels to 120 texts, none of which two of them labelled: how often each is right is not known"
    assert (never in report.notes[0]) != together
    assert ("right on 9" in report.notes[0] or "right on 100%" in report.notes[0]) == together


def test_a_column_without_labels_and_several_labels_in_a_cell_are_noted(tmp_path: Path) -> None:
    rows = [(text, name, "n|p" if place % 9 == 0 else name, "") for place, (text, name) in enumerate(labelled(120))]
    write(tmp_path / "wide.csv", ["text", "a", "b", "c"], rows)
    where: dict[str, Any] = {"text": "text", "columns": ["a", "b", "c"], "student": "wordllama"}
    report = teach_files(tmp_path / "wide.csv", **where, out=tmp_path / "s", store=tmp_path / "store")
    assert "column 'c' of wide.csv holds no label" in report.notes
    assert (
        "classes such as 'n|p' look like several labels in one cell: each combination is a class of its own"
        in report.notes
    )
