"""PGR of every cell with its interval."""

from __future__ import annotations

from typing import Any

from outgrow.report.figures.figure import (
    BY_SEED,
    Figure,
    Key,
    Row,
    Rows,
    label_lines,
    labelled,
    measured,
    models,
    more_columns,
    panel_key,
    run_of,
)
from outgrow.report.figures.forms import rows_with_intervals
from outgrow.report.scene import Scene


def _rows(scene: Scene) -> Rows:
    rows: dict[Key, list[Row]] = {}
    for cell, label in labelled(scene):
        if cell["pgr"]["estimate"] is not None:
            row = {**run_of(scene, cell), **models(cell), "row": label, **measured(scene, cell, "pgr")}
            rows.setdefault(panel_key(cell, "task", "test_set", "strong"), []).append(row)
    return rows


def _chart(scene: Scene) -> dict[str, Any]:
    lines, more = label_lines(scene), more_columns(scene)
    series = "run" if len(scene.runs) > 1 else "method"
    return rows_with_intervals("performance gap recovered", series, lines, rule=[0, 1], more=more)


PGR = Figure(
    "pgr",
    "Performance gap recovered, by method",
    "0 is the supervisor, 1 the ceiling; 95% intervals. Where it is undefined, the table says why.",
    ("run", "weak", "method", "row", "estimate", "low", "high", BY_SEED),
    _rows,
    _chart,
    band="row",
    limits=(-1.0, 2.0),
)
