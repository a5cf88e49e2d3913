"""Test examples to browse: what supervisor, student and ceiling say of each, and how often each outcome occurs over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from outgrow.core.examples import Ints
from outgrow.core.inputs.input_type import Preview, cut, image_of, texts_of
from outgrow.report.markup import packed
from outgrow.report.scene import ReportedRun
from outgrow.report.section import Data, Section
from outgrow.results.cells import ROLES, RunToScore, Scored, cells_of
from outgrow.results.predictions import HeldOut, ModelKey

# What student and supervisor make of an example at one seed, and what the page calls it.
OUTCOMES = {
    "corrected": "supervisor wrong, student right",
    "spoiled": "supervisor right, student wrong",
    "copied": "both wrong, with the same class",
    "other": "both wrong, with different classes",
    "both": "both right",
}
MOST_ROWS = 300  # of a task
ANSWERS = 110_000  # of all models on all shown rows: they decide how large the page is
CHARACTERS = 1_000_000  # of all texts and pictures
ANCHOR = 12  # characters of a content id in a link to its example
LONGEST = 1_500  # characters of one text

Model = tuple[ModelKey, ...]  # one model's seeds


def browsable(runs: Sequence[ReportedRun]) -> dict[str, Any]:
    """Tasks with some of their test rows, cells with how often each outcome occurs, what their models say; JSON values.

    Rows are chosen cell by cell and outcome by outcome in turn, those first that have it at the most seeds, and of these in
    the order of their ids, which are hashes. `counts` are over all test rows and seeds.
    """
    tasks: list[dict[str, Any]] = []
    cells: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    all_tasks = [
        (run, *which) for run in runs for which in dict.fromkeys((one.task, one.test_set) for one in run.asked)
    ]
    for run, task, test_set in all_tasks:
        asked, scored = run.asked, run.scored
        members = cells_of([one for one in asked if (one.task, one.test_set) == (task, test_set)])
        test = scored.test(task, test_set)
        outcomes = [_outcomes(seeds, scored) for seeds in members]
        models = list(dict.fromkeys(m for seeds in members for role in ROLES if (m := _model(seeds, role)) is not None))
        most = min(MOST_ROWS, max(40, ANSWERS // (len(all_tasks) * max(1, len(models)))))
        rows = _chosen(outcomes, test, most)
        texts, kept = _texts(test, rows, CHARACTERS // len(all_tasks))
        rows = rows[:kept]
        place = {model: len(answers) + number for number, model in enumerate(models)}
        answers += [_answers(model, scored, rows) for model in models]
        for seeds, found in zip(members, outcomes, strict=True):
            one = seeds[0]
            cells.append(
                {
                    "task": len(tasks),
                    "names": [run.name, task, test_set, one.weak.name, one.strong.name, one.method.name],
                    "seed": one.seed,
                    "seeds": len(seeds),
                    **{role: None if (m := _model(seeds, role)) is None else place[m] for role in ROLES},
                    "counts": {outcome: int(times.sum()) for outcome, times in found.items()},
                    # The outcomes of a row follow from these and from how often each model is right.
                    "times": {outcome: found[outcome][rows].tolist() for outcome in _by_row(found, test)},
                }
            )
        tasks.append(
            {
                "classes": list(test.classes),
                "total": len(test.ids),
                "texts": texts,
                "ids": [str(one)[:ANCHOR] for one in test.ids[rows]],
                "truth": test.truth[rows].tolist(),
            }
        )
    return {"tasks": tasks, "cells": cells, "answers": answers, "outcomes": OUTCOMES}


def _model(seeds: Sequence[RunToScore], role: str) -> Model | None:
    """A cell's model at each seed; None where a seed has none."""
    keys = [key for one in seeds if (key := one.models[role]) is not None]
    return tuple(keys) if len(keys) == len(seeds) else None


def _by_row(outcomes: Mapping[str, Ints], test: HeldOut) -> list[str]:
    """The outcomes that are written row by row: two models that are wrong of two classes agree."""
    return [] if not outcomes else ["both"] if len(test.classes) == 2 else ["both", "copied"]


