"""Careful labels: what a file of them holds, and which of its texts the cheap labels have too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.examples import Floats, Ints, harden
from outgrow.core.files.tables import Table
from outgrow.core.inputs.input_type import InputType, Read
from outgrow.core.pool import Pool
from outgrow.core.registry import nearest
from outgrow.teaching.labels.cheap_labels import CheapLabels, uncounted
from outgrow.teaching.labels.reading import Reading

CHOSEN = "careful_label"  # what `outgrow next` calls the column to fill in
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
        classes = max(a.classes, b.classes, key=lambda names: len(names or ()))
        read = Read([*a.values, *b.values], classes=classes, groups=both(a.groups, b.groups), allowed=_allowed(a, b))
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
    """Careful labels as they came. votes: several of one text are votes; else they contradict one another."""

    table: Table
    rows: Rows
    names: Sequence[str | None]
    column: str
    votes: bool = False

    @cached_property
    def known(self) -> dict[str, tuple[str, Counter[str]]]:
        """Normal form -> content id of its first spelling, and how often it is given each name."""
        found: dict[str, tuple[str, Counter[str]]] = {}
        for id_, form, name in zip(self.rows.ids, self.rows.forms, self.names, strict=True):
            if name is not None:
                found.setdefault(form, (id_, Counter()))[1][name] += 1
        return found

    @property
    def blank(self) -> int:
        """How many rows have no label; of votes, how many texts."""
        return len(set(self.rows.forms) - self.known.keys()) if self.votes else sum(name is None for name in self.names)

    def with_more(self, other: Gold) -> Gold:
        """These labels, then those of another file."""
        table = Table(f"{self.table.name} and {other.table.name}", {}, [*self.table.places, *other.table.places])
        rows, names = self.rows.with_more(other.rows), [*self.names, *other.names]
        return Gold(table, rows, names, self.column, self.votes)

    def without(self, forms: Collection[str]) -> Gold:
        """The labels of other texts than these."""
        names = [None if form in forms else name for form, name in zip(self.rows.forms, self.names, strict=True)]
        return replace(self, names=names)


def read_gold(
    path: str | Path,
    reading: Reading,
    columns: Sequence[str],
    label: str | None,
    problems: list[str],
    *,
    voters: Sequence[str] = (),
    chosen: bool = False,
) -> Gold | None:
    """The careful labels of a file; None where something is wrong.

    voters: one column that names who gave the row's label, or several, which are annotators' labels. chosen: the file may be
    a batch of `outgrow next`.
    """
    table = reading.inputs.table(path, problems)
    if table is None:
        return None
    if len(voters) > 1:
        return _of_annotators(table, reading, voters, problems)
    before = len(problems)
    if chosen and CHOSEN in table.columns:
        label = CHOSEN
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
    if voters:
        rows = Rows.of(read, reading.inputs)
        names = _one_vote_each(table, rows.forms, names, voters[0], problems)
        return None if len(problems) > before else Gold(table, rows, names, label or "", votes=True)
    return Gold(table, Rows.of(read, reading.inputs), names, label or ", ".join(map(str, reading.keys.values())))


def _of_annotators(table: Table, reading: Reading, columns: Sequence[str], problems: list[str]) -> Gold | None:
    """A column of labels for each annotator, as one vote after the other."""
    before = len(problems)
    known = [column for column in columns if table.has(column, "an annotator", problems)]
    names = [table.names(column, "label", problems) for column in known]
    reads = [reading.rows(table, of_one, problems) for of_one in names]
    if len(problems) > before or reads[0] is None:
        return None
    own = Rows.of(reads[0], reading.inputs)
    votes = [
        [name or None for name in (of_one if read is None or read.labels is None else read.labels)]
        for of_one, read in zip(names, reads, strict=True)
    ]
    every = Table(table.name, table.columns, [place for _ in columns for place in table.places], table.unit)
    rows = reduce(Rows.with_more, [own] * len(columns))
    return Gold(every, rows, [name for of_one in votes for name in of_one], ", ".join(columns), votes=True)


def careful_files(truth: str | Path | Sequence[str | Path] | None) -> list[str | Path]:
    """The files of careful labels: none, one, or several."""
    return [] if truth is None else [truth] if isinstance(truth, (str, Path)) else list(truth)


def _one_vote_each(
    table: Table, forms: Sequence[str], names: Sequence[str | None], column: str, problems: list[str]
) -> list[str | None]:
    """The names without those that do not count: of one annotator on one text, see `uncounted`."""
    if not table.has(column, "the annotator", problems):
        return list(names)
    who = table.names(column, "annotator", problems)
    named = [row for row, name in enumerate(names) if name is not None]
    if nobody := [row for row in named if who[row] is None]:
        problems.append(f"{table.name}: column {column!r} is blank in {table.where(nobody)}: say whose label it is")
    kept = list(names)
    for row in uncounted({row: (forms[row], who[row]) for row in named if who[row] is not None}, names):
        kept[row] = None
    return kept


def check_gold(gold: Gold, cheap: CheapLabels, problems: list[str]) -> None:
    """Whether labels to measure by are of the known classes and enough; what is wrong goes to `problems`."""
    if check_classes(gold, cheap, problems):
        _check_enough(gold, problems)


def check_classes(gold: Gold, cheap: CheapLabels, problems: list[str]) -> bool:
    """Whether the labels are of the known classes; which are not goes to `problems`."""
    unknown: dict[str, list[int]] = {}
    for row, name in enumerate(gold.names):
        if name is not None and gold.rows.read.classes is None and name not in cheap.classes:
            unknown.setdefault(name, []).append(row)
    problems += [
        f"{gold.table.name}: label {name!r} in {gold.table.where(rows)} is not one of the classes in "
        f"{cheap.name}{nearest(name, cheap.classes)}"
        for name, rows in unknown.items()
    ]
    return not unknown


def _check_enough(gold: Gold, problems: list[str]) -> None:
    single = [known for _, known in gold.known.values() if len(known) == 1 or gold.votes]
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
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # of votes, what each name has of them
    tied: int = 0  # texts whose votes have no majority: one of the commonest labels by the text's hash

    def soft(self, ids: Sequence[str], classes: Sequence[str]) -> Floats:
        """What is learned of each text `[ids, classes]`, the shares of its votes or its label; NaN where it has none."""
        number = {name: place for place, name in enumerate(classes)}
        found = np.full((len(ids), len(classes)), np.nan)
        for values, id_ in zip(found, ids, strict=True):
            if id_ in self.names:
                values[:] = 0
                for name, share in self.shares.get(id_, {self.names[id_]: 1.0}).items():
                    values[number[name]] = share
        return found


def matched(gold: Gold, rows: Rows, labelled: set[str]) -> Careful:
    """The careful labels of texts, and of the same texts among `rows`; labelled: ids with a cheap label."""
    spellings: dict[str, dict[str, None]] = {}
    for id_, form in zip(rows.ids, rows.forms, strict=True):
        spellings.setdefault(form, {})[id_] = None
    names: dict[str, str] = {}
    contradicting: set[str] = set()
    twins: set[str] = set()
    shares: dict[str, Mapping[str, float]] = {}
    respelled = tied = 0
    for form, (own, known) in gold.known.items():
        same = spellings.get(form, {})
        best = min(same, key=lambda id_: (id_ != own, id_ not in labelled), default=own)
        twins |= same.keys() - {best}
        respelled += best != own
        if gold.votes:
            total = known.total()
            shares[best] = {name: known[name] / total for name in sorted(known)}
            counts = np.array([known[name] for name in sorted(known)], dtype=np.float64)
            names[best] = sorted(known)[int(harden(counts[None], [best])[0])]
            tied += int((counts == counts.max()).sum() > 1)
        elif len(known) > 1:
            contradicting.add(best)
        else:
            (names[best],) = known
    return Careful(names, contradicting, twins, respelled, shares, tied)
