"""How PGR moves with the strength of regularisation, as a table and in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.core.text.entry_names import display
from outgrow.report.tables.cell_tables import View, short
from outgrow.results.metrics.scores import ACCURACY
from outgrow.results.statistics.recovery import gain_key, pgr_key

Cell = Mapping[str, Any]

SENSITIVITY = View(
    {
        **{f"{role}_accuracy": role for role in ("weak", "student", "ceiling")},
        gain_key(ACCURACY): "gain",
        pgr_key(ACCURACY): "PGR",
    },
    caption="Student and ceiling at each l2, taught by the same supervisor; ",
    in_order=True,
)


def at_each_strength(cells: Sequence[Cell]) -> list[Cell]:
    """A cell for each l2 that was tried, its student named with it; raises UsageError where none was."""
    tried: list[Cell] = [
        {**{name: cell[name] for name in ("task", "test_set", "weak", "method", "seeds", "n_test")}, **point}
        for cell in cells
        for point in cell.get("sensitivity", ())
    ]
    if not tried:
        raise UsageError("this run tried no other l2: `sensitivity: l2` in the experiment asks for it")
    return tried


def sensitivities(cells: Sequence[Cell]) -> list[str]:
    """A sentence for each cell that was tried at several l2."""
    return [
        f"{display(cell['strong'])}, taught by {display(cell['weak'])} with {display(cell['method'])} on {cell['task']}: "
        f"{_moves(cell['sensitivity'])}."
        for cell in cells
        if cell.get("sensitivity")
    ]


def most_moved(cells: Sequence[Cell]) -> list[str]:
    """One sentence of the cell whose PGR moves most over l2; none where none was tried."""
    tried = [cell for cell in cells if len(_defined(cell.get("sensitivity", ()))) > 1]
    if not tried:
        return []
    cell = max(tried, key=lambda cell: _span(_defined(cell["sensitivity"])))
    (sentence,) = sensitivities([cell])
    return [f"How far l2 decides{', where it does most' if len(tried) > 1 else ''}: {sentence}"]


def _moves(points: Sequence[Cell]) -> str:
    l2s = f"over l2 {points[0]['l2']:g} to {points[-1]['l2']:g}"
    defined = _defined(points)
    parts = []
    if defined:
        least, most = (choose(defined, key=lambda point: point["pgr"]["estimate"]) for choose in (min, max))
        ends = " to ".join(f"{short(point['pgr']['estimate'])} (l2 {point['l2']:g})" for point in (least, most))
        parts.append(f"PGR goes from {ends}" if least is not most else f"PGR is {short(least['pgr']['estimate'])}")
    if len(defined) < len(points):
        parts.append(f"PGR is undefined at {len(points) - len(defined)} of {len(points)} values")
    for role in ("student", "ceiling"):
        reached = [point[f"{role}_accuracy"]["estimate"] for point in points]
        if all(one is not None for one in reached):
            parts.append(f"the {role} from {short(min(reached))} to {short(max(reached))}")
    return f"{l2s}, {'; '.join(parts)}"


def _defined(points: Sequence[Cell]) -> list[Cell]:
    return [point for point in points if point["pgr"]["estimate"] is not None]


def _span(points: Sequence[Cell]) -> float:
    shares = [point["pgr"]["estimate"] for point in points]
    return float(max(shares) - min(shares))
