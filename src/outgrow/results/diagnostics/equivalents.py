"""What a student is worth: how many true labels, and which rung of the ladder, would bring as far; for each cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from outgrow.results.cells import RunToScore, Scored, cells_of, on_own, plain_ceilings, written
from outgrow.results.metrics.scores import Contributions
from outgrow.results.predictions import OWN, ModelKey
from outgrow.results.statistics.equivalence import Equivalent, equivalent
from outgrow.results.statistics.intervals import accuracy
from outgrow.results.statistics.worth import best_by_others

CURVE = "ceiling:"  # the role of a ceiling that learned the first rows of transfer alone: "ceiling:50"
AT_L2 = ":l2="  # with another l2 than its own: "ceiling:50:l2=0.1"
RUNGS = 3  # students of the shortest ladder

Tables = Mapping[str, Contributions]  # by a ceiling's name


def add_equivalents(rows: Sequence[dict[str, Any]], asked: Sequence[RunToScore], scored: Scored) -> None:
    """Give each cell `equivalent_labels` where there is a label curve, `equivalent_supervision` where there is a ladder."""
    together = cells_of(asked)
    sizes = _sizes(scored)
    ladders = {
        task: _ladder(task, cells_of(on_own(asked)), scored) for task in dict.fromkeys(run.task for run in asked)
    }
    for runs, row in zip(together, rows, strict=True):
        if runs[0].test_set != OWN:  # the ladder and the curve are of the task's own test rows
            continue
        student = scored.table([run.models["student"] for run in runs])
        if student is None:
            continue
        groups = scored.groups(runs[0].task)
        labels = _labels(runs, student, sizes.get((runs[0].task, runs[0].strong.name), {}), scored)
        if labels is not None:
            row["equivalent_labels"] = labels
        ladder = _same_seeds(ladders[runs[0].task], runs)
        if len(ladder) >= RUNGS:
            tables = {name: table for name, of in ladder.items() if (table := scored.table(of)) is not None}
            row["equivalent_supervision"] = _supervision(student, tables, groups)


Curve = dict[int, list[str]]  # size -> the roles of ceilings that learned as many rows


def _sizes(scored: Scored) -> dict[tuple[str, str], Curve]:
    """The sizes of each task's and student's label curve, with the roles of each."""
    sizes: dict[tuple[str, str], dict[str, int]] = {}
    for model_key in scored.tables.probabilities:
        if model_key.role.startswith(CURVE) and model_key.strong is not None:
            size = int(model_key.role.removeprefix(CURVE).partition(AT_L2)[0])
            sizes.setdefault((model_key.task, model_key.strong), {})[model_key.role] = size
    return {
        key: {size: [role for role, of in roles.items() if of == size] for size in sorted(set(roles.values()))}
        for key, roles in sizes.items()
    }


def _labels(runs: Sequence[RunToScore], student: Contributions, sizes: Curve, scored: Scored) -> dict[str, Any] | None:
    """The number of true labels that bring the same student as far; all of transfer is the ceiling itself.

    Where there are ceilings of several l2, each half of the test rows takes the one that is best on the other half.
    """
    first = runs[0]
    groups = scored.groups(first.task)
    found: dict[int, list[Contributions]] = {}
    for size, roles in sizes.items():
        for role in roles:
            models = [ModelKey(first.task, role, None, first.strong.name, None, run.seed) for run in runs]
            if all(model_key in scored.tables.probabilities for model_key in models):
                table = scored.table(models)
                found.setdefault(size, []).extend([] if table is None else [table])
    whole = scored.table(plain_ceilings(runs, scored))
    n_transfer = {run.facts.get("n_transfer") for run in runs}
    rows = n_transfer.pop() if len(n_transfer) == 1 else None
    if whole is not None and isinstance(rows, int) and rows >= max(found, default=0):
        found.setdefault(rows, []).insert(0, whole)
    numbers = np.arange(student.shape[1]) if groups is None else groups  # rows are in the order of hashes
    halves = [np.flatnonzero(numbers % 2 == half) for half in (0, 1)]
    tables = {
        size: best_by_others(of, halves) if len(of) > 1 and all(map(len, halves)) else of[0]
        for size, of in found.items()
        if of
    }
    if len(tables) < 2:
        return None
    place = equivalent(student, {math.log(size): table for size, table in tables.items()}, groups)
    least, most = min(tables), max(tables)
    curve = [{"rows": size, "accuracy": written(accuracy(table, groups))} for size, table in tables.items()]
    return {
        "estimate": _count(place.estimate) or None,
        "low": _count(place.low),
        "high": _count(place.high),
        "status": _beyond(place, f"fewer than {least}", f"more than {most}"),
        "smallest": least,
        "largest": most,
        "curve": curve,
    }


def _count(place: float) -> int | None:
    """A number of labels; 0 below the curve, None above it."""
    return round(math.exp(place)) if place < math.inf else None


def _beyond(found: Equivalent, below: str, above: str) -> str:
    if found.estimate == -math.inf:
        return below
    return above if found.estimate == math.inf else "ok"


def _ladder(task: str, together: Sequence[Sequence[RunToScore]], scored: Scored) -> dict[str, dict[int, ModelKey]]:
    """Each student's ceilings by seed: those that serve every supervisor, in the order of the experiment."""
    ladder: dict[str, dict[int, ModelKey]] = {}
    for runs in together:
        for run, ceiling in zip(runs, plain_ceilings(runs, scored), strict=True):
            if run.task == task and ceiling is not None and ceiling.weak is None:
                ladder.setdefault(run.strong.name, {})[run.seed] = ceiling
    return ladder


def _same_seeds(ladder: Mapping[str, Mapping[int, ModelKey]], runs: Sequence[RunToScore]) -> dict[str, list[ModelKey]]:
    """Those that have all seeds of a cell."""
    return {
        name: [by_seed[run.seed] for run in runs]
        for name, by_seed in ladder.items()
        if all(run.seed in by_seed for run in runs)
    }


def _supervision(student: Contributions, ladder: Tables, groups: Any) -> dict[str, Any]:
    """Where a student falls among models taught the truth, ordered by what they reach: by rank, never by size."""
    names = sorted(ladder, key=lambda name: float(ladder[name].mean()))
    found = equivalent(student, {float(rank): ladder[name] for rank, name in enumerate(names)}, groups)
    return {
        "ladder": [{"strong": name, "accuracy": written(accuracy(ladder[name], groups))} for name in names],
        **{key: _between(getattr(found, key), names) for key in ("estimate", "low", "high")},
        "status": _beyond(found, "below the ladder", "above the ladder"),
    }


def _between(place: float, names: Sequence[str]) -> list[str | None]:
    """The two rungs about a place; one of them None beyond the ends, both the same on a rung."""
    if place == -math.inf:
        return [None, names[0]]
    if place == math.inf:
        return [names[-1], None]
    near = round(place)
    if abs(place - near) < 1e-9:
        return [names[near], names[near]]
    return [names[math.floor(place)], names[math.ceil(place)]]
