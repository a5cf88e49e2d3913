"""What a student is trained on: cheap labels in a file, and perhaps a few careful ones in another."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, Ints, harden
from outgrow.core.files.row_text import render
from outgrow.core.files.tables import Table, read_table
from outgrow.core.identity import content_id
from outgrow.core.pool import Pool
from outgrow.core.registry import nearest
from outgrow.core.units import plural
from outgrow.teaching.cheap_labels import CheapLabels, Form, GivenLabels, read_cheap_labels

FEWEST = 20  # careful labels; with fewer, an interval of accuracy is nearly as wide as the whole range
GIVEN, COUNTS = "given.npz", "counts.json"


@dataclass(frozen=True)
class Dataset:
    """The distinct texts that have a cheap or a careful label, as a pool whose truth is the careful labels.

    given: the cheap labels as they came. text_of `[n]`: the text in `given` that a row of the pool is, -1 where it has a
    careful label only. counts: what people should know of the files, see `notes`.
    """

    pool: Pool
    given: GivenLabels
    text_of: Ints
    counts: Mapping[str, int]

    def save(self, folder: Path) -> None:
        """Write the pool's files, `given.npz`, `text_of.npy` and `counts.json`."""
        self.pool.save(folder)
        self.given.save(folder / GIVEN)
        np.save(folder / "text_of.npy", self.text_of)
        (folder / COUNTS).write_text(json.dumps(dict(self.counts)), encoding="utf-8")

    def over_pool(self, of_texts: Floats) -> Floats:
        """Probabilities `[texts, classes]` of the texts with cheap labels as those of the pool's rows, NaN where none."""
        found = np.full((len(self.pool), of_texts.shape[1]), np.nan, dtype=np.float32)
        known = self.text_of >= 0
        found[known] = of_texts[self.text_of[known]]
        return found

    @property
    def both(self) -> int:
        """How many rows have a careful label and a cheap one."""
        return int((self._cheap & (self.pool.labels >= 0)).sum())

    @property
    def alone(self) -> int:
        """How many rows have a cheap label and no careful one."""
        return int((self._cheap & (self.pool.labels < 0)).sum())

    @property
    def _cheap(self) -> NDArray[np.bool_]:
        labelled = self.given.counts.sum(axis=1) > 0
        found: NDArray[np.bool_] = (self.text_of >= 0) & labelled[self.text_of]
        return found

    @classmethod
    def load(cls, folder: Path) -> Dataset:
        """Read what `save` wrote."""
        counts = json.loads((folder / COUNTS).read_text(encoding="utf-8"))
        return cls(Pool.load(folder), GivenLabels.load(folder / GIVEN), np.load(folder / "text_of.npy"), counts)


@dataclass(frozen=True)
class Evidence:
    """What is known of n distinct texts: cheap labels and careful ones."""

    pool: Pool
    cheap: Floats  # [n, classes] float32: cheap labels as probabilities, NaN rows where there are none

    @property
    def careful(self) -> Ints:
        """The rows with a careful label."""
        return np.flatnonzero(self.pool.labels >= 0)

    @property
    def taught(self) -> Ints:
        """The rows to learn from: with a cheap label and without a careful one."""
        return np.flatnonzero(~np.isnan(self.cheap).any(axis=1) & (self.pool.labels < 0))

    def targets(self, learned: Ints) -> Floats:
        """What a student learns, `[rows, classes]`: the cheap labels of `taught`, and the truth of these careful rows."""
        truth = np.eye(len(self.pool.classes))[self.pool.labels[learned]]
        found: Floats = np.concatenate([self.cheap[self.taught].astype(np.float64), truth])
        return found

    @property
    def hard(self) -> Ints:
        """The cheap labels as class numbers `[n]`, -1 where there are none."""
        known = ~np.isnan(self.cheap).any(axis=1)
        return np.where(known, harden(np.nan_to_num(self.cheap), self.pool.ids), -1)


def read_dataset(
    labels: str | Path,
    *,
    text: str,
    form: Form,
    truth: str | Path | None = None,
    truth_label: str | None = None,
    max_classes: int | None = None,
) -> Dataset:
    """The cheap labels in a file, and the careful ones in another. `text` is a column or a template.

    Raises UsageError with everything that is wrong.
    """
    problems: list[str] = []
    cheap = read_cheap_labels(labels, text, form, problems, max_classes)
    gold = _gold(truth, text, form.columns, truth_label, problems) if truth is not None else None
    if cheap is not None and gold is not None:
        _check_gold(gold, cheap, problems)
    if problems or cheap is None:
        raise UsageError(*dict.fromkeys(problems))
    ids = [content_id(value) for value in cheap.texts]
    place = {id_: row for row, id_ in enumerate(dict.fromkeys(ids))}
    given = cheap.given(np.array([place[id_] for id_ in ids], dtype=np.int64), len(place))
    inputs = dict(zip(ids, cheap.texts, strict=True))
    labelled = given.counts.sum(axis=1) > 0
    counts = {"lines": len(ids), "texts": len(place), "unlabelled": int((~labelled).sum())}
    counts |= _repeats(cheap, given)
    careful: dict[str, tuple[str, str]] = {}
    contradicting: set[str] = set()
    if gold is not None:
        careful, contradicting, blank = _distinct(gold)
        inputs |= {id_: value for id_, (value, _) in careful.items()}
        counts |= {"careful": len(careful), "overlap": len(careful.keys() & place.keys())}
        counts |= {"blank": blank, "contradicting": len(contradicting)}
    kept = sorted(
        id_
        for id_ in inputs
        if id_ not in contradicting and (id_ in careful or labelled[place[id_]])  # nobody need read the others
    )
    number = {name: place for place, name in enumerate(cheap.classes)}
    marked = np.array([number[careful[id_][1]] if id_ in careful else -1 for id_ in kept], dtype=np.int64)
    names = np.array(kept, dtype=np.str_)
    pool = Pool(names, [inputs[id_] for id_ in kept], marked, cheap.classes, names, np.zeros(len(kept), dtype=np.bool_))
    found = Dataset(pool, given, np.array([place.get(id_, -1) for id_ in kept], dtype=np.int64), counts)
    _check_enough(Evidence(pool, found.over_pool(given.joined("mean")[0])), str(labels), str(truth))
    return found


