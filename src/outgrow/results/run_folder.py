"""A run folder, read back so that anything can be counted from its predictions again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.core.text.entry_names import display
from outgrow.results.cells import ROLES, Entry, RunToScore, Scored, cell_rows, run_rows
from outgrow.results.metrics.scores import ACCURACY, metric_named
from outgrow.results.predictions import ModelKey, Predictions, ceilings_of
from outgrow.results.run_content import AGAIN, NOT_WHOLE
from outgrow.results.run_results import Results

ROUNDING = 1e-6  # of an accuracy between machines


@dataclass(frozen=True)
class Reading:
    """A run folder's results and predictions: which runs there are, and what every model predicts."""

    results: Results
    asked: Sequence[RunToScore]
    scored: Scored


def read_run(folder: Path) -> Reading:
    """Raises OutgrowError where the folder is not a run folder, is damaged, or its tables do not fit together."""
    results = Results.read(folder)
    tables = Predictions.read(folder)
    asked, scored = [_asked(row, tables, folder) for row in results.runs], Scored(tables)
    for run, row in zip(asked, results.runs, strict=True):
        for role, model in run.models.items():
            counted, stored = scored.contributions(model, ACCURACY), row[f"{role}_accuracy"]
            if counted is not None and (stored is None or abs(float(counted.mean()) - stored) > ROUNDING):
                raise OutgrowError(
                    f"{folder}: {NOT_WHOLE}: the accuracy of {run.task}, {role} in results.json is not the one counted "
                    f"from predictions.parquet; {AGAIN}"
                )
    return Reading(results, asked, scored)


def _asked(row: Mapping[str, Any], tables: Predictions, folder: Path) -> RunToScore:
    weak, strong, method = (Entry(display(row[name]), row[name]) for name in ("weak", "strong", "method"))
    task, seed, test_set = row["task"], row["seed"], row["test_set"]
    student = ModelKey(task, "student", weak.name, strong.name, method.name, seed, test_set)
    if student not in tables.probabilities:
        raise OutgrowError(
            f"{folder}: results.json names a run that predictions.parquet does not have "
            f"({task}, {weak.name}, {strong.name}, {method.name}, seed {seed}); run the experiment again"
        )
    plain = ceilings_of(task, "ceiling", (weak.name, strong.name, method.name), seed)
    ceilings = [ceiling._replace(test_set=test_set) for ceiling in plain]
    models = {
        "weak": next(
            (s for s in [ModelKey(task, "weak", weak.name, None, None, seed, test_set)] if s in tables.probabilities),
            None,
        ),
        "student": student,
        "ceiling": next((s for s in ceilings if s in tables.probabilities), None),
    }
    facts = {name: value for name, value in row.items() if name not in _counted(row)}
    return RunToScore(task, weak, strong, method, seed, models, facts, test_set)


def _counted(row: Mapping[str, Any]) -> set[str]:
    """The columns of a run that say which it is, or are computed from its predictions by `run_rows`."""
    metrics = [name.removeprefix("student_") for name in row if name.startswith("student_")]
    scores = {f"{what}_{metric}" for metric in metrics for what in (*ROLES, "gain", "pgr")}
    return {"task", "test_set", "weak", "strong", "method", "seed", "pgr", "gain", "agreement", "n_test", *scores}


def with_metric(folder: Path, name: str) -> Results:
    """A run folder's results with a metric beside accuracy: as stored, or counted now from its predictions."""
    metric = metric_named(name)
    results = Results.read(folder)
    if all(f"student_{metric.name}" in cell and "agreement" in cell for cell in results.cells):
        return results
    reading = read_run(folder)
    names = ("accuracy", name)
    runs, cells = run_rows(reading.asked, reading.scored, names), cell_rows(reading.asked, reading.scored, names)
    return replace(
        results,
        runs=[{**made, **old} for old, made in zip(results.runs, runs, strict=True)],
        cells=[{**made, **old} for old, made in zip(results.cells, cells, strict=True)],
    )
