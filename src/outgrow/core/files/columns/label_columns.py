"""Columns of a table -> class probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from outgrow.core.examples import Floats, class_name
from outgrow.core.files.columns.listed_probabilities import completed, is_listed, listed
from outgrow.core.files.tables import Table
from outgrow.core.registry import nearest

TOLERANCE = 1e-3  # how far from one the probabilities of a row may sum to: files round


def class_probabilities(
    table: Table,
    classes: Sequence[str],
    label: str | None,
    probabilities: Sequence[str] | Mapping[str, str] | None,
    problems: list[str],
) -> Floats | None:
    """Each given row as probabilities `[rows, classes]`, NaN where blank; None where something is wrong.

    probabilities: a column for each class, or one column of mappings from classes to probabilities or their logs.
    """
    if label is not None and probabilities is not None:
        problems.append(f"{table.name}: `label` and `probabilities` exclude each other; take one away")
        return None
    if probabilities is not None:
        if len(probabilities) == 1 and not isinstance(probabilities, Mapping) and is_listed(table, probabilities[0]):
            return _of_mappings(table, classes, probabilities[0], problems)
        columns = _named_columns(table, classes, probabilities, problems)
        return _probabilities(table, columns, problems) if columns is not None else None
    by_name = _columns_by_name(table, classes)
    if label is None and by_name is not None:
        if "label" in table.columns:
            problems.append(
                f"{table.name}: has both a column 'label' and probability columns; say which: "
                f"label: label, or probabilities: [{', '.join(by_name)}]"
            )
            return None
        return _probabilities(table, by_name, problems)
    column = label or "label"
    if label is None and column not in table.columns:
        wanted = ", ".join(f"p_{name}" for name in classes[:3]) + (", …" if len(classes) > 3 else "")
        problems.append(
            f"{table.name}: has neither a column 'label' nor probability columns ({wanted}); "
            f"name the one with `label` or the others with `probabilities`{nearest(column, table.columns)}"
        )
        return None
    return _one_hot(table, column, classes, problems) if table.has(column, "the given label", problems) else None


def _of_mappings(table: Table, classes: Sequence[str], column: str, problems: list[str]) -> Floats | None:
    rows = listed(table, column, problems)
    if rows is None:
        return None
    unknown: dict[str, list[int]] = {}
    for row, cell in enumerate(rows):
        for name in (cell or {}).keys() - set(classes):
            unknown.setdefault(name, []).append(row)
    problems += [
        f"{table.name}: class {name!r} in {table.where(where)} is none of the classes{nearest(name, classes)}"
        for name, where in sorted(unknown.items())
    ]
    return None if unknown else completed(rows, classes)


def _columns_by_name(table: Table, classes: Sequence[str]) -> list[str] | None:
    for form in ("p_{}", "{}"):
        columns = [form.format(name) for name in classes]
        if all(column in table.columns for column in columns):
            return columns
    return None


def _named_columns(
    table: Table, classes: Sequence[str], named: Sequence[str] | Mapping[str, str], problems: list[str]
) -> list[str] | None:
    """One column a class, in the order of the classes."""
    before = len(problems)
    if isinstance(named, Mapping):
        columns = {class_name(name) or "": column for name, column in named.items()}
        problems += [
            f"probabilities: {name!r} is not one of the classes{nearest(name, classes)}"
            for name in columns
            if name not in classes
        ]
        missing = [name for name in classes if name not in columns]
        problems += [f"probabilities: class {name!r} has no column; name one" for name in missing]
        ordered = [columns.get(name, "") for name in classes]
    else:
        if len(named) != len(classes):
            problems.append(
                f"probabilities: {len(named)} columns for {len(classes)} classes; name one a class, "
                f"in this order: {', '.join(classes)}"
            )
        elif len(set(named)) < len(named):
            problems.append("probabilities: a column is named twice; name one a class")
        # Columns that are called after the classes mean them in any order.
        stems = {column.removeprefix("p_"): column for column in named}
        ordered = [stems[name] for name in classes] if set(stems) == set(classes) else list(named)
    if len(problems) > before:
        return None
    there = [table.has(column, "the given probabilities", problems) for column in ordered]
    return ordered if all(there) else None


def _probabilities(table: Table, columns: Sequence[str], problems: list[str]) -> Floats | None:
    values = np.full((len(table), len(columns)), np.nan)
    no_numbers: list[int] = []
    for place, column in enumerate(columns):
        for row, cell in enumerate(table.columns[column]):
            try:
                values[row, place] = _number(cell)
            except (TypeError, ValueError, OverflowError):
                no_numbers.append(row)
    blank = np.isnan(values)
    faults = {
        "holds something other than numbers": np.array(sorted(set(no_numbers)), dtype=np.int64),
        "has probabilities for some of the classes only": np.flatnonzero(blank.any(axis=1) & ~blank.all(axis=1)),
        "has probabilities outside [0, 1]": np.flatnonzero(((values < 0) | (values > 1)).any(axis=1)),
    }
    with np.errstate(invalid="ignore"):  # infinities of both signs
        sums = values.sum(axis=1)
    faults["has probabilities that do not sum to one"] = np.flatnonzero(np.abs(sums - 1) > TOLERANCE)
    seen: set[int] = set()
    for what, rows in faults.items():
        fresh = [row for row in rows.tolist() if row not in seen]  # one sentence a row: the first that explains it
        seen.update(fresh)
        if fresh:
            total = f" but to {sums[fresh[0]]:.4g}" if "sum" in what and len(fresh) == 1 else ""
            problems.append(
                f"{table.name}, {table.where(fresh)}: {what}{total}; correct or leave out ({_some(columns)})"
            )
    return None if seen else values / sums[:, None]


def _some(columns: Sequence[str]) -> str:
    return f"column{'s' if len(columns) > 1 else ''} {', '.join(columns[:3])}{', …' if len(columns) > 3 else ''}"


def _number(cell: Any) -> float:
    if isinstance(cell, bool):
        raise TypeError("true and false are not probabilities")
    return float("nan") if class_name(cell) is None else float(cell)


def _one_hot(table: Table, column: str, classes: Sequence[str], problems: list[str]) -> Floats | None:
    number = {name: place for place, name in enumerate(classes)}
    values = np.zeros((len(table), len(classes)))
    unknown: dict[str, list[int]] = {}
    wrong: list[int] = []
    for row, cell in enumerate(table.columns[column]):
        try:
            name = class_name(cell)
        except TypeError:
            wrong.append(row)
            continue
        if name is None:
            values[row] = np.nan
        elif name in number:
            values[row, number[name]] = 1
        else:
            unknown.setdefault(name, []).append(row)
    if wrong:
        problems.append(
            f"{table.name}: column {column!r} holds no single label in {table.where(wrong)}; one row a vote"
        )
    problems += [
        f"{table.name}: label {name!r} in {table.where(rows)} is not one of the classes{nearest(name, classes)}; "
        "correct it, or leave it blank where there is none"
        for name, rows in unknown.items()
    ]
    return None if wrong or unknown else values
