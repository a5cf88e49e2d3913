"""What a student is to be taught from: cheap labels in a file, and perhaps a few careful ones in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core import Floats, Ints, Strings, UsageError, class_name, content_id, harden, sorted_classes
from outgrow.labels.dawid_skene import join_columns
from outgrow.registry import nearest
from outgrow.tables import Table, read_table
from outgrow.templates import render

FEWEST = 20  # careful labels; with fewer, an interval of accuracy is nearly as wide as the whole range


@dataclass(frozen=True)
class Evidence:
    """n distinct texts of which something is known."""

    texts: Sequence[str]
    ids: Strings  # [n] content ids
    classes: tuple[str, ...]
    cheap: Floats  # [n, classes] float32: cheap labels as probabilities, NaN rows where there are none
    truth: Ints  # [n] class numbers of the careful labels, -1 where there are none
    columns: tuple[str, ...]  # of the cheap labels
    voters: Mapping[str, Mapping[str, float]]  # column -> coverage, accuracy by Dawid-Skene; empty for one column
    notes: tuple[str, ...]  # sentences for people

    @property
    def gold(self) -> Ints:
        """The rows with a careful label."""
        return np.flatnonzero(self.truth >= 0)

    @property
    def taught(self) -> Ints:
        """The rows to learn from: with a cheap label and without a careful one."""
        return np.flatnonzero(~np.isnan(self.cheap).any(axis=1) & (self.truth < 0))

    @property
    def hard(self) -> Ints:
        """The cheap labels as class numbers `[n]`, -1 where there are none."""
        known = ~np.isnan(self.cheap).any(axis=1)
        return np.where(known, harden(np.nan_to_num(self.cheap), self.ids), -1)


def read_evidence(
    labels: str | Path,
    *,
    text: str,
    columns: Sequence[str],
    truth: str | Path | None = None,
    truth_label: str | None = None,
) -> Evidence:
    """The cheap labels in the columns of a file, and the careful ones in another. `text` is a column or a template.

    Several columns are joined by the Dawid-Skene model. Raises UsageError with everything that is wrong.
    """
    problems: list[str] = []
    cheap = _Cheap.read(labels, text, columns, problems)
    gold = _gold(truth, text, columns, truth_label, problems) if truth is not None else None
    if cheap is not None and gold is not None:
        _check_gold(gold, cheap, problems)
    if problems or cheap is None:
        raise UsageError(*dict.fromkeys(problems))
    ids = [content_id(value) for value in cheap.texts]
    place = {id_: row for row, id_ in enumerate(dict.fromkeys(ids))}
    rows = np.array([place[id_] for id_ in ids], dtype=np.int64)
    probabilities, voters, notes = cheap.joined(rows)
    texts = list(dict(zip(ids, cheap.texts, strict=True)).values())
    marked = np.full(len(texts), -1)
    if gold is not None:
        number = {name: place for place, name in enumerate(cheap.classes)}
        careful, more = _distinct(gold)
        notes += more
        overlap = [id_ for id_ in careful if id_ in place]
        fresh = [id_ for id_ in careful if id_ not in place]
        texts += [careful[id_][0] for id_ in fresh]
        place |= {id_: len(place) + n for n, id_ in enumerate(fresh)}
        marked = np.full(len(texts), -1)
        for id_, (_, name) in careful.items():
            marked[place[id_]] = number[name]
        probabilities = np.concatenate([probabilities, np.full((len(fresh), len(cheap.classes)), np.nan)])
        notes.append(_overlap(len(overlap), len(careful), Path(str(truth)).name, Path(labels).name))
        counts = np.bincount(marked[marked >= 0], minlength=len(cheap.classes))
        notes += [
            f"no row of {Path(str(truth)).name} is of class {name!r}, so nothing is known about it"
            for name, count in zip(cheap.classes, counts, strict=True)
            if not count
        ]
    kept = np.flatnonzero(~np.isnan(probabilities).any(axis=1) | (marked >= 0))  # nobody need read the others
    found = Evidence(
        [texts[row] for row in kept.tolist()],
        np.array(list(place), dtype=np.str_)[kept],
        cheap.classes,
        probabilities[kept].astype(np.float32),
        marked[kept],
        tuple(columns),
        voters,
        tuple(notes),
    )
    _check_enough(found, str(labels), str(truth))
    return found


@dataclass(frozen=True)
class _Cheap:
    """The lines of the file of cheap labels."""

    name: str
    texts: Sequence[str]
    classes: tuple[str, ...]
    columns: Sequence[str]
    answers: Ints  # [lines, columns] class numbers, -1 where nothing is said

    @classmethod
    def read(cls, path: str | Path, text: str, columns: Sequence[str], problems: list[str]) -> _Cheap | None:
        table = read_table(path, problems)
        if table is None:
            return None
        before = len(problems)
        texts = render(table, text, problems)
        if not columns:
            problems.append("--label: name the column of the cheap labels, or several")
        problems += [
            f"--label: column {one!r} is named twice" for one in dict.fromkeys(columns) if _twice(one, columns)
        ]
        names = [_names(table, column, problems) for column in columns if table.has(column, "label", problems)]
        if len(problems) > before or texts is None:
            return None
        classes = sorted_classes(name for column in names for name in column if name is not None)
        which = f"column {columns[0]!r}" if len(columns) == 1 else f"columns {', '.join(columns)}"
        if len(classes) < 2:
            said = f"say {classes[0]!r} in every row" if classes else "hold no label at all"
            said = said.replace("say", "says").replace("hold", "holds") if len(columns) == 1 else said
            problems.append(f"{table.name}: {which} {said}; a student needs at least two classes to tell apart")
            return None
        number = {name: place for place, name in enumerate(classes)}
        answers = np.array([[-1 if name is None else number[name] for name in column] for column in names]).T
        return cls(table.name, texts, classes, columns, answers)

    def joined(self, rows: Ints) -> tuple[Floats, dict[str, dict[str, float]], list[str]]:
        """Each text's probabilities, NaN where no column says anything; each column's habits; notes."""
        n, classes = int(rows.max()) + 1, len(self.classes)
        said = self.answers >= 0
        counts = np.zeros((n, classes))
        lines, voters = np.nonzero(said)
        np.add.at(counts, (rows[lines], self.answers[said]), 1)
        covered = counts.sum(axis=1) > 0
        notes = []
        if n < len(rows):
            notes.append(
                f"{len(rows)} rows of {Path(self.name).name} hold {n} distinct texts; labels of the same text are joined"
            )
        if not covered.all():
            notes.append(f"{int((~covered).sum())} of {n} texts have no cheap label, and are not learned from")
        voted: dict[str, dict[str, float]] = {}
        if len(self.columns) == 1:
            with np.errstate(invalid="ignore"):
                probabilities: Floats = counts / counts.sum(axis=1, keepdims=True)
        else:
            model = join_columns(self.answers, classes, rows)
            probabilities = np.where(covered[:, None], model.probabilities, np.nan)
            for place, column in enumerate(self.columns):
                own = lines[voters == place]
                right = model.probabilities[rows[own], self.answers[own, place]]
                voted[column] = {
                    "covers": float(said[:, place].mean()),
                    "right": float(right.mean()) if len(own) else 0.0,
                }
        return probabilities, voted, notes


def _twice(one: str, columns: Sequence[str]) -> bool:
    return list(columns).count(one) > 1


def _names(table: Table, column: str, problems: list[str]) -> list[str | None]:
    names: list[str | None] = []
    wrong: list[int] = []
    for row, value in enumerate(table.columns[column]):
        try:
            names.append(class_name(value))
        except TypeError:
            names.append(None)
            wrong.append(row)
    if wrong:
        problems.append(
            f"{table.name}: column {column!r} holds no single label in {table.where(wrong)}; one value a row"
        )
    return names


@dataclass(frozen=True)
class _Gold:
    table: Table
    texts: Sequence[str]
    names: Sequence[str | None]
    column: str


def _gold(path: str | Path, text: str, columns: Sequence[str], label: str | None, problems: list[str]) -> _Gold | None:
    table = read_table(path, problems)
    if table is None:
        return None
    before = len(problems)
    texts = render(table, text, problems)
    if label is None:
        wanted = [*(columns if len(columns) == 1 else ()), "label", "truth"]
        label = next((name for name in wanted if name in table.columns), None)
    if label is None:
        problems.append(
            f"{table.name}: which column holds the careful labels? Name it with --truth-label; "
            f"there is {', '.join(table.columns)}"
        )
        return None
    names = _names(table, label, problems) if table.has(label, "the careful label", problems) else []
    if len(problems) > before or texts is None:
        return None
    return _Gold(table, texts, names, label)


def _check_gold(gold: _Gold, cheap: _Cheap, problems: list[str]) -> None:
    unknown: dict[str, list[int]] = {}
    for row, name in enumerate(gold.names):
        if name is not None and name not in cheap.classes:
            unknown.setdefault(name, []).append(row)
    problems += [
        f"{gold.table.name}: label {name!r} in {gold.table.where(rows)} is none of the classes in "
        f"{cheap.name}{nearest(name, cheap.classes)}"
        for name, rows in unknown.items()
    ]
    careful, _ = _distinct(gold)
    known = {name for _, name in careful.values()}
    if unknown:
        return
    if len(careful) < FEWEST:
        problems.append(
            f"{gold.table.name}: {len(careful)} texts with a careful label are too few to measure anything by; "
            f"label {FEWEST} or more, 200 are better"
        )
    elif len(known) == 1:
        problems.append(
            f"{gold.table.name}: column {gold.column!r} says {known.pop()!r} in every row; careful labels of at least "
            "two classes are needed"
        )


def _distinct(gold: _Gold) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Content id -> text and class name, of texts that have one careful label; notes on the others."""
    found: dict[str, tuple[str, str]] = {}
    contradicting: set[str] = set()
    blank = 0
    for value, name in zip(gold.texts, gold.names, strict=True):
        id_ = content_id(value)
        if name is None:
            blank += 1
        elif found.setdefault(id_, (value, name))[1] != name:
            contradicting.add(id_)
    notes = []
    name = Path(gold.table.name).name  # notes are kept with the student: no path of this machine
    if blank:
        notes.append(f"{blank} rows of {name} have no label and count as absent")
    if contradicting:
        notes.append(f"{len(contradicting)} texts of {name} have contradicting labels and are left out")
    return {id_: value for id_, value in found.items() if id_ not in contradicting}, notes


def _overlap(common: int, careful: int, truth: str, labels: str) -> str:
    if not common:
        return f"no text of {truth} stands in {labels}, so the accuracy of the cheap labels themselves is not known"
    stand, leave = ("stands", "it leaves") if common == 1 else ("stand", "they leave")
    return f"{common} of {careful} texts of {truth} {stand} in {labels} too: {leave} the training set"


def _check_enough(found: Evidence, labels: str, truth: str) -> None:
    rows = found.taught
    if len(rows) == 0:
        raise UsageError(
            f"{labels}: every text with a cheap label also stands in {truth}, so nothing is left to learn from; "
            "give more cheap labels or fewer careful ones"
        )
    left: Any = set(found.hard[rows].tolist())
    if len(left) == 1:
        name = found.classes[left.pop()]
        raise UsageError(
            f"{labels}: all {len(rows)} texts to learn from are of class {name!r}; a student needs at least two classes"
        )
