"""What needs no supervisor: the commonest class, models that learn nothing here, and labels elicited from the student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from outgrow.results.cells import NO_LESSON, RunToScore, Scored, cells_of, gain, written
from outgrow.results.metrics.scores import Contributions
from outgrow.results.statistics.intervals import Interval

BEYOND = "beyond_no_supervisor"  # of a cell: its student less the best of these, where any ran
ELICITED = "no_supervisor"  # of a run's facts: its method takes nothing from weak labels but which class is which
UNTRAINED = "untrained"  # of a run's facts: its student's features are those of random weights
NEEDS_NONE = "undefined: it needs no supervisor itself"

Cell = Sequence[RunToScore]


def supervised(runs: Cell) -> bool:
    """Whether a cell's student learns from its supervisor."""
    return runs[0].facts.get("no_ceiling") != NO_LESSON and not runs[0].facts.get(ELICITED, False)


def without_supervisor(runs: Cell, cells: Sequence[Cell], scored: Scored) -> dict[str, Contributions]:
    """Scores `[seeds, rows]` by what it is, of all that stands beside a cell and has its seeds; the commonest class first."""
    first, test = runs[0], scored.test(runs[0].task, runs[0].test_set)
    commonest = int(np.bincount(test.truth, minlength=len(test.classes)).argmax())
    shape = (len(runs), len(test.ids))
    found = {f'always saying "{test.classes[commonest]}"': np.broadcast_to(test.truth == commonest, shape) * 1.0}
    for others in cells:
        other = others[0]
        if (
            (other.task, other.test_set) != (first.task, first.test_set)
            or supervised(others)
            or [run.seed for run in others] != [run.seed for run in runs]
        ):
            continue
        elicited = other.facts.get(ELICITED, False)
        if elicited and (other.strong.name, other.weak.name) != (first.strong.name, first.weak.name):
            continue
        table = scored.table([run.models["student"] for run in others])
        if table is not None:
            name = (
                f"{other.method.name}, without a supervisor,"
                if elicited
                else f"{other.strong.name}, which learns nothing here,"
            )
            found[name] = table
    return found


def add_beyond(rows: Sequence[dict[str, Any]], asked: Sequence[RunToScore], scored: Scored) -> None:
    """Give each cell its student's gain over the best of what needs no supervisor, where more than the commonest class ran."""
    cells = cells_of(asked)
    for runs, row in zip(cells, rows, strict=True):
        student = scored.table([run.models["student"] for run in runs])
        found = without_supervisor(runs, cells, scored)
        if len(found) == 1 or student is None:
            continue
        if not supervised(runs):
            row[BEYOND] = {**written(Interval(None, None, None, NEEDS_NONE)), "p": None, "without": None}
        else:
            best = best_of(found)
            row[BEYOND] = {
                **gain(found[best], student, scored.groups(runs[0].task, runs[0].test_set)),
                "without": best.rstrip(","),
            }


def best_of(tables: Mapping[str, Contributions]) -> str:
    """The name of the table with the highest mean."""
    return max(tables, key=lambda name: float(tables[name].mean()))
