"""What finetuned models reach as training goes on."""

from __future__ import annotations

from typing import Any

from outgrow.report.figures.figure import Figure, Key, Rows
from outgrow.report.figures.forms import TALL, finished, line_colour, number_axis, points, start_chart, tooltips
from outgrow.report.scene import Scene


def _rows(scene: Scene) -> Rows:
    together: dict[Key, dict[tuple[str, float], list[float]]] = {}
    for run in scene.runs:
        of_run = f" ({run.name})" if len(scene.runs) > 1 else ""
        for model_key, curve in run.scored.tables.curves.items():
            role = "supervisor" if model_key.role == "weak" else model_key.role
            series = ", ".join([role, *(name for name in (model_key.weak, model_key.method) if name)]) + of_run
            for measure, words in (
                ("test_accuracy", "test accuracy"),
                ("weak_agreement", "agreement with weak labels"),
            ):
                panel = together.setdefault((model_key.task, model_key.strong or "supervisors", words), {})
                for point in curve:
                    progress, value = point["progress"], point.get(measure)
                    if progress is not None and value is not None:
                        panel.setdefault((series, progress), []).append(value)
    return {
        key: [
            {
                "series": series,
                "progress": progress,
                "value": sum(values) / len(values),
                "least": min(values),
                "most": max(values),
                "seeds": len(values),
            }
            for (series, progress), values in panel.items()
        ]
        for key, panel in together.items()
    }


def _chart(scene: Scene) -> dict[str, Any]:
    """A finetuned model's curve: what it reaches as training goes on, the seeds' mean with their range."""
    del scene
    alt, rows = start_chart()
    base = rows.encode(x=alt.X("progress:Q", title="share of training", axis=number_axis("%")))
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(format=".2f"))
    shown = tooltips("series", "progress", "value", "least", "most", "seeds")
    return finished(
        alt.layer(
            base.mark_rule(strokeWidth=1.5, opacity=0.35).encode(
                y=alt.Y("least:Q"), y2="most:Q", stroke=line_colour("series")
            ),
            base.mark_line(strokeWidth=2).encode(y=y, stroke=line_colour("series")),
            points(base, "series", 40).encode(y=y, tooltip=shown),
        ),
        height=TALL,
    )


LEARNING_CURVES = Figure(
    "learning_curves",
    "Learning curves",
    "What the finetuned models reach as training goes on, on some of the test examples: the mean over seeds, and "
    "the range of the seeds.",
    ("series", "progress", "value", "least", "most", "seeds"),
    _rows,
    _chart,
    one_scale=False,  # accuracy and agreement
)
