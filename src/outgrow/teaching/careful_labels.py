"""Careful labels: what a file of them holds, and which of its texts the cheap labels have too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.examples import Ints
from outgrow.core.files.tables import Table
from outgrow.core.inputs import InputType, Read
from outgrow.core.pool import Pool
from outgrow.core.registry import nearest
from outgrow.teaching.cheap_labels import CheapLabels
from outgrow.teaching.reading import Reading

FEWEST = 20  # careful labels; with fewer, an interval of accuracy is nearly as wide as the whole range


@dataclass(frozen=True)
class Rows:
    """Rows of one file or two: the content id of each, and where the first of each id is."""

    read: Read
    ids: list[str]
    forms: list[str]  # normal forms

    @classmethod
    def of(cls, read: Read, inputs: InputType) -> Rows:
        values = read.values
        return cls(read, [inputs.id(value) for value in values], [inputs.normal_form(value) for value in values])

    @cached_property
    def first(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for row, id_ in enumerate(self.ids):
            found.setdefault(id_, row)
        return found

    def with_more(self, other: Rows) -> Rows:
        """These rows, then the other ones."""

        def both(ours: Sequence[Any] | None, theirs: Sequence[Any] | None) -> list[Any] | None:
            return None if ours is None or theirs is None else [*ours, *theirs]

        a, b = self.read, other.read
        read = Read([*a.values, *b.values], groups=both(a.groups, b.groups), allowed=_allowed(a, b))
        return Rows(read, self.ids + other.ids, self.forms + other.forms)

    def pool(self, kept: Sequence[str], labels: Ints, classes: tuple[str, ...], inputs: InputType) -> Pool:
        """The rows with these ids, in their order."""
        at = [self.first[id_] for id_ in kept]
        names = np.array(kept, dtype=np.str_)
        groups = None if self.read.groups is None else [self.read.groups[row] for row in at]
        allowed = None
        if self.read.allowed is not None:
            allowed = np.zeros((len(at), len(classes)), dtype=np.bool_)
            for place, row in enumerate(at):
                allowed[place, : len(self.read.allowed[row])] = self.read.allowed[row]
        return Pool(
            names,
            [self.read.values[row] for row in at],
            labels,
            classes,
            names if groups is None else np.array([own or id_ for own, id_ in zip(groups, kept, strict=True)], np.str_),
            np.zeros(len(kept), dtype=np.bool_),
            input_type=inputs,
            allowed=allowed,
        )


def _allowed(a: Read, b: Read) -> list[Sequence[bool]] | None:
    """The classes that each row of two reads can have, all of its own file's where it says nothing."""
    widths = [len(one.classes or ()) for one in (a, b)]
    if a.allowed is None and b.allowed is None and widths[0] == widths[1]:
        return None
    return [
        row
        for one, width in zip((a, b), widths, strict=True)
        for row in (one.allowed or [[True] * width] * len(one.values))
    ]


@dataclass(frozen=True)
class Gold:
    table: Table
    rows: Rows
    names: Sequence[str | None]
    column: str

    @cached_property
    def known(self) -> dict[str, tuple[str, set[str]]]:
        """Normal form -> content id of its first spelling, and the names that it is given."""
        found: dict[str, tuple[str, set[str]]] = {}
        for id_, form, name in zip(self.rows.ids, self.rows.forms, self.names, strict=True):
            if name is not None:
                found.setdefault(form, (id_, set()))[1].add(name)
        return found


def read_gold(
    path: str | Path, reading: Reading, columns: Sequence[str], label: str | None, problems: list[str]
) -> Gold | None:
    table = reading.inputs.table(path, problems)
    if table is None:
        return None
    before = len(problems)
    names: Sequence[str | None] = [None] * len(table)
    if label is None and not reading.labels_inside:
        wanted = [*(columns if len(columns) == 1 else ()), "label", "truth"]
        label = next((name for name in wanted if name in table.columns), None)
        if label is None:
            reading.rows(table, names, problems)
            problems.append(
                f"{table.name}: which column holds the careful labels? Name it with --truth-label; "
                f"there is {', '.join(table.columns)}"
            )
            return None
    if label is not None:
        names = table.names(label, "label", problems) if table.has(label, "the careful label", problems) else names
    read = reading.rows(table, names, problems)
    if len(problems) > before or read is None:
        return None
    names = [name or None for name in read.labels] if read.labels is not None else names  # a tie is not a truth
    return Gold(table, Rows.of(read, reading.inputs), names, label or ", ".join(map(str, reading.keys.values())))


def check_gold(gold: Gold, cheap: CheapLabels, problems: list[str]) -> None:
    unknown: dict[str, list[int]] = {}
    for row, name in enumerate(gold.names):
        if name is not None and gold.rows.read.classes is None and name not in cheap.classes:
            unknown.setdefault(name, []).append(row)
    problems += [
        f"{gold.table.name}: label {name!r} in {gold.table.where(rows)} is not one of the classes in "
        f"{cheap.name}{nearest(name, cheap.classes)}"
        for name, rows in unknown.items()
    ]
    if unknown:
        return
    single = [known for _, known in gold.known.values() if len(known) == 1]
    names = set().union(*single)
    if len(single) < FEWEST:
        problems.append(
            f"{gold.table.name}: {len(single)} texts with a careful label are too few to measure anything by; "
            f"label {FEWEST} or more, 200 are better"
        )
    elif len(names) == 1 and gold.rows.read.classes is None:
        problems.append(
            f"{gold.table.name}: column {gold.column!r} says {names.pop()!r} in every row; careful labels of at least "
            "two classes are needed"
        )


@dataclass(frozen=True)
class Careful:
    """The careful labels by the content id of their text, in the spelling that has a cheap label where there is one."""

    names: Mapping[str, str]
    contradicting: set[str]  # texts with several
    twins: set[str]  # further spellings of texts with careful labels: neither learned from nor scored
    respelled: int  # careful texts that the cheap labels spell otherwise


def matched(gold: Gold, rows: Rows, labelled: set[str]) -> Careful:
    """The careful labels of texts, and of the same texts among `rows`; labelled: ids with a cheap label."""
    spellings: dict[str, dict[str, None]] = {}
    for id_, form in zip(rows.ids, rows.forms, strict=True):
        spellings.setdefault(form, {})[id_] = None
    names: dict[str, str] = {}
    contradicting: set[str] = set()
    twins: set[str] = set()
    respelled = 0
    for form, (own, known) in gold.known.items():
        same = spellings.get(form, {})
        best = min(same, key=lambda id_: (id_ != own, id_ not in labelled), default=own)
        twins |= same.keys() - {best}
        respelled += best != own
        if len(known) > 1:
            contradicting.add(best)
        else:
            (names[best],) = known
    return Careful(names, contradicting, twins, respelled)
