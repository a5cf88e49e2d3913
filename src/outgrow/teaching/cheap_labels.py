"""Cheap labels in a file: columns of class names, one column a class with its probability, or one row a vote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.examples import Floats, Ints, class_name, sorted_classes
from outgrow.core.files.label_columns import class_probabilities
from outgrow.core.files.row_text import render
from outgrow.core.files.tables import read_table
from outgrow.models.label_sources.dawid_skene import dawid_skene, join_columns

FEWEST = 3  # voters for the Dawid-Skene model: of two that disagree nothing says which is right


@dataclass(frozen=True)
class Form:
    """How a file tells its labels: by columns of class names, or by a column a class with its probability.

    probabilities: class and column, in pairs. voter: the column that says whose label a row is; each is then one vote.
    """

    columns: tuple[str, ...] = ()
    probabilities: tuple[tuple[str, str], ...] | None = None
    voter: str | None = None

    @classmethod
    def of(
        cls,
        columns: Sequence[str] = (),
        probabilities: Sequence[Any] | Mapping[Any, Any] | None = None,
        voter: str | None = None,
    ) -> Form:
        """As people write it: columns of probabilities are called after their classes, or `p_<class>`, or class -> column."""
        if isinstance(probabilities, Mapping):
            pairs = tuple((_spelled(name), str(column)) for name, column in probabilities.items())
        elif probabilities is not None:
            names = [str(column) for column in probabilities]
            strip = all(name.startswith("p_") for name in names)
            pairs = tuple((_spelled(name.removeprefix("p_") if strip else name), name) for name in names)
        return cls(tuple(columns), pairs if probabilities is not None else None, voter)

    def problems(self) -> list[str]:
        """What does not fit together, a sentence each."""
        wrong = []
        if self.columns and self.probabilities is not None:
            wrong.append("--label and --probabilities exclude each other: take one away")
        if not self.columns and self.probabilities is None:
            wrong.append("--label: name the column of the cheap labels, or several; or give --probabilities")
        if self.voter is not None and len(self.columns) != 1:
            wrong.append("--voter: each row is then one vote, so name its label by one --label")
        wrong += [
            f"--label: column {one!r} is named twice"
            for one in dict.fromkeys(self.columns)
            if self.columns.count(one) > 1
        ]
        pairs = self.probabilities or ()
        if self.probabilities is not None and len(pairs) < 2:
            wrong.append("--probabilities: a student needs at least two classes to tell apart: name a column for each")
        if any(len({pair[side] for pair in pairs}) < len(pairs) for side in (0, 1)):
            wrong.append("--probabilities: a class or a column stands there twice: name one column for each class")
        return wrong

    @property
    def written(self) -> list[str]:
        """The columns that labels come from."""
        return [*self.columns, *(column for _, column in self.probabilities or ())]

    @property
    def joined(self) -> bool:
        """Whether the Dawid-Skene model joins the columns."""
        return len(self.columns) >= FEWEST


@dataclass(frozen=True)
class CheapLabels:
    """The lines of a file: their texts, and what is said of them."""

    name: str
    form: Form
    texts: Sequence[str]
    classes: tuple[str, ...]
    answers: Ints  # [lines, columns] class numbers, -1 where nothing is said; of probabilities none
    shares: Floats  # [lines, classes], NaN where nothing is said; of class names none
    voters: Sequence[str | None] = ()  # [lines] whose label it is, where rows are votes: blank only without a label

    def joined(self, rows: Ints) -> TextLabels:
        """What is said of each text, where line i of the file is about text `rows[i]`."""
        n = int(rows.max()) + 1
        counts = self._counts(rows, n)
        covered = counts.sum(axis=1) > 0
        notes = []
        if self.form.voter is None and n < len(rows):
            notes.append(
                f"{len(rows)} rows of {Path(self.name).name} hold {n} distinct texts; labels of the same text are joined"
            )
        if not covered.all():
            notes.append(f"{int((~covered).sum())} of {n} texts have no cheap label, and are not learned from")
        if self.form.joined:
            probabilities, habits = self._columns(rows)
            return TextLabels(np.where(covered[:, None], probabilities, np.nan), habits, notes)
        if len({name for name in self.voters if name is not None}) >= FEWEST:
            probabilities, note = self._votes(rows, n)
            return TextLabels(np.where(covered[:, None], probabilities, np.nan), {}, [note, *notes])
        if self.form.voter is not None or len(self.form.columns) > 1:
            notes.append(
                "fewer than three give labels: nothing says who is right more often, so their labels are averaged"
            )
        with np.errstate(invalid="ignore"):
            return TextLabels(counts / counts.sum(axis=1, keepdims=True), {}, notes)

    def _counts(self, rows: Ints, n: int) -> Floats:
        """How often, or with how much probability, each text is said to be of each class, `[n, classes]`."""
        counts = np.zeros((n, len(self.classes)))
        if self.form.probabilities is not None:
            said = ~np.isnan(self.shares).any(axis=1)
            np.add.at(counts, rows[said], self.shares[said])
        else:
            lines, columns = np.nonzero(self.answers >= 0)
            np.add.at(counts, (rows[lines], self.answers[lines, columns]), 1)
        return counts

    def _columns(self, rows: Ints) -> tuple[Floats, dict[str, dict[str, float]]]:
        model = join_columns(self.answers, len(self.classes), rows)
        habits = {}
        for place, column in enumerate(self.form.columns):
            own = np.flatnonzero(self.answers[:, place] >= 0)
            right = model.probabilities[rows[own], self.answers[own, place]]
            habits[column] = {
                "covers": len(own) / len(rows),
                "right": float(right.mean()) if len(own) else 0.0,
            }
        return model.probabilities, habits

    def _votes(self, rows: Ints, n: int) -> tuple[Floats, str]:
        said = np.flatnonzero(self.answers[:, 0] >= 0)
        names, voter = np.unique(np.array([str(self.voters[line]) for line in said.tolist()]), return_inverse=True)
        answer = self.answers[said, 0]
        model = dawid_skene(rows[said], voter, answer, n, len(names), len(self.classes))
        believed = model.probabilities[rows[said], answer]
        right = np.bincount(voter, believed) / np.bincount(voter)
        # No names: who voted is nobody's business who gets the student.
        note = (
            f"{len(names)} voters gave {len(said)} labels to {len(set(rows[said].tolist()))} texts; by the model that "
            f"joins them, they are right on {100 * right.min():.0f}% to {100 * right.max():.0f}% of theirs "
            f"(median {100 * np.median(right):.0f}%)"
        )
        return model.probabilities, note


@dataclass(frozen=True)
class TextLabels:
    """Each text's label: probabilities `[n, classes]`, NaN rows where nothing is said; columns' habits; notes."""

    probabilities: Floats
    habits: Mapping[str, Mapping[str, float]]  # column -> covers, right (shares); where several were joined
    notes: list[str]


def read_cheap_labels(path: str | Path, text: str, form: Form, problems: list[str]) -> CheapLabels | None:
    """The labels in a file; `text` is a column or a template. What is wrong is added to `problems`."""
    table = read_table(path, problems)
    if table is None:
        return None
    before = len(problems)
    texts = render(table, text, problems)
    problems += form.problems()
    lines = len(table)
    nothing = np.zeros((lines, 0), dtype=np.int64)
    voters: list[str | None] = []
    if form.voter is not None and table.has(form.voter, "the voter", problems):
        voters = table.names(form.voter, "voter", problems)
    if form.probabilities is not None:
        classes = sorted_classes(name for name, _ in form.probabilities)
        wrong = len(problems) > before
        shares = None if wrong else class_probabilities(table, classes, None, dict(form.probabilities), problems)
        if shares is None or texts is None:
            return None
        return CheapLabels(table.name, form, texts, classes, nothing, shares)
    known = [column for column in form.columns if table.has(column, "label", problems)]
    names = [table.names(column, "label", problems) for column in known]
    if len(problems) > before or texts is None:
        return None
    classes = sorted_classes(name for column in names for name in column if name is not None)
    if len(classes) < 2:
        several = len(form.columns) > 1
        which = f"columns {', '.join(form.columns)}" if several else f"column {form.columns[0]!r}"
        does = ("say", "hold") if several else ("says", "holds")
        said = f"{does[0]} {classes[0]!r} in every row" if classes else f"{does[1]} no label at all"
        problems.append(f"{table.name}: {which} {said}; a student needs at least two classes to tell apart")
        return None
    number = {name: place for place, name in enumerate(classes)}
    answers = np.array([[-1 if name is None else number[name] for name in column] for column in names]).T
    nobody = [line for line, name in enumerate(voters) if name is None and answers[line, 0] >= 0]
    if nobody:
        problems.append(f"{table.name}: column {form.voter!r} is blank in {table.where(nobody)}: say whose label it is")
        return None
    return CheapLabels(table.name, form, texts, classes, answers, np.zeros((lines, 0)), voters)


def _spelled(name: Any) -> str:
    """A class's one spelling; of what names none, its text."""
    try:
        return class_name(name) or ""
    except TypeError:
        return str(name)
