"""Accuracy by the margin of the weak label: is the student right where its supervisor is unsure?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from outgrow.core.examples import Floats, Ints
from outgrow.results.cells import RunToScore, Scored, cell_rows, cells_of
from outgrow.results.predictions import HeldOut, ModelKey, Predictions

THIRDS = 3


def margins(weak: Floats) -> Floats:
    """How far the likeliest class is above the next `[...]`, of probabilities `[..., classes]`; of preferences |2p - 1|."""
    ordered = np.sort(weak, axis=-1)
    return np.asarray(ordered[..., -1] - ordered[..., -2], dtype=np.float64)


def by_margin(asked: Sequence[RunToScore], scored: Scored) -> list[dict[str, Any]]:
    """A cell's numbers in each third of its test rows by the supervisor's mean margin over seeds, the smallest first.

    The rows of a third are the same for all seeds, so the intervals are the usual ones; `test_set` says which third it is.
    None of a cell whose supervisor leaves rows out or is equally sure everywhere.
    """
    found = []
    for runs in cells_of(asked):
        models = [run.models["weak"] for run in runs]
        of_models = [scored.tables.probabilities[model] for model in models if model is not None]
        if len(of_models) < len(runs) or any(np.isnan(values).any() for values in of_models):
            continue
        mean = margins(np.stack(of_models)).mean(axis=0)
        if np.ptp(mean) > 0:
            found += _thirds(runs, scored, mean)
    return found


def _thirds(runs: Sequence[RunToScore], scored: Scored, margin: Floats) -> list[dict[str, Any]]:
    test = scored.test(runs[0].task, runs[0].test_set)
    order = np.lexsort((test.ids, margin))
    rows: list[dict[str, Any]] = []
    for part in np.array_split(order, THIRDS):
        if not len(part):
            continue
        name = f"{runs[0].test_set}, margin {margin[part].min():.2f} to {margin[part].max():.2f}"
        rows += _cell(runs, scored, test, np.sort(part), name)
    return rows


def _cell(runs: Sequence[RunToScore], scored: Scored, test: HeldOut, rows: Ints, name: str) -> list[dict[str, Any]]:
    kept = np.zeros(len(test.ids), dtype=np.bool_)
    kept[rows] = True
    kept_tables: dict[ModelKey, Any] = {}
    renamed = []
    for run in runs:
        models: Mapping[str, ModelKey | None] = {
            role: model and model._replace(test_set=name) for role, model in run.models.items()
        }
        for role, model in run.models.items():
            if model is not None and (there := models[role]) is not None:
                kept_tables[there] = scored.tables.probabilities[model][rows]
        renamed.append(replace(run, models=models, test_set=name))
    tables = Predictions({}, kept_tables, further={(runs[0].task, name): test.part(kept)})
    return cell_rows(renamed, Scored(tables))
