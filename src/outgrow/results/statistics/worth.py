"""How many true labels would have done as well: where a student falls on a learning curve, with an interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints


@dataclass(frozen=True)
class Point:
    """Students that learned `size` true labels: their mean accuracy, and how far it lies above the student in question."""

    size: int
    accuracy: float
    above: float  # accuracy less that of the student in question, on the same rows
    error: float  # standard error of `above`
    freedom: float


@dataclass(frozen=True)
class Worth:
    """The number of true labels at which the curve reaches the student.

    An end that lies beyond the curve is 0, fewer than `smallest`, or infinite (`math.inf`), more than `largest`.
    """

    estimate: float
    low: float
    high: float
    smallest: int
    largest: int
    points: tuple[Point, ...]


def sizes(rows: int, smallest: int = 25, share: float = 0.8) -> list[int]:
    """25, 50, 100, … and at last the given share of the rows; none where two sizes don't fit."""
    largest = int(rows * share)
    doubled = [smallest * 2**power for power in range(40) if smallest * 2**power < largest / 1.15]
    return [*doubled, largest] if doubled else []


def best_by_others(tables: Sequence[Floats], parts: Sequence[Ints]) -> Floats:
    """Of several tables of scores `[repeats, rows]`, for the rows of each part the one that is best on all other rows.

    So a curve of true labels is tuned as anybody would tune it who has them, and no row has a say in how it is scored itself.
    """
    return of_parts([tables[best] for best in chosen_by_others(tables, parts)], parts)


def of_parts(tables: Sequence[Floats], parts: Sequence[Ints]) -> Floats:
    """The columns of each part from the table `[repeats, rows]` that goes with it; parts hold each row once."""
    together = np.empty_like(tables[0], dtype=np.float64)
    for part, table in zip(parts, tables, strict=True):
        together[:, part] = table[:, part]
    return together


def chosen_by_others(tables: Sequence[Floats], parts: Sequence[Ints]) -> list[int]:
    """Which of several tables of scores `[repeats, rows]` is best on all rows but those of a part, for each part.

    The first where no other row is scored.
    """
    return [int(np.argmax([_mean(np.delete(table, part, axis=1)) for table in tables])) for part in parts]


def _mean(scores: Floats) -> float:
    """Of what is scored; 0 where nothing is."""
    scored = scores[~np.isnan(scores)]
    return float(scored.mean()) if len(scored) else 0.0


def worth(student: Floats, curve: Mapping[int, Floats], level: float = 0.95) -> Worth:
    """The interval, from the student's scores `[rows]` and those of the curve's students, `[repeats, rows]` a size.

    A score is 1 where right and 0 where wrong, NaN where a row was learned from. The interval holds the sizes at which
    the curve does not differ from the student beyond chance: the difference is interpolated over log size, made
    monotone, and its standard error interpolated alike. docs/guide/teach.md says what the standard error holds.
    """
    from scipy.optimize import isotonic_regression
    from scipy.special import stdtrit

    if len(curve) < 2:
        raise OutgrowError("a learning curve needs two sizes or more")
    points = [_point(student, size, curve[size]) for size in sorted(curve)]
    places = np.array([math.log(point.size) for point in points])
    above = isotonic_regression(np.array([point.above for point in points])).x
    margins = np.array([stdtrit(point.freedom, (1 + level) / 2) * point.error for point in points])
    first, last = points[0].size, points[-1].size
    tried = np.arange(first, last + 1)
    middle = np.interp(np.log(tried), places, above)
    margin = np.interp(np.log(tried), places, margins)
    return Worth(
        estimate=_first(tried, middle >= 0),
        low=_first(tried, middle + margin >= 0),
        high=_first(tried, middle - margin > 0),
        smallest=first,
        largest=last,
        points=tuple(points),
    )


def _first(tried: Ints, true: NDArray[np.bool_]) -> float:
    """The first size of which something is true, 0 where it is true of all, infinity where of none."""
    places = np.flatnonzero(true)
    return math.inf if len(places) == 0 else 0.0 if places[0] == 0 else float(tried[places[0]])


def _point(student: Floats, size: int, scores: Floats) -> Point:
    """The mean over repeats and rows, and the two parts of its variance.

    Rows: that of the row means' differences, by the number of rows. Training sets: repeats draw theirs from the same
    rows, so that their mean is an incomplete U-statistic of degree n in N rows: with v the variance from one training
    set to another, its variance is at most v (f + (1 - f) / R), f = n / N, and repeats show v (1 - f) at least
    (Hoeffding 1948, on the variance of U-statistics).
    """
    tested = ~np.isnan(scores)
    repeats, kept = len(scores), tested.any(axis=0)
    rows = int(kept.sum())
    means = np.nanmean(scores[:, kept], axis=0)
    gaps = means - student[kept]
    of_rows = float(gaps.var(ddof=1)) / rows
    share = min(size / scores.shape[1], 0.95)
    of_training = 0.0
    if repeats > 1:
        deviations = np.nanmean(scores[:, kept] - means, axis=1)
        # What single answers add to a repeat's mean is not a difference between training sets.
        chance = float((means * (1 - means)).mean()) / (rows * (1 - share))
        seen = max(float(deviations.var(ddof=1)) - chance, 0.0)
        of_training = seen / (1 - share) * (share + (1 - share) / repeats)
    total = of_rows + of_training
    parts = ((of_rows, rows - 1), (of_training, max(repeats - 1, 1)))
    inverse = sum((part / total) ** 2 / freedom for part, freedom in parts) if total > 0 else 0.0
    freedom = 1 / inverse if inverse > 0 else float(rows - 1)
    return Point(size, float(means.mean()), float(gaps.mean()), math.sqrt(total), freedom)
