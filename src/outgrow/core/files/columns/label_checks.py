"""Columns that are not class labels, though they can be read as such: scores, texts, ids, lists."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from outgrow.core.files.tables import Table

MOST = 200  # classes, unless more are asked for: a student of a thousand trains for hours, and is rarely what is meant
FEW = 20  # classes that are never too many, however few rows there are

_ABSTAINED = {"abstain", "abstained", "abstention", "no label", "no_label", "unlabeled", "unlabelled"}
_LIST = re.compile(r"\s*[\[(].*,?.*[\])]\s*", re.DOTALL)
_MOVES = re.compile(r"[a-h][1-8][a-h][1-8][qrbn]?( [a-h][1-8][a-h][1-8][qrbn]?)*")
_NUMBER = re.compile(r"[-+]?[0-9]+")
_OF_A_PAIR = re.compile(r"chosen|rejected|preferred|response_?[ab01]|answer_?[ab01]", re.IGNORECASE)
_SCORE = re.compile(r"[-+]?[0-9]*\.[0-9]+([eE][-+]?[0-9]+)?")


def label_faults(table: Table, column: str, names: Sequence[str | None], most: int | None = None) -> list[str]:
    """Sentences about a column of labels that cannot be meant as one. most: classes that were asked for, none by default."""
    distinct = {name for name in names if name is not None}
    rows = sum(name is not None for name in names)
    start = f"{table.name}: column {column!r} holds"
    lists = [name for name in distinct if _LIST.fullmatch(name)]
    if 2 * len(lists) > len(distinct):
        return [
            f"{start} lists written as text, such as {_short(min(lists))}; a label is one class: write one row a label"
        ]
    if len(distinct) <= (most or FEW):
        return []
    scores = sum(bool(_SCORE.fullmatch(name)) for name in distinct)
    if most is None and 2 * scores > len(distinct):
        return [
            f"{start} {len(distinct)} different numbers in {rows} rows: these are scores, not classes; for probabilities of "
            "a class use `probabilities`, or round them to classes"
        ]
    if len(distinct) > (most or MOST):
        return [
            f"{start} {len(distinct)} different labels, and {most or MOST} classes are allowed: "
            f"{_looks_like(table, column, distinct)} If they are classes, say how many with `max_classes`"
        ]
    if most is None and rows < 2 * len(distinct):
        return [
            f"{start} {len(distinct)} different labels in {rows} rows, fewer than two rows a class: "
            f"{_looks_like(table, column, distinct)} If they are classes, say how many with `max_classes`"
        ]
    return []


def _looks_like(table: Table, column: str, distinct: Collection[str]) -> str:
    """What a column of nearly as many values as rows may be, and how that is asked for."""
    shown, most = _short(min(distinct)), 0.9 * len(distinct)
    if sum(bool(_MOVES.fullmatch(name)) for name in distinct) > most:
        return (
            f"they look like chess moves, such as {shown}, which differ from row to row: give each row its legal moves as a "
            "choice (`context`, `candidates`, `label`)."
        )
    if _OF_A_PAIR.search(column) and any(_OF_A_PAIR.search(other) for other in table.columns if other != column):
        return (
            "they look like one answer of a pair: for preferences name both columns with `chosen` and `rejected`, in place of "
            "`text` and `label`."
        )
    if sum(bool(_NUMBER.fullmatch(name)) for name in distinct) > most:
        return f"they look like ids, counts or ratings, such as {shown}: for a rating make a column of classes from it."
    if sum(len(name.split()) for name in distinct) > 2 * len(distinct):
        return (
            f"they look like free text, such as {shown}, and answers that are written are not learned here: for answers to "
            "choose from give `context`, `candidates` and `label`."
        )
    return "is it the right column?"


def abstention_marks(names: Sequence[str | None]) -> list[str]:
    """What usually means, in a column of cheap labels, that a rule or a model gave no label."""
    distinct = {name for name in names if name is not None}
    marks = sorted(name for name in distinct if name.lower() in _ABSTAINED)
    numbers = {name for name in distinct if re.fullmatch(r"[0-9]+", name)}
    if "-1" in distinct and "0" in numbers and len(numbers) == len(distinct) - 1:
        marks.append("-1")  # as in Snorkel and the public sets of weak supervision, where classes count from 0
    return marks


def abstention_faults(table: Table, column: str, names: Sequence[str | None]) -> list[str]:
    """A sentence where a column of cheap labels holds a mark that usually means that a rule or a model gave no label."""
    marks = abstention_marks(names)
    rows = {mark: [row for row, name in enumerate(names) if name == mark] for mark in marks}
    return [
        f"{table.name}: column {column!r} holds {mark!r} in {table.where(rows[mark])}: leave those cells blank if it means "
        "no label, or give the class another name"
        for mark in marks
    ]


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