def _outcomes(seeds: Sequence[RunToScore], scored: Scored) -> dict[str, Ints]:
    """At how many seeds each test row has each outcome, `[n]`; nothing where a supervisor's labels leave rows out."""
    test = scored.test(seeds[0].task, seeds[0].test_set)
    truth = test.truth
    times: dict[str, Ints] = {outcome: np.zeros(len(truth), dtype=np.int64) for outcome in OUTCOMES}
    for one in seeds:
        weak, student = scored.hard(one.models["weak"]), scored.hard(one.models["student"])
        if weak is None or student is None:
            return {}
        right, weak_right, same = student == truth, weak == truth, student == weak
        times["corrected"] += right & ~weak_right
        times["spoiled"] += ~right & weak_right
        times["copied"] += ~right & same
        times["other"] += ~right & ~weak_right & ~same
        times["both"] += right & weak_right
    return times


def _chosen(outcomes: Sequence[Mapping[str, Ints]], test: HeldOut, most: int) -> Ints:
    """Up to `most` rows, one of each cell's outcome in turn."""
    chosen: dict[int, None] = {}
    order = np.argsort(test.ids, kind="stable")
    lists = [_most_often(times, order, most) for found in outcomes for times in found.values()]
    if not any(lists):
        lists = [order.tolist()]
    at = [0] * len(lists)
    while len(chosen) < most:
        before = len(chosen)
        for number, rows in enumerate(lists):
            while at[number] < len(rows) and rows[at[number]] in chosen:
                at[number] += 1
            if at[number] < len(rows) and len(chosen) < most:
                chosen[rows[at[number]]] = None
        if len(chosen) == before:
            break
    return np.array(list(chosen), dtype=np.int64)


def _most_often(times: Ints, order: Ints, most: int) -> list[int]:
    """The rows that have an outcome at any seed, at the most seeds first; as many as can be chosen."""
    ranked = order[np.argsort(-times[order], kind="stable")[:most]]
    return [int(row) for row in ranked if times[row] > 0]


def _texts(test: HeldOut, rows: Ints, budget: int) -> tuple[list[Preview], int]:
    """What the page shows of the rows' inputs, cut where long, and how many fit into the budget (ten at least)."""
    inputs = test.inputs
    texts: list[Preview] = []
    for row in rows.tolist():
        texts.append(cut(inputs[row], LONGEST))
        budget -= len(image_of(texts[-1])) + sum(len(text) for text in texts_of(texts[-1]))
        if budget < 0 and len(texts) >= 10:
            break
    return texts, len(texts)


def _answers(model: Model, scored: Scored, rows: Ints) -> dict[str, Any]:
    """At its first seed the class numbers of the rows, -1 where there is no answer, and in percent how sure the model is.

    `right`: at how many seeds it is right; None where it leaves test rows out.
    """
    first = model[0]
    probabilities = scored.tables.probabilities[first][rows]
    known = ~np.isnan(probabilities).any(axis=1)
    hard = [found for one in model if (found := scored.hard(one)) is not None]
    complete = len(hard) == len(model)
    predicted = hard[0][rows] if complete else np.where(known, np.nan_to_num(probabilities).argmax(axis=1), -1)
    sure = np.where(known, np.nan_to_num(probabilities[np.arange(len(rows)), predicted]) * 100, 0)
    truth = scored.test(first.task, first.test_set).truth[rows]
    right = np.sum([one[rows] == truth for one in hard], axis=0).tolist() if complete else None
    return {"predicted": predicted.tolist(), "sure": np.floor(sure).astype(int).tolist(), "right": right}


def _packed(found: Mapping[str, Any]) -> dict[str, Any]:
    """With lists of one number a row as texts, which examples.js unpacks."""
    answers = [
        {key: None if value is None else packed(value) for key, value in one.items()} for one in found["answers"]
    ]
    cells = [{**one, "times": {key: packed(value) for key, value in one["times"].items()}} for one in found["cells"]]
    return {**found, "answers": answers, "cells": cells}


EXAMPLES = Section(
    "examples",
    "Examples",
    lambda scene: Data(for_script=_packed(browsable(scene.runs))) if scene.cells else None,
    script="examples.js",
)
