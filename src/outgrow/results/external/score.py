"""The statistics of any program's results: predictions in files, or accuracies in a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import class_name, whole_number
from outgrow.core.files.tables import Table, read_table
from outgrow.results.cells import NO_TRUTH, Scored, cell_rows, gain, leave_undefined, run_rows, written
from outgrow.results.external.eval_logs import is_log, log_notes
from outgrow.results.external.prediction_files import read_predictions
from outgrow.results.predictions import OWN
from outgrow.results.run_results import SCHEMA, Results
from outgrow.results.statistics.recovery import performance_gap_recovered, recovery

ROLES = ("weak", "student", "ceiling")
SEEDS_ONLY = (
    "from accuracies alone the intervals hold the spread over seeds and nothing of the test set's own noise: they are too "
    "short; predictions would tell (--weak, --student, --ceiling and --truth)"
)
ONE_SEED = "one seed: accuracies alone tell nothing of how sure they are, and PGR stays undefined; give more seeds"


def score_predictions(
    weak: Path,
    student: Path,
    ceiling: Path | None,
    truth: Path | None,
    *,
    id_column: str | None = None,
    common: bool = False,
    metric: str = "accuracy",
    scorer: str | None = None,
) -> Results:
    """Results of predictions in files, or in logs of evaluations. Raises UsageError with all that is wrong with them."""
    paths = {"weak": weak, "student": student} | ({} if ceiling is None else {"ceiling": ceiling})
    logs = {role: path for role, path in paths.items() if is_log(path)}
    _logs_fit(paths, logs, truth, metric, scorer)
    asked, tables, notes = read_predictions(paths, truth, id_column=id_column, common=common, scorer=scorer)
    scored = Scored(tables)
    names = ("accuracy", metric)
    cells = cell_rows(asked, scored, names)
    if ceiling is None:
        for cell in cells:
            for found in cell.values():
                if isinstance(found, dict) and found.get("status") == NO_TRUTH:
                    found["status"] = "undefined: no ceiling was given"
    runs = run_rows(asked, scored, names)
    leave_undefined(runs, asked, cells)
    if logs:
        for made in (*runs, *cells):
            made["agreement"] = None
        notes = [*notes, *log_notes(logs, len({run.seed for run in asked}))]
    return Results(runs, cells, {}, notes)


def _logs_fit(
    paths: Mapping[str, Path], logs: Mapping[str, Path], truth: Path | None, metric: str, scorer: str | None
) -> None:
    """Raise UsageError where logs, which hold right and wrong alone, stand beside what they cannot be scored with."""
    if scorer is not None and not logs:
        raise UsageError("score: --scorer is for logs of inspect and lm-eval; none of these files is one")
    if not logs:
        return
    other = next((path for role, path in paths.items() if role not in logs), None)
    if other is not None and other.is_file():
        raise UsageError(
            f"score: {next(iter(logs.values()))} is a log of an evaluation, which holds right and wrong, and {other} holds "
            "predictions; give logs for all models, or predictions for all"
        )
    if truth is not None:
        raise UsageError("score: logs of evaluations hold what was right: leave --truth away")
    if metric != "accuracy":
        raise UsageError("score: --metric needs predictions; logs of evaluations hold right and wrong alone")


def score_accuracies(path: Path, *, percent: bool = False, common: bool = False) -> Results:
    """Results of a table of accuracies: seed, weak, student, ceiling; optional task, method, n_test. Raises UsageError."""
    problems: list[str] = []
    table = read_table(path, problems)
    if table is not None:
        for name in ("seed", *ROLES):
            table.has(name, "the accuracies of a seed", problems)
        table.words(("seed", *ROLES, "task", "method", "n_test"), problems)
    if table is None or problems:
        raise UsageError(*problems)
    rows = [_row(table, row, path, problems) for row in range(len(table))]
    _percentages(table, rows, percent, problems)
    cells: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for place, row in enumerate(rows):
        seeds = cells.setdefault((row["task"], row["method"]), {})
        if row["seed"] in seeds:
            problems.append(
                f"{table.name}, {table.where([place])}: seed {row['seed']}{_of(row)} is listed twice; keep one"
            )
        seeds[row["seed"]] = row
    notes = [SEEDS_ONLY]
    _same_seeds(table.name, cells, common, notes, problems)
    if problems:
        raise UsageError(*problems)
    if any(len(seeds) == 1 for seeds in cells.values()):
        notes.append(ONE_SEED)
    notes += [
        f"{table.name}: {role} has one accuracy for all {len(seeds)} seeds of task {task}, method {method}: it counts as one "
        "that no seed changes, so if it is one model's, copied, the intervals are too short"
        for (task, method), seeds in cells.items()
        for role in ROLES
        if len(seeds) > 1 and len({row[role] for row in seeds.values()}) == 1
    ]
    return results_of([list(seeds.values()) for seeds in cells.values()], notes, 100 if percent else 1)


def results_of(cells: Sequence[Sequence[Mapping[str, Any]]], notes: Sequence[str], scale: float = 1) -> Results:
    """Results of cells of runs: mappings with task, weak_name, strong_name, method, seed, n_test and three accuracies."""
    runs, made = [], []
    for rows in cells:
        first = rows[0]
        names = {
            "task": first["task"],
            "test_set": OWN,
            "weak": first.get("weak_name", "weak"),
            "strong": first.get("strong_name", "student"),
            "method": first["method"],
        }
        tables = {role: np.array([row[role] for row in rows], dtype=np.float64) / scale for role in ROLES}
        intervals = recovery(tables["weak"], tables["student"], tables["ceiling"])
        recovered = intervals.pop("pgr")
        for place, row in enumerate(rows):
            values = {role: float(tables[role][place]) for role in ROLES}
            # A ratio to a gap that has not been shown is noise: of one seed alone, none is.
            pgr = performance_gap_recovered(**values) if recovered.status == "ok" else None
            scores = {f"{role}_accuracy": value for role, value in values.items()}
            runs.append({**names, "seed": row["seed"], **scores, "pgr": pgr, "n_test": row["n_test"]})
        made.append(
            {
                **names,
                "seeds": [row["seed"] for row in rows],
                "n_test": first["n_test"],
                **{key: written(found) for key, found in intervals.items()},
                "gain": gain(tables["weak"], tables["student"]),
                "pgr": written(recovered),
                "covers": intervals["student_accuracy"].covers,
                "agreement": None,
            }
        )
    return Results(runs, made, {}, notes)


def cells_json(results: Results) -> str:
    """What `outgrow score --json` prints."""
    content = {"schema": SCHEMA, "cells": list(results.cells), "notes": list(results.notes)}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _row(table: Table, row: int, path: Path, problems: list[str]) -> dict[str, Any]:
    def name(column: str, otherwise: str) -> str:
        return class_name(table.columns[column][row]) or otherwise if column in table.columns else otherwise

    where = f"{table.name}, {table.where([row])}"
    made: dict[str, Any] = {"task": name("task", path.name.partition(".")[0]), "method": name("method", "given")}
    seed = class_name(table.columns["seed"][row])
    number = whole_number(seed)
    if number is None:
        problems.append(f"{where}: a seed is a whole number, not {seed[:20] if seed else 'blank'}")
    made["seed"] = -row - 1 if number is None else number
    for role in ROLES:
        value = class_name(table.columns[role][row])
        if value is None:
            problems.append(
                f"{where}: seed {made['seed']}{_of(made)} has no accuracy of {role}; fill it in or leave the seed out"
            )
        made[role] = _number(value, f"{where}: {role}", problems)
    size = name("n_test", "")
    count = whole_number(size)
    if size and (count is None or count < 1):
        problems.append(f"{where}: n_test is a number of rows, not {size[:20]}")
    made["n_test"] = count
    return made


def _number(value: str | None, where: str, problems: list[str]) -> float:
    try:
        number = float(value) if value is not None else 0.0
    except ValueError:
        sign = "; take the % off, and give --percent" if value is not None and value.endswith("%") else ""
        problems.append(f"{where} is not a number: {value}{sign}")
        return 0.0
    if not 0 <= number <= 100:  # also NaN and infinities
        problems.append(f"{where} is {number:g}, which is not an accuracy")
        return 0.0
    return number


def _percentages(table: Table, rows: Sequence[Mapping[str, Any]], percent: bool, problems: list[str]) -> None:
    """Notice percentages, and ask; notice shares that were called percentages."""
    above = [place for place, row in enumerate(rows) if any(row[role] > 1 for role in ROLES)]
    if above and not percent:
        value = next(row[role] for row in rows for role in ROLES if row[role] > 1)
        problems.append(
            f"{table.name}, {table.where(above)}: holds accuracies above 1, such as {value:g}: are these percentages? "
            "Then give --percent"
        )
    if percent and not above:
        problems.append(f"{table.name}: no accuracy is above 1, so these are not percentages: leave --percent away")


def _same_seeds(
    name: str,
    cells: dict[tuple[str, str], dict[int, dict[str, Any]]],
    common: bool,
    notes: list[str],
    problems: list[str],
) -> None:
    """Within a task every method has the same seeds; with `common`, those that all have."""
    for task in dict.fromkeys(task for task, _ in cells):
        mine = {method: seeds for (other, method), seeds in cells.items() if other == task}
        everything = {seed for seeds in mine.values() for seed in seeds}
        shared = {seed for seed in everything if all(seed in seeds for seeds in mine.values())}
        for method, seeds in mine.items():
            missing = sorted(everything - set(seeds))
            if missing and not common:
                listed = ", ".join(map(str, missing))
                problems.append(
                    f"{name}: method {method} has no seed {listed} of task {task}, which another method has; "
                    "add it, or give --common to score the seeds that all have"
                )
        if common and not shared:
            problems.append(f"{name}: no seed of task {task} is there for all methods")
        elif common and len(shared) < len(everything):
            for seeds in mine.values():
                for seed in set(seeds) - shared:
                    del seeds[seed]
            notes.append(
                f"{task}: {len(shared)} of {len(everything)} seeds are there for all methods and were scored (--common)"
            )


def _of(row: Mapping[str, Any]) -> str:
    return f" of task {row['task']}, method {row['method']}"
