"""One run folder's methods, supervisors, students or tasks against one of them: paired differences, and averages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.core.registry import nearest
from outgrow.results.cells import NO_TRUTH, NOT_COVERED, RunToScore, Scored, cells_of, written
from outgrow.results.predictions import OWN
from outgrow.results.run_folder import Reading
from outgrow.results.statistics.comparison import (
    Difference,
    Triple,
    average,
    demanded,
    difference,
    holm,
    mean_difference,
    needed,
    pgr_difference,
    unpaired,
    unpaired_pgr_difference,
)
from outgrow.results.statistics.crossed import crossed
from outgrow.results.statistics.intervals import Interval

AXES = ("method", "weak", "strong", "task")
Cell = list[RunToScore]


@dataclass(frozen=True)
class Comparison:
    """A row a comparison, a row a set of tasks averaged, and sentences for what could not be compared."""

    by: str
    against: str
    rows: Sequence[Mapping[str, Any]]
    across: Sequence[Mapping[str, Any]]
    notes: Sequence[str]

    def content(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "schema": 1,
            "by": self.by,
            "against": self.against,
            "comparisons": list(self.rows),
            "across_tasks": list(self.across),
            "notes": list(self.notes),
        }


def compare(reading: Reading, by: str, against: str) -> Comparison:
    """Every other value of an axis against one of its values, in each cell that has both. Raises UsageError."""
    if by not in AXES:
        raise UsageError(f"compare: --by {by}: there is no such axis{nearest(by, AXES)}")
    cells = cells_of(reading.asked)
    values = list(dict.fromkeys(name_of(cell, by) for cell in cells))
    if against not in values:  # an entry may be called by what stands in the YAML too
        against = reading.results.names.get(against, against)
    if against not in values:
        raise UsageError(f'compare: --against: the run has no {by} "{against}"{nearest(against, values)}')
    if len(values) == 1:
        raise UsageError(f"compare: the run has one {by}, {against}: there is nothing to compare it with")
    notes: list[str] = []
    rows, pairs = [], []
    baselines = {_rest(cell, by): cell for cell in cells if name_of(cell, by) == against}
    for cell in cells:
        if name_of(cell, by) == against:
            continue
        pair = _same_seeds(baselines[_rest(cell, by)], cell, by, notes) if _rest(cell, by) in baselines else None
        if pair is not None:
            pairs.append(pair)
            rows.append(_row(*pair, by, against, reading.scored))
    _correct(rows, "difference")
    _correct(rows, "pgr_difference")
    if by != "task":
        _say_what_is_needed(rows, pairs, reading.scored)
    across = [] if by == "task" else _across(pairs, by, reading.scored)
    _correct(across, "difference")
    _correct(across, "tasks_drawn")
    return Comparison(by, against, rows, across + _averages(cells, reading.scored), notes)


def reference(reading: Reading, by: str) -> str:
    """What the others are compared with where nobody says: naive where there is one, else the first of the axis."""
    if by not in AXES:
        raise UsageError(f"compare: --by {by}: there is no such axis{nearest(by, AXES)}")
    values = list(dict.fromkeys(name_of(cell, by) for cell in cells_of(reading.asked)))
    naive = reading.results.names.get("naive", "naive")
    return naive if naive in values else values[0]


def name_of(cell: Cell, axis: str) -> str:
    """A cell's task, or the name of its supervisor, student or method."""
    return cell[0].task if axis == "task" else str(getattr(cell[0], axis).name)


def _rest(cell: Cell, by: str) -> tuple[str, ...]:
    """The other axes' names and the test set: what two cells that are compared share."""
    return (cell[0].test_set, *(name_of(cell, axis) for axis in AXES if axis != by))


def _same_seeds(first: Cell, second: Cell, by: str, notes: list[str]) -> tuple[Cell, Cell] | None:
    """The runs of seeds that both have."""
    if by == "task":
        return first, second
    common = {run.seed for run in first} & {run.seed for run in second}
    if len(common) < max(len(first), len(second)):
        notes.append(
            f"{title_of(second)}: {len(common)} of {len(first)} and {len(second)} seeds are in both and were compared"
        )
    if not common:
        return None
    kept = ([run for run in cell if run.seed in common] for cell in (first, second))
    before, after = (sorted(runs, key=lambda run: run.seed) for runs in kept)
    return before, after


def set_of(cell: Cell) -> tuple[str, str]:
    """The task and the test set that a cell is scored on."""
    return cell[0].task, cell[0].test_set


def names_of(run: RunToScore) -> dict[str, Any]:
    """The task, the test set and the entries of a row of differences."""
    return {
        "task": run.task,
        "test_set": run.test_set,
        "weak": run.weak.written,
        "strong": run.strong.written,
        "method": run.method.written,
    }


def differences(found: Difference, pgr: Difference) -> dict[str, Any]:
    """The difference of accuracies and that of PGR, as a row has them."""
    return {
        "difference": {**written(found.interval), "p": found.p},
        "pgr_difference": {**written(pgr.interval), "p": pgr.p},
        "covers": found.interval.covers,
    }


def title_of(cell: Cell) -> str:
    """All names of a cell, as notes have them."""
    further = () if cell[0].test_set == OWN else (f"tested on {cell[0].test_set}",)
    return ", ".join((cell[0].task, *further, *(name_of(cell, axis) for axis in ("weak", "strong", "method"))))


def _triple(cell: Cell, scored: Scored) -> Triple | str:
    """The cell's tables, or why its PGR is undefined."""
    weak, student, ceiling = (
        scored.table([run.models[role] for run in cell]) for role in ("weak", "student", "ceiling")
    )
    if weak is None or student is None:
        return NOT_COVERED
    return NO_TRUTH if ceiling is None else Triple(weak, student, ceiling, scored.groups(*set_of(cell)))


