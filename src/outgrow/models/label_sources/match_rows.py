"""How labels from elsewhere find their example: by an id column, by row, or by the text itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.core.examples import class_name
from outgrow.core.files.tables import Table
from outgrow.core.inputs.input_type import TEXT, InputType
from outgrow.core.pool import Source
from outgrow.core.registry import nearest


@dataclass(frozen=True)
class Found:
    """Each given row's content id, None where the task has no such example."""

    ids: Sequence[str | None]
    orders: Sequence[Sequence[int] | None] | None = None  # of classes that are places: where each is in the given row
    labels: Sequence[str | None] | None = None  # what the type itself reads as the row's label, "" for a tie


def examples_of(
    table: Table,
    source: Source,
    on: str | None,
    keys: Mapping[str, Any],
    problems: list[str],
    inputs: InputType = TEXT,
    names: Sequence[str | None] = (),
) -> Found | None:
    """The example of each given row; None where the join cannot be made.

    By the id column `on`, by number (`on="row"`), else by the input, read by its type's `keys`, with the row's label in
    `names`. What is wrong goes to `problems`.
    """
    if on is not None:
        rows = _by_row(table, source, problems) if on == "row" else _by_column(table, source, on, problems)
        if rows is None:
            return None
        ids = [None if row is None else str(source.ids[row]) for row in rows]
        return Found(ids, source.orders and [None if row is None else source.orders[row] for row in rows])
    asked = {key: keys[key] for key in inputs.columns if keys.get(key)} or {key: key for key in inputs.columns[:1]}
    for key, wanted in asked.items():
        if isinstance(wanted, str) and "{" not in wanted and wanted not in table.columns:
            problems.append(
                f"{table.name}: has no column {wanted!r} to find each {inputs.name} by{nearest(wanted, table.columns)}; "
                f"name it with `{key}`, or name an id column of both files with `on`, or go row by row with `on: row`"
            )
            return None
    read = inputs.rows(table, asked, names or [None] * len(table), problems)
    if read is None:
        return None
    return Found([inputs.id(value) for value in read.values], read.orders, read.labels)


def _by_row(table: Table, source: Source, problems: list[str]) -> Sequence[int] | None:
    everything = list(range(len(source.ids)))
    training = [row for row, test in enumerate(source.official_test) if not test]
    for rows in (everything, training):
        if len(rows) == len(table):
            return rows
    there = f"{len(training)}" + (
        f", or {len(everything)} with the test file" if len(training) < len(everything) else ""
    )
    problems.append(
        f"{table.name}: has {len(table)} rows and the task {there}; row by row they must be as many: "
        "name an id column of both files with `on`"
    )
    return None


def _by_column(table: Table, source: Source, on: str, problems: list[str]) -> Sequence[int | None] | None:
    there = table.has(on, "`on`", problems)
    if on not in source.columns:
        problems.append(f"on: the task's own file has no column {on!r}{nearest(on, source.columns)}")
        there = False
    if not there:
        return None
    examples: dict[str, int] = {}
    ambiguous: dict[str, int] = {}
    ids = source.ids.tolist()
    for row, value in enumerate(source.columns[on]):
        if value is not None and ids[examples.setdefault(value, row)] != ids[row]:
            ambiguous[value] = ambiguous.get(value, 1) + 1
    if ambiguous:
        value, texts = next(iter(ambiguous.items()))
        problems.append(
            f"on: column {on!r} does not tell the task's examples apart: {value!r} stands at {texts} different ones; "
            "name a column whose values name one example each"
        )
        return None
    try:
        values = [class_name(value) for value in table.columns[on]]
    except TypeError:
        problems.append(f"{table.name}: column {on!r} holds something other than words and numbers; ids are needed")
        return None
    missing = [row for row, value in enumerate(values) if value is None]
    if missing:
        problems.append(
            f"{table.name}: column {on!r} holds no id in {table.where(missing)}; fill it in or leave the rows out"
        )
        return None
    return [examples.get(value or "") for value in values]


def no_match(table: Table, source: Source, on: str | None) -> str:
    """The sentence for a file of which no row found an example."""
    if on is None:
        return (
            f"{table.name}: none of its {len(table)} texts is one of the task's; they must agree to the letter, "
            "else name an id column of both files with `on`, or go row by row with `on: row`"
        )
    ours = next((value for value in source.columns[on] if value is not None), None)
    return (
        f"{table.name}: none of its {len(table)} rows matches an example of the task by {on!r}: "
        f"here it is {class_name(table.columns[on][0])!r}, in the task's file {ours!r}"
    )
