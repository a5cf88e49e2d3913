"""Accuracy: of a ladder of students against the student, else of supervisor, student and ceiling side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.core.text.entry_names import display
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
from outgrow.report.figures.forms import (
    TALL,
    finished,
    line_colour,
    points,
    rows_with_intervals,
    start_chart,
    tooltips,
)
from outgrow.report.scene import Scene, names


def _is_ladder(cells: Sequence[Mapping[str, Any]]) -> bool:
    """Whether some task has several students."""
    students = {(cell["task"], display(cell["strong"])) for cell in cells}
    return len({task for task, _ in students}) < len(students)


def _by_model(scene: Scene) -> Rows:
    if _is_ladder(scene.cells):
        return {}
    rows: dict[Key, list[Row]] = {}
    for cell, label in labelled(scene):
        for role, name in (("weak", "supervisor"), ("student", "student"), ("ceiling", "ceiling")):
            key = f"{role}_accuracy"
            if cell[key]["estimate"] is not None:
                rows.setdefault(panel_key(cell, "task", "test_set", "strong"), []).append(
                    {
                        **run_of(scene, cell),
                        **models(cell),
                        "row": label,
                        "role": name,
                        **measured(scene, cell, key),
                    }
                )
    return rows


def _by_student(scene: Scene) -> Rows:
    if not _is_ladder(scene.cells):
        return {}
    rows: dict[Key, list[Row]] = {}
    ceilings: dict[tuple[Key, str, str], Row] = {}
    row: Row
    for cell in scene.overlaid:
        who, key = names(cell), panel_key(cell, "task", "test_set", "method")
        of_run = f" ({who['run']})" if len(scene.runs) > 1 else ""
        if cell["student_accuracy"]["estimate"] is not None:
            row = {
                "strong": who["strong"],
                "series": f"taught by {who['weak']}{of_run}",
                "weak": cell["weak_accuracy"]["estimate"],
            }
            rows.setdefault(key, []).append({**row, **measured(scene, cell, "student_accuracy")})
        if cell["ceiling_accuracy"]["estimate"] is not None:
            # Given labels that leave rows out have a ceiling of their own; the first supervisor's is drawn.
            row = {"strong": who["strong"], "series": f"taught the truth{of_run}", "weak": None}
            row |= measured(scene, cell, "ceiling_accuracy")
            ceilings.setdefault((key, who["run"], who["strong"]), row)
    for (key, *_), row in ceilings.items():
        rows.setdefault(key, []).append(row)
    return rows


def _against_student(scene: Scene) -> dict[str, Any]:
    """Accuracy against the student, in the ladder's order: a line a supervisor, its own accuracy dashed, truth above."""
    alt, rows = start_chart()
    base = rows.encode(
        x=alt.X("strong:N", sort=None, title="strong student", axis=alt.Axis(labelAngle=-25, labelLimit=140))
    )
    y = alt.Y("estimate:Q", title="accuracy", scale=alt.Scale(zero=False), axis=alt.Axis(format=".2f"))
    more = [name for name in more_columns(scene) if name != "run"]  # its series names the run
    shown = tooltips("strong", "series", "estimate", "low", "high", "weak", *more)
    colour = line_colour("series")
    return finished(
        alt.layer(
            base.mark_line(strokeDash=[4, 4], strokeWidth=1.2, opacity=0.8).encode(y=alt.Y("weak:Q"), stroke=colour),
            base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(
                y=alt.Y("low:Q"), y2="high:Q", stroke=colour, tooltip=shown
            ),
            base.mark_line(strokeWidth=2).encode(y=y, stroke=colour),
            points(base, "series", 70).encode(y=y, tooltip=shown),
        ),
        height=TALL,
    )


ACCURACY = Figure(
    "accuracy",
    "Accuracy of supervisor, student and ceiling",
    "Each with its 95% interval, on the same test examples.",
    ("run", "weak", "method", "row", "role", "estimate", "low", "high", BY_SEED),
    _by_model,
    lambda scene: rows_with_intervals("accuracy", "role", label_lines(scene), more=more_columns(scene)),
    band="row",
)
ACCURACY_BY_STUDENT = Figure(
    "accuracy",
    "Accuracy against student",
    "In the ladder's order: one line per supervisor, its own accuracy dashed in its colour, and the same students taught "
    "the truth. Bars are 95% intervals.",
    ("strong", "series", "weak", "estimate", "low", "high", BY_SEED),
    _by_student,
    _against_student,
)