def _student(cell: Cell, scored: Scored) -> Any:
    table = scored.table([run.models["student"] for run in cell])
    assert table is not None  # a student answers every row
    return table


def _row(first: Cell, second: Cell, by: str, against: str, scored: Scored) -> dict[str, Any]:
    before, after = _student(first, scored), _student(second, scored)
    groups = scored.groups(*set_of(second))
    if by == "task":
        other = scored.groups(*set_of(first))
        found = unpaired(crossed(before[None], other), crossed(after[None], groups))
    else:
        found = difference(before, after, groups)
    triples = [_triple(cell, scored) for cell in (first, second)]
    reason = next((triple for triple in triples if isinstance(triple, str)), None)
    if reason is not None:
        pgr = Difference(Interval(None, None, None, reason), None)
    else:
        subtract = unpaired_pgr_difference if by == "task" else pgr_difference
        pgr = subtract(*triples)  # type: ignore[arg-type]
    run = second[0]
    return {
        **names_of(run),
        "by": by,
        "against": against,
        "seeds": [run.seed for run in second],
        "n_test": len(scored.test(run.task, run.test_set).ids),
        **differences(found, pgr),
        "noise_floor": _noise_floor(second, scored),
        "needed": None,
    }


def _noise_floor(cell: Cell, scored: Scored) -> float | None:
    """The standard deviation of the ceiling's accuracy over seeds: how far results move when nothing changes."""
    ceiling = scored.table([run.models["ceiling"] for run in cell])
    return None if ceiling is None or len(ceiling) < 2 else float(ceiling.mean(axis=1).std(ddof=1))


def _correct(rows: Sequence[dict[str, Any]], key: str) -> None:
    """Holm's correction over all comparisons of one table."""
    with_p = [row for row in rows if key in row]
    for row, corrected in zip(with_p, holm([row[key]["p"] for row in with_p]), strict=True):
        row[key]["p_holm"] = corrected


def _say_what_is_needed(rows: Sequence[dict[str, Any]], pairs: Sequence[tuple[Cell, Cell]], scored: Scored) -> None:
    """How much data would show each difference at the level that Holm's correction demands of those not shown."""
    p = demanded([row["difference"]["p_holm"] for row in rows])
    for row, (first, second) in zip(rows, pairs, strict=True):
        more = needed(_student(first, scored), _student(second, scored), scored.groups(*set_of(second)), 1 - p)
        row["needed"] = {"seeds": more.seeds, "rows": more.rows, "both": more.both, "p": p}


def _across(pairs: Sequence[tuple[Cell, Cell]], by: str, scored: Scored) -> list[dict[str, Any]]:
    """The mean over tasks of what is compared task by task, where there are two tasks or more."""
    together: dict[tuple[str, ...], list[tuple[Cell, Cell]]] = {}
    for first, second in pairs:
        names = (second[0].test_set, *(name_of(second, axis) for axis in ("weak", "strong", "method")))
        together.setdefault(names, []).append((first, second))
    rows = []
    for members in together.values():
        if len(members) < 2:
            continue
        tables = [
            (_student(first, scored), _student(second, scored), scored.groups(*set_of(second)))
            for first, second in members
        ]
        found = mean_difference(tables)
        rows.append(
            {
                **_names(members[0][1]),
                "tasks": [second[0].task for _, second in members],
                "difference": {**written(found.given.interval), "p": found.given.p},
                "tasks_drawn": {
                    **written(found.drawn.interval),
                    "p": found.drawn.p,
                    "between_tasks": found.drawn.between,
                    "new_task": None if found.drawn.prediction is None else list(found.drawn.prediction),
                },
            }
        )
    return rows


def _averages(cells: Sequence[Cell], scored: Scored) -> list[dict[str, Any]]:
    """Average PGR of every supervisor, student and method that has two tasks or more."""
    together: dict[tuple[str, ...], dict[str, Cell]] = {}
    for cell in cells:
        names = (cell[0].test_set, *(name_of(cell, axis) for axis in ("weak", "strong", "method")))
        together.setdefault(names, {})[cell[0].task] = cell
    rows = []
    for members in together.values():
        if len(members) < 2:
            continue
        found = average({task: _triple(cell, scored) for task, cell in members.items()})
        rows.append(
            {
                **_names(next(iter(members.values()))),
                "tasks": list(members),
                "pgr_ratio_of_sums": written(found.ratio_of_sums),
                "pgr_ratio_of_sums_tasks_drawn": None if found.drawn is None else written(found.drawn),
                "pgr_median": found.median,
                "defined": list(found.defined),
                "undefined": dict(found.undefined),
            }
        )
    return rows


def _names(cell: Cell) -> dict[str, Any]:
    run = cell[0]
    return {
        "test_set": run.test_set,
        "weak": run.weak.written,
        "strong": run.strong.written,
        "method": run.method.written,
    }


def in_seeds_and_rows(row: Mapping[str, Any]) -> str:
    """What a table says of how much data would show a difference: `shown`, `9 seeds or 3,400 rows`, `no number`."""
    p = row["difference"]["p_holm"]
    if p is not None and p < 0.05:
        return "shown"
    more = row["needed"]
    if more is None:
        return ""
    parts = [f"{more['seeds']:,} seeds"] if more["seeds"] else []
    parts += [f"{more['rows']:,} rows"] if more["rows"] else []
    if not parts and more["both"]:
        parts = [f"{more['both'][0]:,} seeds and {more['both'][1]:,} rows"]
    return " or ".join(parts) or "no number of them"
