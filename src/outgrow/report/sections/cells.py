"""The table of cells with their intervals, and each in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.report.markup import brief
from outgrow.report.scene import Scene, names
from outgrow.report.section import Data, Section
from outgrow.report.tables.cell_tables import number, over
from outgrow.report.words.method_sentences import besides_training
from outgrow.report.words.sentences import equivalents
from outgrow.results.diagnostics.no_supervisor import BEYOND

NUMBERS = (
    ("weak_accuracy", "weak"),
    ("student_accuracy", "student"),
    ("ceiling_accuracy", "ceiling"),
    ("gain", "gain"),
    ("pgr", "PGR"),
)
NONE = {"estimate": None, "low": None, "high": None, "status": "no method without a supervisor ran"}
TITLES = {
    "run": "run",
    "task": "task",
    "test_set": "test set",
    "weak": "weak supervisor",
    "strong": "strong student",
    "method": "method",
}
MOST_CHOICES = 60  # of a filter: more are found by text
WIDEST = (-1.0, 2.0)  # of the PGR scale: an interval beyond would press all others together


def _data(scene: Scene) -> Data:
    cells, pending = scene.cells, scene.pending
    columns, shared = _columns([*(names(cell) for cell in cells), *(one.names for one in pending)])
    beyond = [(BEYOND, "beyond none")] if any(BEYOND in cell for cell in cells) else []
    numbers = [*NUMBERS[:-1], *beyond, NUMBERS[-1]]
    accuracies = _scale([cell[key] for cell in cells for key, _ in NUMBERS[:3]], (0.0, 1.0), ())
    shares = _scale([cell["pgr"] for cell in cells], WIDEST, (0.0, 1.0))
    return Data(
        {
            "columns": columns,
            "shared": shared,
            "numbers": numbers,
            "cells": [_row(cell, numbers) for cell in cells],
            "pending": pending,
            "over": f"{over(cells)}." if cells else "",
            "scale": [f"{end:.2f}" for end in accuracies],
            "scales": [accuracies, shares],
            "worth": [sentence for run in scene.runs for sentence in equivalents(run.results.cells)],
            "besides_training": [sentence for run in scene.runs for sentence in besides_training(run.results.runs)],
        }
    )


def _row(cell: Mapping[str, Any], columns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    numbers = [(title.lower().partition(" ")[0], _number(cell.get(key, NONE))) for key, title in columns]
    return {"names": names(cell), "numbers": numbers}


def _number(interval: Mapping[str, Any]) -> dict[str, Any]:
    text = number(interval)
    estimate, _, ends = text.partition(" [")
    return {
        **{end: brief(interval[end]) for end in ("estimate", "low", "high")},
        "text": text,
        "estimate_text": estimate,
        "ends": f"[{ends}" if ends else "",
    }


def _scale(
    intervals: Sequence[Mapping[str, Any]], limits: tuple[float, float], holds: Sequence[float]
) -> tuple[float, float]:
    """The common scale of a column's bars: all that there is, within `limits`."""
    ends = [found[end] for found in intervals for end in ("estimate", "low", "high") if found[end] is not None]
    low, high = min([*ends, *holds], default=limits[0]), max([*ends, *holds], default=limits[1])
    low, high = max(low, limits[0]), min(high, limits[1])
    return (low, high) if high > low else limits


def telling(cells: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """The names that tell cells apart: their titles, and each cell's own."""
    found = [names(cell) for cell in cells]
    vary = [name for name in TITLES if len({one[name] for one in found}) > 1]
    return [TITLES[name] for name in vary], [[one[name] for name in vary] for one in found]


def _columns(rows: Sequence[Mapping[str, str]]) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The names that tell cells apart, each a column, with what a filter offers; and those that all cells share."""
    columns, shared = [], []
    for name, title in TITLES.items():
        values = list(dict.fromkeys(row[name] for row in rows))
        if len(values) > 1:
            columns.append({"name": name, "title": title, "choices": values if len(values) <= MOST_CHOICES else []})
        elif values and values[0] and name not in ("run", "test_set"):
            shared.append((title, values[0]))
    return columns, shared


CELLS = Section("cells", "Cells", _data, script="cells.js")
