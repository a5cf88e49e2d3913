"""The text of a row: a column of its table, or a template such as `"{question} Answer: {answer}"`."""

from __future__ import annotations

import re
from typing import Any

from outgrow.core.examples import class_name
from outgrow.core.files.tables import Table
from outgrow.core.registry import nearest

_PARTS = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def render(table: Table, text: str, problems: list[str]) -> list[str] | None:
    """Each row's text, or None where there is a problem. `{{` and `}}` in a template are braces.

    A text is never empty. In a template numbers are written as `core.class_name` spells them.
    """
    before = len(problems)
    columns = columns_of(table, text, problems)
    if columns is None:
        return None
    template = text not in table.columns
    for column in columns:
        _check_values(table, column, template, problems)
    if len(problems) > before:
        return None
    if template:
        cells = {column: [_written(value) for value in table.columns[column]] for column in columns}
        pieces = _pieces(text)
        texts = [
            "".join(cells[part][row] if is_column else part for part, is_column in pieces) for row in range(len(table))
        ]
    else:
        texts = list(table.columns[text])
    # A template's own words make no text: a row whose cells are all blank is empty.
    blank = [
        row for row in range(len(table)) if not any(_written(table.columns[column][row]).strip() for column in columns)
    ]
    if blank:
        problems.append(f"{table.name}: the text is empty in {table.where(blank)}; fill it in or leave the rows out")
        return None
    return texts


def columns_of(table: Table, text: str, problems: list[str]) -> list[str] | None:
    """The columns a text is made of, all in the table; else None, and what is wrong goes to `problems`."""
    if text in table.columns:
        return [text]
    if "{" not in text and "}" not in text:
        table.has(text, "text", problems)
        return None
    pieces = _pieces(text)
    columns = list(dict.fromkeys(part for part, is_column in pieces if is_column))
    if any(is_column and part in ("{", "}") for part, is_column in pieces):
        problems.append(f"text: {text!r} has a brace without its partner; write {{{{ or }}}} for a brace itself")
        return None
    if not columns:
        problems.append(f"text: {text!r} names no column; write one as {{column}}")
        return None
    unknown = [column for column in columns if column not in table.columns]
    problems += [
        f"{table.name}: has no column {column!r}, which the text {text!r} names{nearest(column, table.columns)}"
        for column in unknown
    ]
    return None if unknown else columns


def _pieces(text: str) -> list[tuple[str, bool]]:
    """The template's parts in order, each with whether it names a column; a lone brace counts as such."""
    pieces: list[tuple[str, bool]] = []
    end = 0
    for found in _PARTS.finditer(text):
        pieces.append((text[end : found.start()], False))
        whole = found[0]
        if whole in ("{{", "}}"):
            pieces.append((whole[0], False))
        elif whole in ("{", "}"):
            pieces.append((whole, True))
        else:
            pieces.append((found[1], True))
        end = found.end()
    return [*pieces, (text[end:], False)]


def _check_values(table: Table, column: str, template: bool, problems: list[str]) -> None:
    kinds: dict[str, list[int]] = {}
    for row, value in enumerate(table.columns[column]):
        if not isinstance(value, str):
            kinds.setdefault(_kind(value), []).append(row)
    if template:
        kinds.pop("numbers", None)
    advice = {
        "nothing": "fill it in or leave the rows out",
        "numbers": f"if they are meant, write the template '{{{column}}}'",
    }
    for kind, rows in kinds.items():
        what = advice.get(kind, "texts are needed")
        problems.append(f"{table.name}: column {column!r} holds {kind} in {table.where(rows)}; {what}")


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case list() | tuple():
            return "lists"
        case dict():
            return "mappings"
    try:
        return "numbers" if class_name(value) is not None else "nothing"
    except TypeError:
        return f"values of type {type(value).__name__}"


def _written(value: Any) -> str:
    return value if isinstance(value, str) else class_name(value) or ""
