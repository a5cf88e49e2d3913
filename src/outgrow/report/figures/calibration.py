"""How often models are right against how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from outgrow.core.examples import Floats, Ints
from outgrow.report.figures.figure import Figure, Key, Row, Rows
from outgrow.report.figures.forms import TALL, finished, line_colour, number_axis, points, start_chart, tooltips
from outgrow.report.scene import Scene
from outgrow.results.cells import Scored
from outgrow.results.predictions import ModelKey

BINS = 10  # equal mass, so that each point rests on as many predictions


def _rows(scene: Scene) -> Rows:
    rows: dict[Key, list[Row]] = {}
    for run in scene.runs:
        of_run = f" ({run.name})" if len(scene.runs) > 1 else ""
        groups: dict[Key, dict[str, dict[ModelKey, None]]] = {}
        for one in run.asked:
            panel = groups.setdefault((one.task, one.test_set, one.weak.name, one.strong.name), {})
            series = {"weak": "supervisor", "student": f"student, {one.method.name}", "ceiling": "ceiling"}
            for role, name in series.items():
                if (model := one.models[role]) is not None:
                    panel.setdefault(name, {})[model] = None
        known: dict[Key, list[Row]] = {}
        for key, panel in groups.items():
            for name in sorted(panel, key=lambda name: (name != "supervisor", name == "ceiling")):
                models = tuple(panel[name])
                curve = known.setdefault(models, _curve(models, run.scored))  # type: ignore[arg-type]
                rows.setdefault(key, []).extend({"series": name + of_run, **point} for point in curve)
    return rows


def _curve(models: Sequence[ModelKey], scored: Scored) -> list[Row]:
    hardened = [(model, hard) for model in models if (hard := scored.hard(model)) is not None]
    if not hardened:
        return []
    sure = np.concatenate([_confidence(scored.tables.probabilities[model], hard) for model, hard in hardened])
    right = np.concatenate([hard == scored.test(model.task, model.test_set).truth for model, hard in hardened])
    if (sure == sure[0]).all():
        return []  # labels without probabilities: how sure they are is not known
    order = np.argsort(sure, kind="stable")
    return [
        {
            "confidence": round(float(sure[part].mean()), 6),
            "right": round(float(right[part].mean()), 6),
            "predictions": len(part),
        }
        for part in np.array_split(order, BINS)
        if len(part)
    ]


def _confidence(probabilities: Floats, hard: Ints) -> Floats:
    return np.asarray(probabilities[np.arange(len(hard)), hard], dtype=np.float64)


def _chart(scene: Scene) -> dict[str, Any]:
    """How often each model is right against how sure it is; on the diagonal it is calibrated."""
    del scene
    alt, rows = start_chart()
    scale = alt.Scale(zero=False, nice=True)
    base = rows.encode(
        x=alt.X("confidence:Q", scale=scale, axis=number_axis(".2f"), title="mean probability of the predicted class"),
        y=alt.Y("right:Q", scale=scale, axis=alt.Axis(format=".2f"), title="share that is right"),
    )
    diagonal = rows.mark_line(strokeDash=[3, 3], color="#8a8a8a", strokeWidth=1).encode(
        x=alt.X("confidence:Q"), y=alt.Y("confidence:Q")
    )
    return finished(
        alt.layer(
            diagonal,
            base.mark_line(strokeWidth=1.6).encode(stroke=line_colour("series")),
            points(base, "series", 50).encode(tooltip=tooltips("series", "confidence", "right", "predictions")),
        ),
        height=TALL,
    )


CALIBRATION = Figure(
    "calibration",
    "Calibration",
    f"How often a model is right against how sure it is, all seeds together, in {BINS} bins of as many predictions "
    "each. Below the diagonal it is too sure.",
    ("series", "confidence", "right", "predictions"),
    _rows,
    _chart,
)
