"""Choices in tables: pairs of preferences and questions with several answers, in the forms that data sets have.

`{chosen, rejected}` (Anthropic's HH; with `prompt` or `context`, TRL's), `{prompt, a, b, label}`, and
`{context, candidates, label}` where `candidates` is a column of lists or a list of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.core.examples import class_name
from outgrow.core.files.columns.row_text import render
from outgrow.core.files.tables import Table

KEYS = ("context", "prompt", "candidates", "chosen", "rejected", "a", "b")
ABOVE = ("context", "prompt")  # a column, or a template as for texts
TIES = ("tie", "both", "equal")
ROLES = {"user": "Human", "human": "Human", "assistant": "Assistant", "system": "System"}
LAST_TURN = "\n\nAssistant:"


@dataclass(frozen=True)
class Offered:
    """One row: the context, its candidates in the file's order, and which is right; None: not known, or a tie."""

    context: str
    candidates: tuple[str, ...]
    right: int | None
    tie: bool = False


@dataclass(frozen=True)
class _Cell:
    """The candidates of a row with every name that a label may give each of them."""

    context: str
    candidates: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]


def missing(keys: Mapping[str, Any]) -> list[str]:
    """What a task entry with these keys lacks, one sentence each."""
    given = {key for key in (*KEYS, "label") if keys.get(key)}
    if "prompt" in given and "context" in given:
        return ["`prompt` and `context` are two names of one thing: give one of them"]
    asked = given - {"prompt", "context"}
    forms = ({"chosen", "rejected"}, {"a", "b", "label"}, {"candidates", "label"})
    if asked in forms:
        return []
    for form in forms:
        if asked & form - {"label"}:
            lacking = [f"`{key}` is missing: name the column" for key in sorted(form - asked)]
            extra = [f"`{key}` has no meaning beside `{min(form - {'label'})}`" for key in sorted(asked - form)]
            return lacking + extra
    return ["a choice has `chosen` and `rejected`, or `a`, `b` and `label`, or `candidates` and `label`"]


def offered(
    table: Table, keys: Mapping[str, Any], labels: Sequence[str | None], problems: list[str]
) -> list[Offered] | None:
    """The choices of a table, by a task entry's keys; None where something is wrong, which goes to `problems`."""
    columns = _columns(keys)
    if [column for column in columns if not table.has(column, "a choice", problems)]:
        return None
    above = keys.get("context") or keys.get("prompt")
    before: Sequence[Any] | None = [""] * len(table)
    if above:
        before = table.columns[above] if above in table.columns else render(table, above, problems)
    if before is None:
        return None
    cells: list[_Cell | str] = [_cell(keys, table, row, before[row]) for row in range(len(table))]
    rows: list[Offered] = []
    wrong: dict[str, list[int]] = {}
    for place, (cell, label) in enumerate(zip(cells, labels, strict=True)):
        fault = cell if isinstance(cell, str) else _fault(cell)
        right: int | None = None
        tie = label is not None and label.lower() in TIES
        if fault is None and isinstance(cell, _Cell):
            if keys.get("chosen"):
                right = 0
            elif label is not None and not tie:
                right = _place(cell, label)
                fault = "has a label that is none of its candidates" if right is None else None
            rows.append(Offered(cell.context, cell.candidates, right, tie))
        if fault is not None:
            wrong.setdefault(fault, []).append(place)
    problems += [
        f"{table.name}, {table.where(places)}: {fault}; {ADVICE.get(fault, 'correct the row or leave it out')}"
        for fault, places in wrong.items()
    ]
    return None if wrong else rows


ADVICE = {
    "has two equal candidates": "there is nothing to choose: leave the row out",
    "has a label that is none of its candidates": "give a place from 0, a column's name, or the candidate itself",
}


def _columns(keys: Mapping[str, Any]) -> list[str]:
    """The table's columns that the keys name."""
    named = [keys[key] for key in KEYS if keys.get(key) and not (key in ABOVE and "{" in keys[key])]
    return [column for one in named for column in (one if isinstance(one, list) else [one])]