def _repeats(cheap: CheapLabels, given: GivenLabels) -> dict[str, int]:
    """How many texts a voter labelled twice or more in the same way, and how many in several ways."""
    if given.kind != "votes":
        return {}
    counted = given.answers[:, 0] >= 0
    left_out = (cheap.answers[:, 0] >= 0) & ~counted
    votes = {(row, who) for row, who in zip(given.rows[counted].tolist(), given.voter[counted].tolist(), strict=True)}
    several = {
        (row, who) for row, who in zip(given.rows[left_out].tolist(), given.voter[left_out].tolist(), strict=True)
    }
    return {"repeated": len(several & votes), "torn": len(several - votes)}


def notes(dataset: Dataset, labels: str, truth: str) -> list[str]:
    """What people should know of the files, under the names that these have now."""
    counts, pool = dataset.counts, dataset.pool
    found = []
    if counts.get("repeated"):
        found.append(f"{plural(counts['repeated'], 'repeated vote')} of one voter on one text: counted once")
    if counts.get("torn"):
        found.append(
            f"{plural(counts['torn'], 'text')} with contradicting votes of one voter: these votes are left out"
        )
    parts = {name: re.split(r"\s*[|;,]\s*", name) for name in pool.classes}
    combined = [name for name, several in parts.items() if len(several) > 1 and set(several) <= set(pool.classes)]
    if combined:
        found.append(
            f"classes such as {combined[0]!r} look like several labels in one cell: each combination is a class of its own"
        )
    if dataset.given.kind != "votes" and counts["texts"] < counts["lines"]:
        found.append(
            f"{counts['lines']} rows of {labels} hold {counts['texts']} distinct texts; labels of the same text are joined"
        )
    if counts["unlabelled"]:
        found.append(
            f"{counts['unlabelled']} of {counts['texts']} texts have no cheap label and are not used for training"
        )
    if dataset.given.kind in ("columns", "votes") and dataset.given.rules == ("mean",):
        found.append("fewer than three give labels: nothing indicates who is right more often, so they are averaged")
    if "careful" not in counts:
        return found
    if counts["blank"]:
        found.append(f"{_count(counts['blank'], 'row')} of {truth} without a label {_are(counts['blank'])} left out")
    if counts["contradicting"]:
        found.append(
            f"{_count(counts['contradicting'], 'text')} of {truth} with contradicting labels "
            f"{_are(counts['contradicting'])} left out"
        )
    if not counts["overlap"]:
        found.append(f"no text of {truth} is in {labels}, so the accuracy of the cheap labels themselves is not known")
    else:
        cheap = "its cheap label is" if counts["overlap"] == 1 else "their cheap labels are"
        found.append(
            f"{counts['overlap']} of {counts['careful']} texts of {truth} {_are(counts['overlap'])} in {labels} too: "
            f"{cheap} not used for training"
        )
    missing = np.bincount(pool.labels[pool.labels >= 0], minlength=len(pool.classes)) == 0
    found += [
        f"no row of {truth} is of class {name!r}, so nothing is known about it"
        for name, absent in zip(pool.classes, missing.tolist(), strict=True)
        if absent
    ]
    return found


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


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
        f"{gold.table.name}: label {name!r} in {gold.table.where(rows)} is not one of the classes in "
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


def _distinct(gold: _Gold) -> tuple[dict[str, tuple[str, str]], set[str], int]:
    """Content id -> text and class name, of texts that have one careful label; ids that have two; rows without one."""
    found: dict[str, tuple[str, str]] = {}
    contradicting: set[str] = set()
    blank = 0
    for value, name in zip(gold.texts, gold.names, strict=True):
        id_ = content_id(value)
        if name is None:
            blank += 1
        elif found.setdefault(id_, (value, name))[1] != name:
            contradicting.add(id_)
    return {id_: value for id_, value in found.items() if id_ not in contradicting}, contradicting, blank


def _check_enough(found: Evidence, labels: str, truth: str) -> None:
    rows = found.taught
    if len(found.pool) == 0:
        raise UsageError(f"{labels}: no row has a label, so there is nothing to learn from")
    if len(rows) == 0:
        raise UsageError(
            f"{labels}: every text with a cheap label is in {truth} too, so nothing is left to learn from; "
            "give more cheap labels or fewer careful ones"
        )
    if np.ptp(found.cheap[rows], axis=0).max() == 0:  # soft labels of one class may differ, and are informative
        name = found.pool.classes[int(found.hard[rows][0])]
        raise UsageError(
            f"{labels}: all {len(rows)} texts to learn from are of class {name!r}; a student needs at least two classes"
        )
