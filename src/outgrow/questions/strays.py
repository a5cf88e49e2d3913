"""Answers that are no class: off the list, abstaining, or misspelt; and a copy of the file without them."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgrow.core.files.columns.label_checks import abstention_marks
from outgrow.core.files.streams import writer
from outgrow.core.files.tables import Table

RARE = 0.005  # of a file's labels: a class that is given less often may be another one misspelt
SHORT = 4  # letters: shorter names are not taken for misspelt ones


@dataclass(frozen=True)
class Stray:
    """An answer that is no class. row: from 1; meant: the class that it is nearly spelt like."""

    row: int
    column: str
    answer: str
    why: str
    meant: str | None = None


def strays(table: Table, columns: Sequence[str], classes: Collection[str] | None) -> list[Stray]:
    """The answers in these columns that are no class. classes: the list; None: whatever is not rare and misspelt."""
    problems: list[str] = []
    names = {column: table.names(column, "label", problems) for column in columns if column in table.columns}
    counts = Counter(name for values in names.values() for name in values if name is not None)
    found = []
    for column, values in names.items():
        marks = abstention_marks(values)
        for row, name in enumerate(values):
            if name is None:
                continue
            if name in marks and name not in (classes or ()):
                found.append(Stray(row + 1, column, name, "abstains"))
            elif classes is not None:
                if name not in classes:
                    found.append(Stray(row + 1, column, name, "is not on the list of classes", _like(name, classes)))
            elif counts[name] <= max(1, RARE * counts.total()) and (meant := _misspelt(name, counts)):
                found.append(Stray(row + 1, column, name, f"is rare, and nearly spelt like {meant!r}", meant))
    return found


def _misspelt(name: str, counts: Counter[str]) -> str | None:
    common = [other for other, count in counts.items() if count >= 20 * counts[name] and other != name]
    return _like(name, common)


def _like(name: str, classes: Collection[str]) -> str | None:
    """The class that differs in case, white space or, of longer words, in a letter or two."""
    plain = {"".join(one.casefold().split()): one for one in classes}
    key = "".join(name.casefold().split())
    if key in plain:
        return plain[key]
    if len(key) < SHORT or key.isdigit():
        return None
    close = difflib.get_close_matches(key, [one for one in plain if len(one) >= SHORT and not one.isdigit()], 1, 0.8)
    return plain[close[0]] if close else None


def without(table: Table, path: Path, found: Sequence[Stray], folder: Path) -> Path:
    """The file without these answers, as one in `folder` of the same format; the file itself where there are none."""
    if not found:
        return path
    columns: dict[str, list[Any]] = {name: list(values) for name, values in table.columns.items()}
    for one in found:
        columns[one.column][one.row - 1] = None
    folder.mkdir(parents=True, exist_ok=True)
    with writer(str(folder / path.name), str(path)) as append:
        append(columns)
    return folder / path.name
