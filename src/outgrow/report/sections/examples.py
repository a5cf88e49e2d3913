"""Test examples to browse: what supervisor, student and ceiling say of each, in a form small enough for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from outgrow.core.examples import Ints
from outgrow.core.inputs import Preview, cut, image_of, texts_of
from outgrow.report.scene import ReportedRun
from outgrow.report.sections.section import Data, Section
from outgrow.results.cells import RunToScore, Scored, cells_of
from outgrow.results.predictions import HeldOut, ModelKey

# Of a student's answers against its supervisor's: what each kind is called on the page.
KINDS = {
    "corrected": "right against its supervisor",
    "copied": "followed it into error",
    "spoiled": "wrong where it is right",
    "both": "both right",
    "other": "both wrong, differently",
}
MOST_ROWS = 300  # of a task
ANSWERS = 150_000  # of all models on all shown rows: they decide how large the page is
CHARACTERS = 1_000_000  # of all texts and pictures
ANCHOR = 12  # characters of a content id in a link to its example
LONGEST = 1_500  # characters of one text


def browsable(runs: Sequence[ReportedRun]) -> dict[str, Any]:
    """Tasks with some of their test rows, cells with what their first seed's models say of them; JSON values.

    Rows are chosen cell by cell and kind by kind in turn, in the order of their ids, which are hashes: where a kind has
    more rows than fit, those shown are drawn at random. `counts` are over all test rows.
    """
    tasks: list[dict[str, Any]] = []
    cells: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    all_tasks = [
        (run, *which) for run in runs for which in dict.fromkeys((one.task, one.test_set) for one in run.asked)
    ]
    for run, task, test_set in all_tasks:
        asked, scored = run.asked, run.scored
        firsts = [
            group[0] for group in cells_of([one for one in asked if (one.task, one.test_set) == (task, test_set)])
        ]
        sorts = [_sorted_rows(one, scored) for one in firsts]
        speakers = list(dict.fromkeys(s for one in firsts for s in one.speakers.values() if s is not None))
        rows = _chosen(
            sorts,
            scored.test(task, test_set),
            min(MOST_ROWS, max(40, ANSWERS // (len(all_tasks) * max(1, len(speakers))))),
        )
        texts, kept = _texts(scored.test(task, test_set), rows, CHARACTERS // len(all_tasks))
        rows = rows[:kept]
        test = scored.test(task, test_set)
        place = {speaker: len(answers) + number for number, speaker in enumerate(speakers)}
        answers += [_said(speaker, scored, rows) for speaker in speakers]
        for one, kinds in zip(firsts, sorts, strict=True):
            cells.append(
                {
                    "task": len(tasks),
                    "names": [run.name, task, test_set, one.weak.name, one.strong.name, one.method.name],
                    "seed": one.seed,
                    **{role: None if speaker is None else place[speaker] for role, speaker in one.speakers.items()},
                    "counts": {kind: len(found) for kind, found in kinds.items()},
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
    return {"tasks": tasks, "cells": cells, "answers": answers, "kinds": KINDS}


def _sorted_rows(one: RunToScore, scored: Scored) -> dict[str, Ints]:
    """The test rows by kind; none where a supervisor's labels leave rows out."""
    weak, student = scored.hard(one.speakers["weak"]), scored.hard(one.speakers["student"])
    if weak is None or student is None:
        return {kind: np.zeros(0, dtype=np.int64) for kind in KINDS}
    test = scored.test(one.task, one.test_set)
    truth = test.truth
    right, weak_right = student == truth, weak == truth
    masks = {
        "corrected": right & ~weak_right,
        "copied": ~right & (student == weak),
        "spoiled": ~right & weak_right,
        "both": right & weak_right,
        "other": ~right & ~weak_right & (student != weak),
    }
    order = np.argsort(test.ids, kind="stable")
    return {kind: order[mask[order]] for kind, mask in masks.items()}


def _chosen(sorts: Sequence[Mapping[str, Ints]], test: HeldOut, most: int) -> Ints:
    """Up to `most` rows, one of each cell's kind in turn."""
    chosen: dict[int, None] = {}
    lists = [found[kind].tolist() for found in sorts for kind in KINDS]
    if not any(lists):
        lists = [np.argsort(test.ids, kind="stable").tolist()]
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


def _said(speaker: ModelKey, scored: Scored, rows: Ints) -> dict[str, Any]:
    """Class numbers of the rows, -1 where nothing is said, and in percent how sure the model is."""
    probabilities = scored.tables.probabilities[speaker][rows]
    known = ~np.isnan(probabilities).any(axis=1)
    hard = scored.hard(speaker)
    said = hard[rows] if hard is not None else np.where(known, np.nan_to_num(probabilities).argmax(axis=1), -1)
    sure = np.where(known, np.nan_to_num(probabilities[np.arange(len(rows)), said]) * 100, 0)
    return {"said": said.tolist(), "sure": np.floor(sure).astype(int).tolist()}


EXAMPLES = Section(
    "examples",
    "Examples",
    lambda scene: Data(for_script=browsable(scene.runs)) if scene.cells else None,
    script="examples.js",
)
