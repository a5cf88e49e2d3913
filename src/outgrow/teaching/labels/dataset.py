"""What a student is trained on: cheap labels in a file, and perhaps a few careful ones in another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outgrow.core.answers import within
from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, Ints, Strings, harden
from outgrow.core.inputs.input_type import InputType
from outgrow.core.pool import Pool
from outgrow.teaching.labels.careful_labels import (
    Careful,
    Gold,
    Rows,
    careful_files,
    check_classes,
    check_gold,
    matched,
    read_gold,
)
from outgrow.teaching.labels.cheap_labels import CheapLabels, GivenLabels, read_cheap_labels
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading

GIVEN, COUNTS, TRUTH = "given.npz", "counts.json", "truth.npy"


@dataclass(frozen=True)
class Dataset:
    """The distinct texts that have a cheap or a careful label, as a pool whose truth is the careful labels.

    given: the cheap labels as they came. text_of `[n]`: the text in `given` that a row of the pool is, -1 where it has a
    careful label only. counts: what people should know of the files, see `notes`. truth `[n, classes]`: what is learned of
    the careful labels, NaN where there is none; of rows that were chosen and not drawn too, which the pool has no truth of.
    """

    pool: Pool
    given: GivenLabels
    text_of: Ints
    counts: Mapping[str, int]
    truth: Floats

    def save(self, folder: Path) -> None:
        """Write the pool's files, `given.npz`, `text_of.npy` and `counts.json`."""
        self.pool.save(folder)
        self.given.save(folder / GIVEN)
        np.save(folder / "text_of.npy", self.text_of)
        if not np.array_equal(self.truth, one_hot(self.pool), equal_nan=True):
            np.save(folder / TRUTH, self.truth)
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
        return int((self._cheap & self._careful).sum())

    @property
    def alone(self) -> int:
        """How many rows have a cheap label and no careful one."""
        return int((self._cheap & ~self._careful).sum())

    @property
    def _careful(self) -> NDArray[np.bool_]:
        return np.asarray(~np.isnan(self.truth).any(axis=1))

    @property
    def _cheap(self) -> NDArray[np.bool_]:
        labelled = self.given.counts.sum(axis=1) > 0
        found: NDArray[np.bool_] = (self.text_of >= 0) & labelled[self.text_of]
        return found

    @classmethod
    def load(cls, folder: Path) -> Dataset:
        """Read what `save` wrote."""
        counts = json.loads((folder / COUNTS).read_text(encoding="utf-8"))
        pool, given = Pool.load(folder), GivenLabels.load(folder / GIVEN)
        return cls(pool, given, np.load(folder / "text_of.npy"), counts, truth_in(folder, pool))


def one_hot(pool: Pool) -> Floats:
    """The truth of a pool's rows, `[n, classes]`, NaN where it is not known."""
    found = np.full((len(pool), len(pool.classes)), np.nan)
    known = pool.labels >= 0
    found[known] = np.eye(len(pool.classes))[pool.labels[known]]
    return found


def truth_in(folder: Path, pool: Pool) -> Floats:
    """What is learned of the careful labels, `[n, classes]`, NaN where there is none, from a data set's folder."""
    found: Floats = np.load(folder / TRUTH) if (folder / TRUTH).is_file() else one_hot(pool)
    return found


