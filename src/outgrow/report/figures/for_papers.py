"""Figures for a paper, which stand alone and are not on the page: the paper's own, and gains over tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.core.text.entry_names import display
from outgrow.report.figures.figure import Figure, Key, Row, Rows, ends, models, panel_key
from outgrow.report.figures.forms import finished, line_colour, points, start_chart, tooltips
from outgrow.report.scene import Scene, names
from outgrow.results.cells import PARAMETERS
from outgrow.results.predictions import OWN

TRUTH = "the truth"
ABREAST = 3  # panels beside each other, at most
TALL = 170
APART = 0.022  # of a panel's width, between methods at one size, so that their intervals do not hide one another


def _task(cell: Mapping[str, Any]) -> str:
    """The task of a cell, with the set that its models are tested on where that is not the task's own."""
    who = names(cell)
    return who["task"] if cell["test_set"] == OWN else f"{who['task']}, {who['test_set']}"


def _panel(scene: Scene, cell: Mapping[str, Any]) -> str:
    """The panel of a cell: its task, and its supervisor where there are several."""
    several = len({display(one["weak"]) for one in scene.cells}) > 1
    return f"{_task(cell)}, by {names(cell)['weak']}" if several else _task(cell)


def _by_task(scene: Scene) -> Rows:
    """Accuracies of all students of a run, by task and supervisor: taught with a method, and taught the truth."""
    rows: dict[Key, list[dict[str, Any]]] = {}
    seen: set[tuple[Key, str, str, str]] = set()
    sizes = _sizes(scene)
    for cell in scene.cells:
        who, key, task = names(cell), panel_key(cell, "run"), _panel(scene, cell)
        for series, role in ((who["method"], "student"), (TRUTH, "ceiling")):
            found = cell[f"{role}_accuracy"]
            place = (key, task, who["strong"], series)
            if found["estimate"] is None or place in seen:
                continue
            seen.add(place)
            weak = None if series == TRUTH else cell["weak_accuracy"]["estimate"]
            row = {"task": task, "strong": who["strong"], "series": series, "weak": weak, **ends(found)}
            rows.setdefault(key, []).append(row | ({"parameters": sizes[who["strong"]]} if sizes else {}))
    # The truth last, as legends list what they meet.
    panels = {key: sorted(panel, key=lambda row: row["series"] == TRUTH) for key, panel in rows.items()}
    return {key: _beside(panel, sizes) if sizes else panel for key, panel in panels.items()}


def _sizes(scene: Scene) -> dict[str, int]:
    """Each student's number of parameters; nothing where one's is not known or two have the same, or one stands alone."""
    sizes: dict[str, int] = {}
    for cell in scene.cells:
        found = {run.get(PARAMETERS["strong"]) for run in cell["of_seeds"]}
        count = found.pop() if len(found) == 1 else None
        if not isinstance(count, int) or sizes.setdefault(names(cell)["strong"], count) != count:
            return {}
    return sizes if 1 < len(sizes) == len(set(sizes.values())) else {}


def _beside(panel: Sequence[Mapping[str, Any]], sizes: Mapping[str, int]) -> list[Row]:
    """Rows with their place `at` on the logarithmic axis: methods of one student side by side, the truth at its size."""
    series = [name for name in dict.fromkeys(row["series"] for row in panel) if name != TRUTH]
    span = math.log(max(sizes.values()) / min(sizes.values()))
    shift = {name: (place - (len(series) - 1) / 2) * APART for place, name in enumerate(series)} | {TRUTH: 0.0}
    return [{**row, "at": row["parameters"] * math.exp(span * shift[row["series"]])} for row in panel]


def _facets(scene: Scene) -> dict[str, Any]:
    """A panel for each task and supervisor: accuracy by student, methods beside one another, the supervisor's own in grey.

    Students are placed by their number of parameters where it is known, and each method's are joined by a line.
    """
    alt, rows = start_chart()
    sizes = _sizes(scene)
    shown = tooltips("task", "strong", *(["parameters"] if sizes else []), "series", "estimate", "low", "high", "weak")
    y = alt.Y("estimate:Q", title="accuracy", scale=alt.Scale(zero=False), axis=alt.Axis(format=".2f", tickCount=6))
    colour = line_colour("series")
    if sizes:
        counts = alt.Axis(
            values=sorted(sizes.values()),
            labelExpr="replace(format(datum.value, '.2~s'), 'G', 'B')",
            labelOverlap="greedy",
            labelSeparation=4,
            grid=False,
        )
        x = alt.X("at:Q", scale=alt.Scale(type="log", nice=False, padding=14), title="parameters", axis=counts)
        base = rows.encode(x=x)
        own = rows.mark_rule(strokeWidth=1.4).encode(y=alt.Y("weak:Q"), color=alt.value("#7a7a7a"))
        lines = [base.mark_line(strokeWidth=1.4, fillOpacity=0).encode(y=y, stroke=colour, detail="series:N")]
    else:
        x = alt.X("strong:N", sort=None, title="strong student", axis=alt.Axis(labelAngle=-25, labelLimit=140))
        base = rows.encode(x=x, xOffset=alt.XOffset("series:N", sort=None))
        own = rows.mark_tick(thickness=1.4, bandSize=60).encode(x=x, y=alt.Y("weak:Q"), color=alt.value("#7a7a7a"))
        lines = []
    spans = base.mark_rule(strokeWidth=1.6, opacity=0.8)
    layers = alt.layer(
        own,
        *lines,
        spans.encode(y=alt.Y("low:Q"), y2="high:Q", stroke=colour, tooltip=shown),
        points(base, "series", 55).encode(y=y, tooltip=shown),
    )
    return _faceted(layers, "task", list(dict.fromkeys(_panel(scene, cell) for cell in scene.cells)))


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
    """A specification with a panel for each value of a column, in rows of equal length; widths are set when it is drawn."""
    spec = finished(layers, TALL)
    rows = math.ceil(len(order) / ABREAST)
    inner = {key: spec.pop(key) for key in ("layer", "height")}
    data = spec.pop("data", {"name": "rows"})
    for key in ("width", "autosize"):
        spec.pop(key, None)
    header = {"title": None, "labelFontSize": 12, "labelFontWeight": "bold"}
    facet = {"field": by, "type": "nominal", "sort": list(order), "header": header}
    return {**spec, "data": data, "facet": facet, "columns": math.ceil(len(order) / rows), "spec": inner}


PAPER = Figure(
    "paper",
    "Students of weak labels and of the truth",
    "After Burns et al. 2023 (arXiv 2312.09390, figures 2 and 3): for each task and supervisor the accuracy of strong "
    "students taught weak labels by each method, and of the same students taught the truth, with 95% intervals over "
    "seeds and test examples; the grey line is the weak supervisor's own accuracy. Students are placed by their number of "
    "parameters, on a logarithmic axis, where it is known.",
    ("task", "strong", "parameters", "at", "series", "weak", "estimate", "low", "high"),
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