def _cell(keys: Mapping[str, Any], table: Table, row: int, before: Any) -> _Cell | str:
    """A row's candidates, or what is wrong with it."""

    def value(column: str) -> Any:
        return table.columns[column][row]

    if keys.get("chosen"):
        return _pair(before, value(keys["chosen"]), value(keys["rejected"]))
    if keys.get("a"):
        found = [value(keys["a"]), value(keys["b"])]
        names: list[tuple[str, ...]] = [("a", str(keys["a"]), "0"), ("b", str(keys["b"]), "1")]
    elif isinstance(keys["candidates"], list):
        found = [value(column) for column in keys["candidates"]]
        names = [(str(column), str(place)) for place, column in enumerate(keys["candidates"])]
        while len(found) > 2 and found[-1] in (None, ""):  # questions with fewer answers leave the last columns blank
            found, names = found[:-1], names[:-1]
    else:
        found, names = _listed(value(keys["candidates"]))
    texts = [_text(one) for one in found]
    context = _text(before)
    if context is None or any(text is None for text in texts):
        return "holds something other than texts"
    return _Cell(
        context,
        tuple(text or "" for text in texts),
        tuple((*name, text or "") for name, text in zip(names, texts, strict=True)),
    )


def _listed(value: Any) -> tuple[list[Any], list[tuple[str, ...]]]:
    """The candidates of a cell that holds a list, or `{text: [...], label: [...]}` as ARC and CommonsenseQA have."""
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        own = [str(name) for name in value.get("label") or range(len(value["text"]))]
        return value["text"], [(name,) for name in own]
    if isinstance(value, list):
        return value, [(str(place),) for place in range(len(value))]
    return [None], [()]


def _pair(before: Any, chosen: Any, rejected: Any) -> _Cell | str:
    """A preferred and another answer, as texts or as lists of messages; what they begin with alike is context."""
    if isinstance(chosen, list) and isinstance(rejected, list):
        shared = _alike(chosen, rejected)
        above = [*before, *chosen[:shared]] if isinstance(before, list) else chosen[:shared]
        context, first, second = _turns(above), _turns(chosen[shared:]), _turns(rejected[shared:])
        if context is None or first is None or second is None:
            return "holds messages without a role and a text"
        context = (before + context) if isinstance(before, str) else context
        if first.startswith(LAST_TURN) and second.startswith(LAST_TURN):
            context, first, second = context + LAST_TURN, first[len(LAST_TURN) :], second[len(LAST_TURN) :]
        return _Cell(context, (first, second), ((), ()))
    context, first, second = _text(before), _text(chosen), _text(rejected)
    if context is None or first is None or second is None:
        return "holds something other than texts"
    begin_at = 0 if context else _beginning(first, second)
    return _Cell(context + first[:begin_at], (first[begin_at:], second[begin_at:]), ((), ()))


def conversation(chosen: Any, rejected: Any) -> tuple[str, tuple[str, ...]]:
    """What two conversations share at their beginning, and how each ends; two texts or two lists of messages.

    Raises ValueError on anything else.
    """
    cell = _pair("", chosen, rejected)
    if isinstance(cell, str):
        raise ValueError(cell)
    return cell.context, cell.candidates


def _beginning(first: str, second: str) -> int:
    """Where two texts part: after the last turn they share, else after the last white space they share."""
    shared = first[: _alike(first, second)]
    turn = shared.rfind(LAST_TURN)
    if turn >= 0:
        return turn + len(LAST_TURN)
    return max((place + 1 for place, letter in enumerate(shared) if letter.isspace()), default=0)


def _alike(first: Sequence[Any], second: Sequence[Any]) -> int:
    """How many messages, or letters, two conversations begin with alike."""
    same = 0
    while same < min(len(first), len(second)) and first[same] == second[same]:
        same += 1
    return same


def _turns(messages: Sequence[Any]) -> str | None:
    """Messages as one text, each turn after its speaker; None where one of them is not a message."""
    turns = []
    for message in messages:
        if not isinstance(message, Mapping) or not isinstance(message.get("content"), str) or "role" not in message:
            return None
        role = str(message["role"])
        turns.append(f"\n\n{ROLES.get(role, role.capitalize())}: {message['content']}")
    return "".join(turns)


def _text(value: Any) -> str | None:
    """A cell as a text: numbers in their one spelling, messages as turns; None where it is neither."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return _turns(value)
    try:
        return class_name(value)
    except TypeError:
        return None


def _fault(cell: _Cell) -> str | None:
    if len(cell.candidates) < 2:
        return "has fewer than two candidates"
    if not all(text.strip() for text in cell.candidates):
        return "has an empty candidate"
    return "has two equal candidates" if len(set(cell.candidates)) < len(cell.candidates) else None


def _place(cell: _Cell, label: str) -> int | None:
    """Which candidate a label means, by name before text; None where that is none or several."""
    known: Sequence[Callable[[tuple[str, ...]], bool]] = (
        lambda names: label in names[:-1],
        lambda names: label == class_name(names[-1]),
    )
    for fits in known:
        found = [place for place, names in enumerate(cell.names) if names and fits(names)]
        if len(found) == 1:
            return found[0]
    return None