@dataclass(frozen=True)
class Evidence:
    """What is known of n distinct texts: cheap labels and careful ones."""

    pool: Pool
    cheap: Floats  # [n, classes] float32: cheap labels as probabilities, NaN rows where there are none
    truth: Floats  # [n, classes] what is learned of the careful labels, see Dataset

    @property
    def careful(self) -> Ints:
        """The rows with a careful label to measure by."""
        return np.flatnonzero(self.pool.labels >= 0)

    @property
    def careful_groups(self) -> Strings:
        """The groups of these: rows of one group are never on two sides of a fold."""
        return self.pool.groups[self.careful]

    @property
    def taught(self) -> Ints:
        """The rows to learn from that no fold scores: with a cheap label and without a careful one, or chosen."""
        known = ~np.isnan(self.cheap).any(axis=1) | ~np.isnan(self.truth).any(axis=1)
        return np.flatnonzero(known & (self.pool.labels < 0))

    @property
    def chosen(self) -> Ints:
        """Those of `taught` with careful labels that were chosen and not drawn."""
        return np.flatnonzero(~np.isnan(self.truth).any(axis=1) & (self.pool.labels < 0))

    def targets(self, learned: Ints) -> Floats:
        """What a student learns, `[rows, classes]`: the cheap labels of `taught`, and the truth of these careful rows."""
        cheap = self.cheap.astype(np.float64)
        cheap[self.chosen] = self.truth[self.chosen]
        found: Floats = np.concatenate([cheap[self.taught], self.truth[learned]])
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
    truth: str | Path | Sequence[str | Path] | None = None,
    truth_label: str | None = None,
    truth_voters: Sequence[str] = (),
    learn: Sequence[str | Path] = (),
    max_classes: int | None = None,
) -> Dataset:
    """The cheap labels in a file, and the careful ones in others.

    truth_voters: whose votes the careful labels are, see `read_gold`; then their shares are learned, and their majority
    measures. learn: files of careful labels that were chosen and not drawn: to learn from, never to measure by.
    Careful labels find their text by its normal form: what spreadsheets change (case, white space, Unicode form) does
    not make another text of it, which would then be learned from and scored on. Raises UsageError with everything that
    is wrong.
    """
    problems: list[str] = []
    cheap = read_cheap_labels(labels, reading, form, problems, max_classes)
    paths = careful_files(truth)
    read = [read_gold(path, reading, form.columns, truth_label, problems, voters=truth_voters) for path in paths]
    extra = [read_gold(path, reading, form.columns, truth_label, problems, chosen=True) for path in learn]
    if cheap is not None and not problems:
        for one in [*read, *extra]:
            if one is not None:
                check_classes(one, cheap, problems)
        problems += [
            f"{one.table.name}: column {one.column!r} holds no label to learn from by --learn"
            for one in extra
            if one is not None and not one.known
        ]
    gold = reduce(Gold.with_more, [one for one in read if one is not None]) if any(read) else None
    chosen = reduce(Gold.with_more, [one for one in extra if one is not None]) if any(extra) else None
    if cheap is not None and gold is not None and not problems:
        check_gold(gold, cheap, problems)
    if problems or cheap is None:
        raise UsageError(*dict.fromkeys(problems))
    found = assembled(cheap, gold, chosen, reading.inputs, str(labels), " and ".join(map(str, paths)))
    _check_apart(_evidence(found), str(labels))
    return found


def assembled(
    cheap: CheapLabels, gold: Gold | None, chosen: Gold | None, inputs: InputType, labels: str, truth: str
) -> Dataset:
    """The distinct texts of cheap labels, of careful ones and of chosen ones, once these are known to fit together.

    labels, truth: what sentences call them. Raises UsageError where nothing is left to learn from.
    """
    classes = _classes(cheap, gold, chosen)
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
        counts |= {"blank": gold.blank, "contradicting": len(careful.contradicting)}
        counts |= {"twins": len(careful.twins), "respelled": careful.respelled}
        if gold.votes:
            counts |= {"dissent": sum(len(one) > 1 for one in careful.shares.values()), "tied": careful.tied}
    more = Careful({}, set(), set(), 0)
    if chosen is not None:
        scored = chosen.known.keys() & (set() if gold is None else gold.known.keys())
        chosen = chosen.without(scored)
        more = matched(chosen, rows, {id_ for id_ in place if labelled[place[id_]]})
        rows = rows.with_more(chosen.rows)
        counts |= {"chosen": len(more.names), "chosen_scored": len(scored)}
        counts |= {"chosen_contradicting": len(more.contradicting)}
    left_out = careful.contradicting | careful.twins | more.contradicting | more.twins
    kept = sorted(
        id_
        for id_ in rows.first
        if id_ not in left_out
        and (
            id_ in careful.names or id_ in more.names or (id_ in place and labelled[place[id_]])
        )  # nobody need read the others
    )
    number = {name: place for place, name in enumerate(classes)}
    marked = np.array([number[careful.names[id_]] if id_ in careful.names else -1 for id_ in kept], dtype=np.int64)
    pool = rows.pool(kept, marked, classes, inputs)
    learned = careful.soft(kept, classes)
    learned = np.where(np.isnan(learned), more.soft(kept, classes), learned)
    found = Dataset(pool, given, np.array([place.get(id_, -1) for id_ in kept], dtype=np.int64), counts, learned)
    _check_enough(_evidence(found), labels, truth)
    return found


def _evidence(found: Dataset) -> Evidence:
    """What is known before anything tells how voters are joined."""
    return Evidence(found.pool, found.over_pool(found.given.joined("mean")[0]), found.truth)


def _classes(cheap: CheapLabels, *careful: Gold | None) -> tuple[str, ...]:
    """The classes of all files: where these are places in the input, as many as the widest row has."""
    return max(cheap.classes, *(one.rows.read.classes or () if one is not None else () for one in careful), key=len)


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


def _check_apart(found: Evidence, labels: str) -> None:
    rows = found.taught
    alike = (
        np.ptp(found.targets(found.careful[:0]), axis=0).max() == 0
    )  # soft labels of one class may differ, and are informative
    if alike and not found.pool.input_type.exchangeable:
        name = found.pool.classes[int(found.targets(found.careful[:0])[0].argmax())]
        raise UsageError(
            f"{labels}: all {len(rows)} texts to learn from are of class {name!r}; a student needs at least two classes"
        )
