"""What a student is to be taught from: cheap labels in a file, and perhaps a few careful ones in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, Ints, Strings, harden
from outgrow.core.files.row_text import render
from outgrow.core.files.tables import Table, read_table
from outgrow.core.identity import content_id
from outgrow.core.registry import nearest
from outgrow.teaching.cheap_labels import CheapLabels, Form, read_cheap_labels

FEWEST = 20  # careful labels; with fewer, an interval of accuracy is nearly as wide as the whole range


@dataclass(frozen=True)
class Dataset:
    """n distinct texts of which something is known."""

    texts: Sequence[str]
    ids: Strings  # [n] content ids
    classes: tuple[str, ...]
    cheap: Floats  # [n, classes] float32: cheap labels as probabilities, NaN rows where there are none
    truth: Ints  # [n] class numbers of the careful labels, -1 where there are none
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
    form: Form,
    truth: str | Path | None = None,
    truth_label: str | None = None,
) -> Dataset:
    """The cheap labels in a file, and the careful ones in another. `text` is a column or a template.

    Raises UsageError with everything that is wrong.
    """
    problems: list[str] = []
    cheap = read_cheap_labels(labels, text, form, problems)
    gold = _gold(truth, text, form.columns, truth_label, problems) if truth is not None else None
    if cheap is not None and gold is not None:
        _check_gold(gold, cheap, problems)
    if problems or cheap is None:
        raise UsageError(*dict.fromkeys(problems))
    ids = [content_id(value) for value in cheap.texts]
    place = {id_: row for row, id_ in enumerate(dict.fromkeys(ids))}
    rows = np.array([place[id_] for id_ in ids], dtype=np.int64)
    joined = cheap.joined(rows)
    probabilities, notes = joined.probabilities, list(joined.notes)
    texts = list(dict(zip(ids, cheap.texts, strict=True)).values())
    marked = np.full(len(texts), -1)
    if gold is not None:
        number = {name: place for place, name in enumerate(cheap.classes)}
        careful, contradicting, more = _distinct(gold)
        probabilities[[place[id_] for id_ in contradicting if id_ in place]] = np.nan
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
    found = Dataset(
        [texts[row] for row in kept.tolist()],
        np.array(list(place), dtype=np.str_)[kept],
        cheap.classes,
        probabilities[kept].astype(np.float32),
        marked[kept],
        joined.habits,
        tuple(notes),
    )
    _check_enough(found, str(labels), str(truth))
    return found


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
    names = table.names(label, "label", problems) if table.has(label, "the careful label", problems) else []
    if len(problems) > before or texts is None:
        return None
    return _Gold(table, texts, names, label)


def _check_gold(gold: _Gold, cheap: CheapLabels, problems: list[str]) -> None:
    unknown: dict[str, list[int]] = {}
    for row, name in enumerate(gold.names):
        if name is not None and name not in cheap.classes:
            unknown.setdefault(name, []).append(row)
    problems += [
        f"{gold.table.name}: label {name!r} in {gold.table.where(rows)} is none of the classes in "
        f"{cheap.name}{nearest(name, cheap.classes)}"
        for name, rows in unknown.items()
    ]
    careful, _, _ = _distinct(gold)
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


def _distinct(gold: _Gold) -> tuple[dict[str, tuple[str, str]], set[str], list[str]]:
    """Content id -> text and class name, of texts that have one careful label; ids that have two; notes on both."""
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
    return {id_: value for id_, value in found.items() if id_ not in contradicting}, contradicting, notes


def _overlap(common: int, careful: int, truth: str, labels: str) -> str:
    if not common:
        return f"no text of {truth} stands in {labels}, so the accuracy of the cheap labels themselves is not known"
    stand, leave = ("stands", "it leaves") if common == 1 else ("stand", "they leave")
    return f"{common} of {careful} texts of {truth} {stand} in {labels} too: {leave} the training set"


def _check_enough(found: Dataset, labels: str, truth: str) -> None:
    rows = found.taught
    if len(found.texts) == 0:
        raise UsageError(f"{labels}: no row has a label, so there is nothing to learn from")
    if len(rows) == 0:
        raise UsageError(
            f"{labels}: every text with a cheap label also stands in {truth}, so nothing is left to learn from; "
            "give more cheap labels or fewer careful ones"
        )
    if np.ptp(found.cheap[rows], axis=0).max() == 0:  # soft labels of one class may differ, and tell something
        name = found.classes[int(found.hard[rows][0])]
        raise UsageError(
            f"{labels}: all {len(rows)} texts to learn from are of class {name!r}; a student needs at least two classes"
        )
