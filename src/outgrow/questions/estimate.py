"""How many of each class are there, and how often are students and labels right: over a whole file, and by subgroup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.examples import Floats, Ints, harden
from outgrow.core.files.streams import writer
from outgrow.core.text.units import plural
from outgrow.questions.material import Material, Place, gather
from outgrow.questions.measures.powered import Powered, powered
from outgrow.questions.population import Rows, predictions, read_rows
from outgrow.teaching.labels.label_form import Form

FEWEST = 10  # careful labels of a group: with fewer, there is no estimate


@dataclass(frozen=True)
class Estimated:
    """One quantity over the rows of a file or of one group. careful: how many careful labels it rests on; worth: as how
    many of these alone; None: too few careful labels to say anything.
    """

    quantity: str  # "share", "student" or "labels": how often these are right
    of_class: str | None  # of a share
    group: str | None
    rows: int
    careful: int
    estimate: float | None
    low: float | None
    high: float | None
    alone: tuple[float, float, float] | None  # by the careful labels alone: estimate, low, high
    counted: float | None  # what counting the student's answers would say; of accuracies nothing
    worth: float | None


@dataclass(frozen=True)
class Estimates:
    """All quantities, those of the whole file first. needed: careful labels for shares within a margin; None: no number."""

    found: Sequence[Estimated]
    within: float
    needed: int | None
    careful: int
    notes: Sequence[str]


@dataclass(frozen=True)
class Units:
    """The distinct texts of a file in each group, and careful texts that are not in it."""

    truth: Ints  # [n] class, -1 where there is no careful label
    opinion: Floats  # [n, classes]
    cheap: Ints  # [n] class, -1 where there is no cheap label
    predicted: Ints  # [n] class
    rows: Floats  # [n] how many rows of the file are this text; 0 of a careful text that is not in it
    group: NDArray[np.str_]  # [n]

    def at(self, chosen: NDArray[np.bool_]) -> Units:
        """Some of them."""
        return Units(
            self.truth[chosen],
            self.opinion[chosen],
            self.cheap[chosen],
            self.predicted[chosen],
            self.rows[chosen],
            self.group[chosen],
        )


def estimate_files(
    labels: str | Path,
    *,
    text: str,
    columns: Sequence[str] = (),
    probabilities: Sequence[str] | Mapping[str, str] | None = None,
    voter: str | None = None,
    truth: str | Path,
    truth_label: str | None = None,
    rows: str | Path | None = None,
    by: str | None = None,
    within: float = 0.02,
    out: str | Path | None = None,
    student: str | Mapping[str, Any] = "minilm",
    max_classes: int | None = None,
    seed: int = 0,
    place: Place | None = None,
) -> Estimates:
    """Class shares, and how often student and cheap labels are right, over the rows of a file (by default the labels' own).

    truth: careful labels of texts that were drawn at random from these rows. by: a column of groups. within: the margin that
    `needed` is about. docs/guide/estimate.md explains the rest. Raises UsageError with everything that is wrong.
    """
    where = place or Place()
    source = labels if rows is None else rows
    read: list[Rows | None] = []
    material = gather(
        Path(labels),
        text,
        Form.of(columns, probabilities, voter),
        Path(truth),
        truth_label,
        student,
        where,
        max_classes=max_classes,
        seed=seed,
        before=lambda problems: read.append(read_rows(source, text, by, problems)),
    )
    whole = read[0]
    assert whole is not None  # or gather has raised
    units = _units(material, whole)
    classes = material.work.data.pool.classes
    found = _quantities(units, classes, None)
    groups = sorted({name for name in whole.groups if name is not None})
    for name in groups:
        found += _quantities(units.at(units.group == name), classes, name)
    estimates = Estimates(
        found,
        within,
        _needed(units, len(classes), within),
        int((units.truth >= 0).sum()),
        _notes(units, Path(truth).name, Path(source).name),
    )
    if out is not None:
        write(estimates, str(out))
    return estimates


def _units(material: Material, rows: Rows) -> Units:
    evidence = material.work.evidence
    pool = evidence.pool
    opinion = predictions(material, rows)
    first: dict[tuple[str, str], int] = {}
    counts: dict[tuple[str, str], int] = {}
    for row, key in enumerate(zip(rows.ids, (name or "" for name in rows.groups), strict=True)):
        first.setdefault(key, row)
        counts[key] = counts.get(key, 0) + 1
    places = np.array(list(first.values()), dtype=np.int64)
    ids = [rows.ids[place] for place in places.tolist()]
    at = {id_: number for number, id_ in enumerate(pool.ids.tolist())}
    mine = np.array([at.get(id_, -1) for id_ in ids], dtype=np.int64)
    there = set(ids)
    outside = np.array([row for row in evidence.careful.tolist() if pool.ids[row] not in there], dtype=np.int64)
    known = np.concatenate([mine, outside])
    values = np.concatenate([opinion[places], material.opinion[outside]])
    names = [*ids, *pool.ids[outside].tolist()]
    return Units(
        np.where(known >= 0, pool.labels[known], -1),
        values,
        np.where(known >= 0, evidence.hard[known], -1),
        harden(values, names),
        np.array([*counts.values(), *([0] * len(outside))], dtype=np.float64),
        np.array([*(key[1] for key in first), *([""] * len(outside))], dtype=np.str_),
    )


def _quantities(units: Units, classes: Sequence[str], group: str | None) -> list[Estimated]:
    """The shares of all classes, and the accuracies of the student and of the cheap labels."""
    place = np.arange(len(units.truth))
    found = []
    for number, name in enumerate(classes):
        one = _powered(units, (units.truth == number).astype(np.float64), units.opinion[:, number])
        counted = float(((units.predicted == number) * units.rows).sum() / max(units.rows.sum(), 1))
        found.append(_estimated("share", name, group, units, one, counted))
    right = (units.truth == units.predicted).astype(np.float64)
    found.append(
        _estimated("student", None, group, units, _powered(units, right, units.opinion[place, units.predicted]))
    )
    labelled = units.at(units.cheap >= 0)
    if (labelled.rows > 0).any():
        right = (labelled.truth == labelled.cheap).astype(np.float64)
        likely = labelled.opinion[np.arange(len(labelled.cheap)), labelled.cheap]
        found.append(_estimated("labels", None, group, labelled, _powered(labelled, right, likely)))
    return found


def _powered(units: Units, y: Floats, f: Floats) -> tuple[Powered, Powered] | None:
    """By careful values and predictions, and by careful values alone. A text that is in several rows counts so often."""
    careful = units.truth >= 0
    if careful.sum() < FEWEST:
        return None
    inside = units.rows > 0
    weight = np.where(inside, units.rows, 1.0)
    weight = weight / (weight[inside].mean() if inside.any() else 1.0)
    y, f = y * weight, f * weight
    others = f[inside & ~careful]
    return powered(y[careful], f[careful], others), powered(y[careful], f[careful], others, 0.0)


def _estimated(
    quantity: str,
    of_class: str | None,
    group: str | None,
    units: Units,
    both: tuple[Powered, Powered] | None,
    counted: float | None = None,
) -> Estimated:
    rows, careful = int(units.rows.sum()), int((units.truth >= 0).sum())
    if both is None:
        return Estimated(quantity, of_class, group, rows, careful, None, None, None, None, counted, None)
    one, alone = both
    share = min(1.0, max(0.0, one.estimate))
    return Estimated(
        quantity,
        of_class,
        group,
        rows,
        careful,
        share,
        *one.share(),
        (alone.estimate, *alone.share()),
        counted,
        one.worth,
    )


def _needed(units: Units, classes: int, within: float) -> int | None:
    """Careful labels for the share of every class to be known within a margin."""
    numbers = []
    for number in range(classes):
        both = _powered(units, (units.truth == number).astype(np.float64), units.opinion[:, number])
        needed = both[0].needed(within) if both is not None else None
        if needed is None:
            return None
        numbers.append(needed)
    return max(numbers)


def _notes(units: Units, truth: str, rows: str) -> list[str]:
    outside = int(((units.rows == 0) & (units.truth >= 0)).sum())
    if not outside:
        return []
    return [
        f"{plural(outside, 'text')} of {truth} {'is' if outside == 1 else 'are'} not in {rows}: they count if they were drawn "
        "from texts of the same kind, and for no group"
    ]


def write(estimates: Estimates, out: str) -> None:
    """All quantities as a file."""
    names = ("quantity", "of_class", "group", "rows", "careful", "estimate", "low", "high", "counted", "worth")
    columns: dict[str, list[Any]] = {name: [getattr(one, name) for one in estimates.found] for name in names}
    for place, name in enumerate(("alone", "alone_low", "alone_high")):
        columns[name] = [None if one.alone is None else one.alone[place] for one in estimates.found]
    with writer(out, out, ("of_class", "group")) as append:
        append(columns)
