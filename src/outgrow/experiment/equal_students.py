"""Students that methods should make different, and that come out equal: a sign of a model that does not use its objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from outgrow.experiment.planning.plan import Run
from outgrow.results.cells import RunToScore
from outgrow.results.predictions import ModelKey


def equal_students(runs: Sequence[Run], asked: Sequence[RunToScore], predictions: Mapping[ModelKey, Any]) -> list[str]:
    """A note for all methods whose students predict the same to the last digit in every run of a cell."""
    students: dict[tuple[str, str, str], dict[str, list[tuple[str, Any]]]] = {}
    for run, scored in zip(runs, asked, strict=True):
        student = scored.models["student"]
        if run.strong.able.trained and run.strong.able.by_loss and student is not None:
            of_cell = students.setdefault((run.task, run.weak.name, run.strong.name), {})
            of_cell.setdefault(run.method.name, []).append((run.student.key, predictions[student]))
    notes = []
    for (task, weak, strong), methods in students.items():
        for *others, last in _alike(methods):
            with_ = f"{', '.join(others)} and {last}"
            notes.append(
                f"{task}: {strong} taught by {weak} predicts the same to the last digit with {with_}: so does a model "
                "that does not use its objective, and one whose labels give a method nothing to do"
            )
    return notes


def _alike(methods: Mapping[str, list[tuple[str, Any]]]) -> list[list[str]]:
    """The methods in groups of two or more whose students, though other steps, are equal in every run."""
    groups: list[list[str]] = []
    for name, runs in methods.items():
        for group in groups:
            pairs = list(zip(methods[group[0]], runs, strict=True))
            if all(key != another and np.array_equal(p, q) for (key, p), (another, q) in pairs):
                group.append(name)
                break
        else:
            groups.append([name])
    return [group for group in groups if len(group) > 1]
