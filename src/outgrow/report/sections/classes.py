"""Each class of a cell: recall, precision and F1 of its models, and what the student takes it for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from outgrow.core.examples import Floats
from outgrow.report.scene import ReportedRun, Scene
from outgrow.report.section import Data, Section
from outgrow.report.tables.cell_tables import number
from outgrow.results.cells import ROLES, RunToScore, Scored, cells_of, written
from outgrow.results.metrics.per_class import ByClass, by_class
from outgrow.results.metrics.scores import MACRO_F1
from outgrow.results.predictions import HeldOut, ModelKey
from outgrow.results.statistics.intervals import contrast

MATRIX = 20  # classes of a confusion matrix; of more, the largest confusions are listed
LARGEST = 20  # confusions in such a list
NUMBERS = 60_000  # of all tables, and as many of all matrices: they decide how large the page is
FEWEST = 10  # classes of a table, however many models there are

Keys = tuple[ModelKey | None, ...]  # one model's seeds


def of_classes(runs: Sequence[ReportedRun]) -> dict[str, Any]:
    """Tasks with their classes, models with a number a class, and cells that name them by place; JSON values.

    Where all numbers would be too many, each task's classes with the most test examples are kept.
    """
    groups = [(run, members) for run in runs for members in cells_of(run.asked)]
    keys = dict.fromkeys(
        (run.name, _keys(members, role)) for run, members in groups for role in ROLES
    )  # a supervisor or ceiling serves several cells
    places = {key: place for place, key in enumerate(keys)}
    most = max(FEWEST, NUMBERS // (3 * max(1, len(places))))
    tasks: dict[tuple[str, str, str], dict[str, Any]] = {}
    models: dict[int, dict[str, Any] | None] = {}
    cells = []
    for run, members in groups:
        one = members[0]
        key = (run.name, one.task, one.test_set)
        task = tasks.setdefault(key, _task(run.scored.test(one.task, one.test_set), most))
        mine = {role: places[run.name, _keys(members, role)] for role in ROLES}
        for role, place in mine.items():
            if place not in models:
                models[place] = _model(_keys(members, role), run.scored, task["shown"])
        found = _found(_keys(members, "student"), run.scored)
        confused = None if found is None else _confused(found.confusion, len(groups))
        names = [run.name, one.task, one.test_set, one.weak.name, one.strong.name, one.method.name]
        number_of_task = list(tasks).index(key)
        cells.append({"task": number_of_task, "names": names, "seeds": len(members), **mine, "confused": confused})
    return {"tasks": list(tasks.values()), "models": [models[place] for place in places.values()], "cells": cells}


def _keys(members: Sequence[RunToScore], role: str) -> Keys:
    return tuple(one.models[role] for one in members)


def _task(test: HeldOut, most: int) -> dict[str, Any]:
    """All class names, the places of those that are shown, and how many test examples each of them has."""
    sizes = np.bincount(test.truth, minlength=len(test.classes))
    shown = np.sort(np.argsort(-sizes, kind="stable")[:most])
    return {"classes": list(test.classes), "shown": shown.tolist(), "n": sizes[shown].tolist()}


def _model(keys: Keys, scored: Scored, shown: Sequence[int]) -> dict[str, Any] | None:
    found = _found(keys, scored)
    if found is None:
        return None
    values = {name: _thousandths(getattr(found, name)[list(shown)]) for name in ("recall", "precision", "f1")}
    return {**values, "macro_f1": _macro(keys, scored)}


def _found(keys: Keys, scored: Scored) -> ByClass | None:
    """None where there is no such model, or one of its seeds leaves test examples out."""
    first, hard = keys[0], [predicted for one in keys if (predicted := scored.hard(one)) is not None]
    if first is None or len(hard) < len(keys):
        return None
    test = scored.test(first.task, first.test_set)
    return by_class(hard, test.truth, len(test.classes))


def _macro(keys: Keys, scored: Scored) -> str:
    table, first = scored.table(keys, MACRO_F1), keys[0]
    assert table is not None
    assert first is not None
    groups = scored.groups(first.task, first.test_set)
    return number(written(contrast(table[None], [1.0], groups, limits=MACRO_F1.limits)))


def _thousandths(values: Floats) -> list[int | None]:
    return [None if np.isnan(value) else round(1000 * float(value)) for value in values]


def _confused(confusion: Floats, cells: int) -> dict[str, Any]:
    """The whole matrix where it is small and all cells' fit into the page, else its largest confusions."""
    classes = len(confusion)
    if classes <= MATRIX and cells * classes**2 <= NUMBERS:
        return {"matrix": [[_count(value) for value in row] for row in confusion]}
    wrong = np.where(np.eye(classes, dtype=bool), 0, confusion).reshape(-1)
    there = np.flatnonzero(wrong)
    largest = there[np.argsort(-wrong[there], kind="stable")[:LARGEST]].tolist()
    return {"largest": [[place // classes, place % classes, _count(wrong[place])] for place in largest]}


def _count(value: float) -> float:
    rounded = round(float(value), 1)
    return int(rounded) if rounded.is_integer() else rounded


def _data(scene: Scene) -> Data | None:
    return Data(for_script=of_classes(scene.runs)) if scene.cells else None


CLASSES = Section("classes", "Classes", _data, script="classes.js")
