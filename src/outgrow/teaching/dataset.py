"""What a student is trained on: cheap labels in a file, and perhaps a few careful ones in another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outgrow.core.answers import within
from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, Ints, Strings, harden
from outgrow.core.pool import Pool
from outgrow.teaching.careful_labels import Careful, Gold, Rows, check_gold, matched, read_gold
from outgrow.teaching.cheap_labels import CheapLabels, GivenLabels, read_cheap_labels
from outgrow.teaching.label_form import Form
from outgrow.teaching.reading import Reading

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
        return within(found, self.pool.allowed)

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
    def careful_groups(self) -> Strings:
        """The groups of these: rows of one group are never on two sides of a fold."""
        return self.pool.groups[self.careful]

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
    reading: Reading,
    form: Form,
    truth: str | Path | None = None,
    truth_label: str | None = None,
    max_classes: int | None = None,
) -> Dataset:
    """The cheap labels in a file, and the careful ones in another.

    Careful labels find their text by its normal form: what spreadsheets change (case, white space, Unicode form) does
    not make another text of it, which would then be learned from and scored on. Raises UsageError with everything that
    is wrong.
    """
    problems: list[str] = []
    cheap = read_cheap_labels(labels, reading, form, problems, max_classes)
    gold = read_gold(truth, reading, form.columns, truth_label, problems) if truth is not None else None
    if cheap is not None and gold is not None:
        check_gold(gold, cheap, problems)
    if problems or cheap is None:
        raise UsageError(*dict.fromkeys(problems))
    inputs = reading.inputs
    classes = _classes(cheap, gold)
    rows = Rows.of(cheap.read, inputs)
    ids = rows.ids
    place = {id_: row for row, id_ in enumerate(dict.fromkeys(ids))}
    given = cheap.given(np.array([place[id_] for id_ in ids], dtype=np.int64), len(place))
    given = replace(given, classes=classes)
    labelled = given.counts.sum(axis=1) > 0
    counts = {"lines": len(ids), "texts": len(place), "unlabelled": int((~labelled).sum()), "ties": cheap.ties}
    counts |= _repeats(cheap, given)
    careful = Careful({}, set(), set(), 0)
    if gold is not None:
        careful = matched(gold, rows, {id_ for id_ in place if labelled[place[id_]]})
        rows = rows.with_more(gold.rows)
        counts |= {"careful": len(careful.names), "overlap": len(careful.names.keys() & place.keys())}
        counts |= {"blank": sum(name is None for name in gold.names), "contradicting": len(careful.contradicting)}
        counts |= {"twins": len(careful.twins), "respelled": careful.respelled}
    kept = sorted(
        id_
        for id_ in rows.first
        if id_ not in careful.contradicting | careful.twins
        and (id_ in careful.names or (id_ in place and labelled[place[id_]]))  # nobody need read the others
    )
    number = {name: place for place, name in enumerate(classes)}
    marked = np.array([number[careful.names[id_]] if id_ in careful.names else -1 for id_ in kept], dtype=np.int64)
    pool = rows.pool(kept, marked, classes, inputs)
    found = Dataset(pool, given, np.array([place.get(id_, -1) for id_ in kept], dtype=np.int64), counts)
    _check_enough(Evidence(pool, found.over_pool(given.joined("mean")[0])), str(labels), str(truth))
    return found


def _classes(cheap: CheapLabels, gold: Gold | None) -> tuple[str, ...]:
    """The classes of both files: where these are places in the input, as many as the widest row has."""
    return max(cheap.classes, gold.rows.read.classes or () if gold is not None else (), key=len)


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


def _check_enough(found: Evidence, labels: str, truth: str) -> None:
    rows = found.taught
    if len(found.pool) == 0:
        raise UsageError(f"{labels}: no row has a label, so there is nothing to learn from")
    if len(rows) == 0:
        raise UsageError(
            f"{labels}: every text with a cheap label is in {truth} too, so nothing is left to learn from; "
            "give more cheap labels or fewer careful ones"
        )
    alike = np.ptp(found.cheap[rows], axis=0).max() == 0  # soft labels of one class may differ, and are informative
    if alike and not found.pool.input_type.exchangeable:
        name = found.pool.classes[int(found.hard[rows][0])]
        raise UsageError(
            f"{labels}: all {len(rows)} texts to learn from are of class {name!r}; a student needs at least two classes"
        )
