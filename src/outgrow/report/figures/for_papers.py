"""Figures for a paper, which stand alone and are not on the page: the paper's own, and gains over tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.core.entry_names import display
from outgrow.report.figures.figure import Figure, Key, Row, Rows, ends, models, panel_key
from outgrow.report.figures.forms import finished, line_colour, points, start_chart, tooltips
from outgrow.report.scene import Scene, names
from outgrow.results.predictions import OWN

TRUTH = "the truth"
ABREAST = 3  # panels beside each other
TALL = 170


def _task(cell: Mapping[str, Any]) -> str:
    """The task of a cell, with the set that its models are tested on where that is not the task's own."""
    who = names(cell)
    return who["task"] if cell["test_set"] == OWN else f"{who['task']}, {who['test_set']}"


def _by_task(scene: Scene) -> Rows:
    """Accuracies of all students of a run, by task: taught by a supervisor with a method, and taught the truth."""
    rows: dict[Key, list[Row]] = {}
    seen: set[tuple[Key, str, str, str]] = set()
    weak_too = len({display(cell["weak"]) for cell in scene.cells}) > 1
    for cell in scene.cells:
        who, key, task = names(cell), panel_key(cell, "run"), _task(cell)
        taught = f"{who['method']}, by {who['weak']}" if weak_too else who["method"]
        for series, role in ((taught, "student"), (TRUTH, "ceiling")):
            found = cell[f"{role}_accuracy"]
            place = (key, task, who["strong"], series)
            if found["estimate"] is None or place in seen:
                continue
            seen.add(place)
            weak = None if series == TRUTH else cell["weak_accuracy"]["estimate"]
            row = {"task": task, "strong": who["strong"], "series": series, "weak": weak, **ends(found)}
            rows.setdefault(key, []).append(row)
    # The truth last, as legends list what they meet.
    return {key: sorted(panel, key=lambda row: row["series"] == TRUTH) for key, panel in rows.items()}


def _facets(scene: Scene) -> dict[str, Any]:
    """A panel for each task: accuracy by student, methods beside one another, the supervisor's own accuracy in grey."""
    alt, rows = start_chart()
    x = alt.X("strong:N", sort=None, title="strong student", axis=alt.Axis(labelAngle=-25, labelLimit=140))
    base = rows.encode(x=x, xOffset=alt.XOffset("series:N", sort=None))
    y = alt.Y("estimate:Q", title="accuracy", scale=alt.Scale(zero=False), axis=alt.Axis(format=".2f", tickCount=6))
    shown = tooltips("task", "strong", "series", "estimate", "low", "high", "weak")
    colour = line_colour("series")
    own = rows.mark_tick(thickness=1.4, bandSize=60).encode(x=x, y=alt.Y("weak:Q"), color=alt.value("#7a7a7a"))
    layers = alt.layer(
        own,
        base.mark_rule(strokeWidth=1.6, opacity=0.8).encode(
            y=alt.Y("low:Q"), y2="high:Q", stroke=colour, tooltip=shown
        ),
        points(base, "series", 55).encode(y=y, tooltip=shown),
    )
    return _faceted(layers, "task", list(dict.fromkeys(map(_task, scene.cells))))


def _over_tasks(scene: Scene) -> Rows:
    """Gains of the students of one supervisor and one strong student, a row a task."""
    rows: dict[Key, list[Row]] = {}
    for cell in scene.cells:
        if cell["gain"]["estimate"] is not None:
            row = {**models(cell), "task": _task(cell), **ends(cell["gain"])}
            rows.setdefault(panel_key(cell, "run", "weak", "strong"), []).append(row)
    return {key: panel for key, panel in rows.items() if len({row["task"] for row in panel}) > 1}


def _dodged(scene: Scene) -> dict[str, Any]:
    """Gain by task, the methods of a task below one another, so that no interval hides another."""
    alt, rows = start_chart()
    many = len({display(cell["method"]) for cell in scene.cells})
    base = rows.encode(
        y=alt.Y("task:N", sort=None, title=None, axis=alt.Axis(labelLimit=170, grid=False)),
        yOffset=alt.YOffset("method:N", sort=None),
    )
    x = alt.X("estimate:Q", title="gain: student − supervisor, in accuracy", axis=alt.Axis(format=".2f", tickCount=7))
    shown = tooltips("task", "method", "estimate", "low", "high")
    none = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(strokeDash=[3, 3], color="#8a8a8a").encode(x="at:Q")
    layers = alt.layer(
        none,
        base.mark_rule(strokeWidth=2, opacity=0.8).encode(
            x=alt.X("low:Q"), x2="high:Q", stroke=line_colour("method"), tooltip=shown
        ),
        points(base, "method", 50).encode(x=x, tooltip=shown),
    )
    return finished(layers, height=max(30, 12 * many + 10))


def _faceted(layers: Any, by: str, order: Sequence[str]) -> dict[str, Any]:
    """A specification with a panel for each value of a column, `ABREAST` of them in a row; widths are set when it is drawn."""
    spec = finished(layers, TALL)
    inner = {key: spec.pop(key) for key in ("layer", "height")}
    data = spec.pop("data", {"name": "rows"})
    for key in ("width", "autosize"):
        spec.pop(key, None)
    header = {"title": None, "labelFontSize": 12, "labelFontWeight": "bold"}
    facet = {"field": by, "type": "nominal", "sort": list(order), "header": header}
    return {**spec, "data": data, "facet": facet, "columns": min(ABREAST, max(1, len(order))), "spec": inner}


PAPER = Figure(
    "paper",
    "Students of weak labels and of the truth",
    "After Burns et al. 2023 (arXiv 2312.09390, figures 2 and 3): for each task the accuracy of strong students taught "
    "weak labels by each method, and of the same students taught the truth, with 95% intervals over seeds and test "
    "examples; the grey line is the weak supervisor's own accuracy.",
    ("task", "strong", "series", "weak", "estimate", "low", "high"),
    _by_task,
    _facets,
)
TASKS = Figure(
    "tasks",
    "Gain over the supervisor, by task",
    "Student minus supervisor in accuracy, with 95% intervals over seeds and test examples; each interval is its cell's own.",
    ("weak", "strong", "method", "task", "estimate", "low", "high"),
    _over_tasks,
    _dodged,
    band="task",
)
FOR_PAPERS = (PAPER, TASKS)
