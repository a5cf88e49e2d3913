"""Cells that list classes with their probabilities, as a language model's `{class: log p}`; and a label with its confidence.

What a row does not list: no class gets more than the least likely one that is listed (of answers, those listed are the
likeliest); what is left over says nothing, and all classes share it. So a row to which a model gave nearly nothing is nearly
uniform, and a class that it never named is never its answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from outgrow.core.examples import Floats, class_name
from outgrow.core.files.json_file import NotJsonError, parse_json
from outgrow.core.files.tables import Table

Listed = Sequence[Mapping[str, float] | None]  # [rows] class -> probability; None: nothing is listed
ROUNDED = 0.01  # how far above one the probabilities of a row may sum to: logs are written with two digits or three


def is_listed(table: Table, column: str) -> bool:
    """Whether a column holds mappings, or JSON objects as text, where it holds anything."""
    return any(isinstance(cell, dict) or _is_object(cell) for cell in table.columns.get(column, ()))


def listed(table: Table, column: str, problems: list[str]) -> Listed | None:
    """A column of mappings from classes to probabilities or their logs; None where something is wrong.

    They are logs where one of the column is below 0. A blank or empty cell, and one that gives no class any probability,
    is an abstention.
    """
    cells: list[dict[str, float] | None] = []
    wrong: dict[str, list[int]] = {}
    for row, cell in enumerate(table.columns[column]):
        try:
            cells.append(_mapping(cell))
        except (TypeError, ValueError) as error:
            wrong.setdefault(str(error), []).append(row)
            cells.append(None)
    found = _probabilities(cells, wrong, "holds numbers that are neither probabilities nor logs of them")
    return found if _without_faults(table, column, wrong, problems) else None


def confident(table: Table, label: str, confidence: str, problems: list[str]) -> Listed | None:
    """A column of labels, each with its probability, or the log of it, in another column; None where something is wrong."""
    cells: list[dict[str, float] | None] = []
    wrong: dict[str, list[int]] = {}
    for row, (cell, sure) in enumerate(zip(table.columns[label], table.columns[confidence], strict=True)):
        try:
            name, number = class_name(cell), _number(sure)
            if name is not None and number is None:
                raise ValueError("is blank beside a label")
            cells.append(None if name is None or number is None else {name: number})
        except (TypeError, ValueError) as error:
            wrong.setdefault(str(error), []).append(row)
            cells.append(None)
    found = _probabilities(cells, wrong, "holds numbers outside [0, 1] that are no logs either")
    return found if _without_faults(table, confidence, wrong, problems) else None


def completed(rows: Listed, classes: Sequence[str]) -> Floats:
    """Probabilities `[rows, classes]` that sum to one, NaN where nothing is listed; see the top for what is not listed."""
    number = {name: place for place, name in enumerate(classes)}
    found = np.full((len(rows), len(classes)), np.nan)
    for values, row in zip(found, rows, strict=True):
        if row is None:
            continue
        values[:] = 0
        named = [number[name] for name in row]
        values[named] = list(row.values())
        rest = max(1 - values.sum(), 0.0)
        others = np.setdiff1d(np.arange(len(classes)), named)
        if len(others):
            values[others] = min(rest / len(others), min(row.values()))
            rest -= values[others].sum()
        values += max(rest, 0.0) / len(classes)
        values /= values.sum()
    return found


def _is_object(cell: Any) -> bool:
    return isinstance(cell, str) and cell.lstrip().startswith("{")


def _mapping(cell: Any) -> dict[str, float] | None:
    """A cell's classes in their one spelling, with the numbers they have. Raises ValueError: what is wrong."""
    if cell is None or (isinstance(cell, str) and not cell.strip()) or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if _is_object(cell):
        try:
            cell = parse_json(cell, nan=True)
        except NotJsonError as error:
            raise ValueError(f"holds what is not JSON ({error})") from None
    if not isinstance(cell, dict):
        raise ValueError("holds something other than a mapping of classes to numbers")
    found: dict[str, list[float]] = {}
    for name, value in cell.items():
        number, spelled = _number(value), class_name(name)
        if spelled is None:
            raise ValueError("names a class by nothing")
        if number is not None:
            found.setdefault(spelled, []).append(number)
    if any(len(several) > 1 for several in found.values()):
        raise ValueError("lists a class twice, in two spellings")
    return {name: several[0] for name, several in found.items()} or None


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        raise ValueError("holds true or false, which are no probabilities")
    try:
        number = None if class_name(value) is None else float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("holds something other than numbers") from None
    if number is not None and (math.isnan(number) or number == math.inf):
        raise ValueError("holds a number that is not finite")
    return number


def _probabilities(
    cells: Sequence[Mapping[str, float] | None], wrong: dict[str, list[int]], outside: str
) -> list[dict[str, float] | None]:
    """The cells' numbers as probabilities; what is wrong is added to `wrong`, by what it is."""
    logs = any(value < 0 for cell in cells if cell is not None for value in cell.values())
    most = 0.0 if logs else 1.0
    as_probability: Callable[[float], float] = math.exp if logs else float
    found: list[dict[str, float] | None] = []
    for row, cell in enumerate(cells):
        if cell is None:
            found.append(None)
            continue
        if any(value > most for value in cell.values()):
            # Of a file of logs, one positive number; of a file without a negative one, such as a per cent.
            wrong.setdefault(f"{outside}: {max(cell.values()):.4g}" if not logs else _MIXED, []).append(row)
        elif sum(map(as_probability, cell.values())) > 1 + ROUNDED:
            wrong.setdefault("lists probabilities that sum to more than one", []).append(row)
        probabilities = {name: min(as_probability(min(value, most)), 1.0) for name, value in cell.items()}
        found.append(probabilities if sum(probabilities.values()) > 0 else None)
    return found


_MIXED = "holds numbers above 0, where others of the column are logs, which are not"


def _without_faults(table: Table, column: str, wrong: Mapping[str, Sequence[int]], problems: list[str]) -> bool:
    problems += [
        f"{table.name}, {table.where(rows)}: column {column!r} {what}; correct or leave out"
        for what, rows in wrong.items()
    ]
    return not wrong
