"""Two run folders' students compared cell by cell, on the test examples and seeds that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from outgrow.core.examples import Ints
from outgrow.results.cells import NO_TRUTH, NOT_COVERED, ROLES, RunToScore, cells_of
from outgrow.results.compare import AXES, Cell, differences, name_of, names_of, set_of, title_of
from outgrow.results.predictions import HeldOut
from outgrow.results.run_folder import Reading
from outgrow.results.statistics.comparison import Difference, Triple, difference, pgr_difference
from outgrow.results.statistics.intervals import Interval

FEWEST = 2  # test examples in common


@dataclass(frozen=True)
class BetweenRuns:
    """Second less first: a row for each pair of cells that share test examples and seeds, and why others have none."""

    rows: Sequence[Mapping[str, Any]]
    notes: Sequence[str]


def pairing(runs: Sequence[Sequence[RunToScore]]) -> list[str]:
    """The axes by which cells of several runs are paired: those along which some run varies.

    An axis with one value in every run is what the runs may differ in, such as another weak supervisor.
    """
    return [axis for axis in AXES if any(len({name_of([one], axis) for one in asked}) > 1 for asked in runs)]


def between(first: Reading, second: Reading, axes: Sequence[str]) -> BetweenRuns:
    """The differences of the students' accuracies and of PGR, second less first, paired by seed and test example.

    axes: those of `pairing`. p is not corrected.
    """
    partners = {_key(cell, axes): cell for cell in cells_of(first.asked)}
    rows, notes, alone = [], [], 0
    for cell in cells_of(second.asked):
        other = partners.pop(_key(cell, axes), None)
        if other is None:
            alone += 1
            continue
        found = _pair(first, second, other, cell)
        if isinstance(found, str):
            notes.append(f"{title_of(cell)}: {found}")
        else:
            rows.append(found)
    if alone + len(partners):
        notes.append(f"cells that one of the two runs alone has: {alone + len(partners):,}")
    return BetweenRuns(rows, notes)


def _pair(first: Reading, second: Reading, other: Cell, cell: Cell) -> dict[str, Any] | str:
    """One row, or why there is none."""
    seeds = [run.seed for run in cell if run.seed in {one.seed for one in other}]
    if not seeds:
        return "no seed is in both runs"
    tests = [reading.scored.test(*set_of(one)) for reading, one in ((first, other), (second, cell))]
    places = _common(*tests)
    if len(places[0]) < FEWEST:
        return "the runs have no test examples in common"
    before, after = (
        _tables(reading, [run for seed in seeds for run in one if run.seed == seed], rows)
        for reading, one, rows in ((first, other, places[0]), (second, cell, places[1]))
    )
    if before["student"] is None or after["student"] is None:
        return "a student leaves test examples out"
    groups = second.scored.groups(*set_of(cell))
    groups = None if groups is None else groups[places[1]]
    found = difference(before["student"], after["student"], groups)
    pgr = _pgr(before, after, groups)
    return {
        **names_of(cell[0]),
        "seeds": seeds,
        "n_test": len(places[0]),
        "n_tests": [len(test.ids) for test in tests],
        **differences(found, pgr),
    }


def _common(first: HeldOut, second: HeldOut) -> tuple[Ints, Ints]:
    """The places of the examples that both have, with the same true class."""
    _, one, other = np.intersect1d(first.ids, second.ids, return_indices=True)
    truths = [np.array(test.classes)[test.truth[at]] for test, at in ((first, one), (second, other))]
    same = truths[0] == truths[1]
    return one[same], other[same]


def _tables(reading: Reading, cell: Cell, rows: Ints) -> dict[str, Any]:
    """By role the contributions to accuracy `[seeds, rows]`; None where there is no such model, or it leaves rows out."""
    tables = {role: reading.scored.table([run.models[role] for run in cell]) for role in ROLES}
    return {role: None if table is None else table[:, rows] for role, table in tables.items()}


def _pgr(before: Mapping[str, Any], after: Mapping[str, Any], groups: Ints | None) -> Difference:
    for reason, role in ((NOT_COVERED, "weak"), (NO_TRUTH, "ceiling")):
        if before[role] is None or after[role] is None:
            return Difference(Interval(None, None, None, reason), None)
    return pgr_difference(Triple(**before, groups=groups), Triple(**after, groups=groups))


def _key(cell: Cell, axes: Sequence[str]) -> tuple[str, ...]:
    return (cell[0].test_set, *(name_of(cell, axis) for axis in axes))
