"""Cheap labels in a file: columns of class names, one column a class with its probability, or one row a vote."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.answers import uniform
from outgrow.core.examples import Floats, Ints, sorted_classes
from outgrow.core.files.columns.label_checks import abstention_faults, label_faults
from outgrow.core.files.columns.label_columns import class_probabilities
from outgrow.core.files.columns.listed_probabilities import Listed, completed, confident, is_listed, listed
from outgrow.core.files.tables import Table
from outgrow.core.inputs.input_type import Read
from outgrow.models.label_sources.aggregate import MODELS, Rule, join_answers, join_votes, rules, shares
from outgrow.models.label_sources.dawid_skene import Votes, one_sided
from outgrow.models.label_sources.label_file import reordered
from outgrow.teaching.labels.label_form import Form, Kind
from outgrow.teaching.labels.reading import Reading


@dataclass(frozen=True)
class CheapLabels:
    """The lines of a file: their inputs, and the labels they give."""

    name: str
    kind: Kind
    read: Read
    classes: tuple[str, ...]
    answers: Ints  # [lines, columns] class numbers, -1 where blank; of probabilities none
    shares: Floats  # [lines, classes], NaN where blank; of class names none
    voters: Sequence[str | None] = ()  # [lines] whose label it is, where rows are votes: blank only without a label
    ties: int = 0  # votes for several classes at once, which are left out

    def given(self, rows: Ints, texts: int) -> GivenLabels:
        """The labels of `n` distinct texts, where line i of the file is about text `rows[i]`."""
        number = {name: place for place, name in enumerate(self.voter_names)}
        voter = np.array([-1 if name is None else number[name] for name in self._labelled], dtype=np.int64)
        answers = _one_vote_each(rows, voter, self.answers) if self.kind == "votes" else self.answers
        return GivenLabels(self.kind, self.classes, texts, rows, answers, self.shares, voter, len(number))

    @property
    def voter_names(self) -> list[str]:
        """Those that label anything, in the order of their numbers; none where rows are not votes."""
        return sorted({name for name in self._labelled if name is not None})

    @cached_property
    def _labelled(self) -> list[str | None]:
        """`[lines]` the voter of each vote that is a label."""
        return [name if self.answers[line, 0] >= 0 else None for line, name in enumerate(self.voters)]


def _one_vote_each(rows: Ints, voter: Ints, answers: Ints) -> Ints:
    """The answers without those that do not count: of one voter on one text, see `uncounted`."""
    kept, first = answers.copy(), answers[:, 0].tolist()
    known = np.flatnonzero(answers[:, 0] >= 0).tolist()
    kept[uncounted({line: (int(rows[line]), int(voter[line])) for line in known}, first)] = -1
    return kept


def uncounted(keys: Mapping[int, Hashable], answers: Sequence[object]) -> list[int]:
    """Lines whose labels do not count: repeats count once, and labels that contradict one another not at all.

    keys: of the lines that have a label, who gave it and on what; answers: the label of every line.
    """
    votes: dict[Hashable, list[int]] = {}
    for line, key in keys.items():
        votes.setdefault(key, []).append(line)
    alike = (len({answers[line] for line in lines}) == 1 for lines in votes.values())
    return [line for lines, same in zip(votes.values(), alike, strict=True) for line in (lines[1:] if same else lines)]


@dataclass(frozen=True)
class GivenLabels:
    """Labels of n distinct texts, a line each or several, before they are joined."""

    kind: Kind
    classes: tuple[str, ...]
    texts: int
    rows: Ints  # [lines] the text that a line is about
    answers: Ints  # as in CheapLabels
    shares: Floats
    voter: Ints  # [lines] number of the voter, -1: none; empty where lines are not votes
    voters: int  # how many voters there are, where lines are votes

    @property
    def rules(self) -> Sequence[Rule]:
        """How they may be joined; the first where no careful label tells which is best."""
        if self.kind == "votes":
            return rules(self.voters, one_sided=False)
        sides = one_sided(self.answers, len(self.classes))
        return rules(self.answers.shape[1], one_sided=bool(sides.any()))

    @property
    def counts(self) -> Floats:
        """How often, or with how much probability, each text is labelled with each class, `[texts, classes]`."""
        counts = np.zeros((self.texts, len(self.classes)))
        line, _, label = self.cells
        if self.kind == "probabilities":
            np.add.at(counts, self.rows[line], self.shares[line])
        else:
            np.add.at(counts, (self.rows[line], label), 1)
        return counts

    @property
    def cells(self) -> tuple[Ints, Ints, Ints]:
        """Line, source and class of every label: its source is its voter or its column; the likeliest of probabilities."""
        if self.kind == "probabilities":
            line = np.flatnonzero(~np.isnan(self.shares).any(axis=1))
            return line, np.zeros(len(line), dtype=np.int64), self.shares[line].argmax(axis=1)
        line, column = np.nonzero(self.answers >= 0)
        return line, self.voter[line] if self.kind == "votes" else column, self.answers[line, column]

    def without(self, column: int) -> GivenLabels:
        """The labels of all other columns."""
        return replace(self, answers=np.delete(self.answers, column, axis=1))

    def joined(self, by: Rule) -> tuple[Floats, list[dict[str, float]]]:
        """Class probabilities of each text, `[texts, classes]`, NaN where it has no label; and of each voter the share
        of lines that it labels and, as the model of Dawid & Skene has it, the share of its labels that are right.
        """
        if by == "mean":
            return shares(self.counts), []
        # Of rules without the habits of Dawid & Skene, the model's are given: the share that a majority repeats is no accuracy.
        model = by if by in MODELS else "pseudo_votes"
        found = self._by_rule(model)
        line, source, label = self.cells
        rights = found[self.rows[line], label]
        habits = []
        for place in range(self.voters or self.answers.shape[1]):
            right = rights[source == place]
            habits.append({"covers": len(right) / len(self.rows), "right": float(right.mean()) if len(right) else 0.0})
        return found if by == model else self._by_rule(by), habits

    def _by_rule(self, by: Rule) -> Floats:
        """Class probabilities of each text, joined by a rule of three or more voters."""
        if by == "majority":
            return shares(self.counts)
        if self.kind == "votes":
            line, voter, label = self.cells
            votes = Votes(self.rows[line], voter, label)
            return join_votes(votes, self.texts, self.voters, len(self.classes), by).probabilities
        return join_answers(self.answers, len(self.classes), by, row=self.rows).probabilities

    def save(self, path: Path) -> None:
        """Write one .npz file."""
        np.savez(
            path,
            kind=self.kind,
            classes=np.array(self.classes, dtype=np.str_),
            texts=self.texts,
            rows=self.rows,
            answers=self.answers,
            shares=self.shares,
            voter=self.voter,
            voters=self.voters,
        )

    @classmethod
    def load(cls, path: Path) -> GivenLabels:
        """Read what `save` wrote."""
        with np.load(path) as file:
            kind: Any = str(file["kind"])
            arrays = file["rows"], file["answers"], file["shares"], file["voter"]
            return cls(kind, tuple(file["classes"].tolist()), int(file["texts"]), *arrays, int(file["voters"]))


def read_cheap_labels(
    path: str | Path, reading: Reading, form: Form, problems: list[str], max_classes: int | None = None
) -> CheapLabels | None:
    """The labels in a file, and its inputs. What is wrong is added to `problems`.

    max_classes: None to take a column of very many different values for a mistake.
    """
    table = reading.inputs.table(path, problems)
    if table is None:
        return None
    before = len(problems)
    problems += form.problems(reading)
    nothing: list[str | None] = [None] * len(table)
    voters: list[str | None] = []
    if form.voter is not None and table.has(form.voter, "the voter", problems):
        voters = table.names(form.voter, "voter", problems)
    known = [column for column in form.columns if table.has(column, "label", problems)]
    names = [table.names(column, "label", problems) for column in known]
    if not reading.inputs.exchangeable:  # where a label may be the right candidate itself
        for column, values in zip(known, names, strict=True):
            problems += label_faults(table, column, values, max_classes)
            problems += abstention_faults(table, column, values)
    reads = [reading.rows(table, values, problems) for values in names or [nothing]]
    if form.confidence is not None:
        return _of_confidence(table, form, reads[0], problems, before)
    if form.mapping is not None:
        return _of_mappings(table, form.mapping, reads[0], problems, before, max_classes)
    if form.probabilities is not None:
        return _of_probabilities(table, form, reads[0], problems, before)
    if len(problems) > before or (read := reads[0]) is None:
        return None
    columns = [
        values if one is None or one.labels is None else one.labels
        for one, values in zip(reads, names or [nothing], strict=True)
    ]
    ties = [[name == "" for name in column] for column in columns]
    classes = read.classes or sorted_classes(name for column in columns for name in column if name)
    if len(classes) < 2:
        problems.append(_one_class(table, form.columns, classes))
        return None
    number = {name: place for place, name in enumerate(classes)}
    answers = np.array([[-1 if not name else number[name] for name in column] for column in columns]).T
    nobody = [line for line, name in enumerate(voters) if name is None and answers[line, 0] >= 0]
    if nobody:
        problems.append(f"{table.name}: column {form.voter!r} is blank in {table.where(nobody)}: say whose label it is")
        return None
    if len(columns) == 1 and not voters and any(ties[0]):
        return CheapLabels(table.name, "probabilities", read, classes, answers[:, :0], _shared(answers, ties[0], read))
    left_out = sum(map(sum, ties))
    return CheapLabels(table.name, form.kind, read, classes, answers, np.zeros((len(table), 0)), voters, left_out)


def _of_probabilities(
    table: Table, form: Form, read: Read | None, problems: list[str], before: int
) -> CheapLabels | None:
    classes = sorted_classes(name for name, _ in form.probabilities or ())
    if len(problems) > before or read is None:
        return None
    if read.classes is not None and classes != read.classes:
        problems.append(f"--probabilities: the rows have the classes {', '.join(read.classes)}: name a column for each")
        return None
    shares = class_probabilities(table, classes, None, dict(form.probabilities or ()), problems)
    if shares is None:
        return None
    if read.orders is not None:
        shares = reordered(shares, read.orders)
    return CheapLabels(table.name, "probabilities", read, classes, np.zeros((len(table), 0), dtype=np.int64), shares)


def _of_confidence(table: Table, form: Form, read: Read | None, problems: list[str], before: int) -> CheapLabels | None:
    column = str(form.confidence)
    if not table.has(column, "the confidence", problems) or len(problems) > before or read is None:
        return None
    rows = confident(table, form.columns[0], column, problems)
    return None if rows is None else _of_listed(table, rows, form.columns, read, problems)


def _of_mappings(
    table: Table, column: str, read: Read | None, problems: list[str], before: int, max_classes: int | None
) -> CheapLabels | None:
    if not table.has(column, "the probabilities", problems) or len(problems) > before or read is None:
        return None
    if not is_listed(table, column):
        problems.append(
            "--probabilities: a student needs at least two classes to tell apart: name a column for each, or one column of "
            f"mappings from classes to probabilities, which {column!r} is not"
        )
        return None
    rows = listed(table, column, problems)
    if rows is None:
        return None
    problems += label_faults(table, column, [name for row in rows for name in row or ()], max_classes)
    return None if len(problems) > before else _of_listed(table, rows, [column], read, problems)


def _of_listed(
    table: Table, rows: Listed, columns: Sequence[str], read: Read, problems: list[str]
) -> CheapLabels | None:
    """Labels of classes with their probabilities, in rows that need not list them all."""
    classes = read.classes or sorted_classes(name for row in rows for name in row or ())
    strange = sorted({name for row in rows for name in row or ()} - set(classes))
    if strange:
        problems.append(f"{table.name}: class {strange[0]!r} is not one of {', '.join(classes)}")
    elif len(classes) < 2:
        problems.append(_one_class(table, columns, classes))
    if strange or len(classes) < 2:
        return None
    shares = completed(rows, classes)
    if read.orders is not None:
        shares = reordered(shares, read.orders)
    return CheapLabels(table.name, "probabilities", read, classes, np.zeros((len(table), 0), dtype=np.int64), shares)


def _shared(answers: Ints, ties: Sequence[bool], read: Read) -> Floats:
    """One column of labels as probabilities: a tie is shared by all classes that its row can have."""
    classes = len(read.classes or ())
    allowed = np.ones((len(answers), classes), bool) if read.allowed is None else np.array(read.allowed)
    found = np.full((len(answers), classes), np.nan)
    known = answers[:, 0] >= 0
    found[known] = np.eye(classes)[answers[known, 0]]
    found[np.array(ties)] = uniform(allowed)[np.array(ties)]
    return found


def _one_class(table: Table, columns: Sequence[str], classes: Sequence[str]) -> str:
    several = len(columns) > 1
    which = f"columns {', '.join(columns)}" if several else f"column {columns[0]!r}"
    says, holds = ("say", "hold") if several else ("says", "holds")
    found = f"{says} {classes[0]!r} in every row" if classes else f"{holds} no label at all"
    return f"{table.name}: {which} {found}; a student needs at least two classes to tell apart"
