"""PGR of every supervisor with every student, as a heat map."""

from __future__ import annotations

from typing import Any

from outgrow.report.figures.figure import (
    BY_SEED,
    Figure,
    Key,
    Row,
    Rows,
    measured,
    models,
    more_columns,
    panel_key,
)
from outgrow.report.figures.forms import finished, start_chart, tooltips
from outgrow.report.scene import Scene


def _rows(scene: Scene) -> Rows:
    rows: dict[Key, list[Row]] = {}
    for cell in scene.cells:
        row = {**models(cell), "status": cell["pgr"]["status"], **measured(scene, cell, "pgr")}
        rows.setdefault(panel_key(cell, "run", "task", "test_set", "method"), []).append(row)
    return {
        key: panel
        for key, panel in rows.items()
        if len({row["weak"] for row in panel}) > 1 and len({row["strong"] for row in panel}) > 1
    }


def _chart(scene: Scene) -> dict[str, Any]:
    """PGR, weak x strong. An undefined cell is grey and says why."""
    alt, rows = start_chart()
    base = rows.encode(
        x=alt.X("strong:N", sort=None, title="strong student", axis=alt.Axis(labelAngle=-25, labelLimit=140)),
        y=alt.Y("weak:N", sort=None, title=None, axis=alt.Axis(labelLimit=170)),
        tooltip=tooltips("weak", "strong", "estimate", "low", "high", "status", *more_columns(scene)),
    )
    known = "isValid(datum.estimate)"
    scale = alt.Scale(scheme="cividis", domain=[0, 1], clamp=True)
    colour = alt.Color("estimate:Q", title="PGR", scale=scale, legend=alt.Legend(orient="bottom", format=".1f"))
    text = alt.condition("datum.estimate > 0.55", alt.value("#14161a"), alt.value("#ffffff"))
    return finished(
        alt.layer(
            base.transform_filter(f"!{known}").mark_rect(color="#9a9a9a", opacity=0.35),
            base.transform_filter(known).mark_rect(stroke="#ffffff", strokeWidth=1).encode(color=colour),
            base.transform_filter(known)
            .mark_text(fontSize=12)
            .encode(text=alt.Text("estimate:Q", format=".2f"), color=text),
            base.transform_filter(f"!{known}").mark_text(fontSize=12).encode(text=alt.value("–")),
        ),
        height=34,
    )


PGR_WEAK_STRONG = Figure(
    "pgr_weak_strong",
    "Performance gap recovered, weak × strong",
    "Grey: undefined, the ceiling is not above the supervisor beyond chance, or is not known.",
    ("weak", "strong", "estimate", "low", "high", "status", BY_SEED),
    _rows,
    _chart,
    band="weak",
)
