"""Where a student falls on a curve of models taught the truth: how many labels, or which rung of a ladder, it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgrow.core.errors import OutgrowError
from outgrow.results.statistics.crossed import Groups
from outgrow.results.statistics.intervals import measured

STEPS = 60  # places tried between two points of the curve


@dataclass(frozen=True)
class Equivalent:
    """A place on the curve with an interval, in the curve's own coordinate; `math.inf` and `-math.inf` lie beyond its ends.

    `estimate` is where the curve, made monotone, reaches the student. The interval holds the places whose accuracy does not
    differ from the student's beyond chance.
    """

    estimate: float
    low: float
    high: float
    first: float
    last: float


def equivalent(
    student: ArrayLike, curve: Mapping[float, ArrayLike], groups: Groups = None, level: float = 0.95
) -> Equivalent:
    """The place of a student, scores `[seeds, examples]`, on a curve of tables of the same shape by place.

    Between two points the accuracy is interpolated in a line (take log numbers of labels as places). The interval inverts
    the paired crossed test: at a place between points j and j + 1, the contrast (1 - t) c_j + t c_(j+1) - student has
    estimate d and margin m; low is the first place where d + m >= 0, high the last one where d - m <= 0.
    Raises OutgrowError where the curve has fewer than two points, or tables do not fit.
    """
    places = sorted(curve)
    if len(places) < 2:
        raise OutgrowError("a curve needs two points or more")
    tables = [np.asarray(student, dtype=np.float64), *(np.asarray(curve[place], dtype=np.float64) for place in places)]
    if len({table.shape for table in tables}) > 1:
        raise OutgrowError("student and curve need scores of the same seeds and examples")
    scores = np.stack(tables)
    spread = measured(scores, groups).spread(*np.eye(len(scores)))
    reached = _monotone(spread.means[1:]) - spread.means[0]

    tried: list[float] = []
    above: list[bool] = []  # not clearly below the student
    below: list[bool] = []  # not clearly above it
    middle: list[float] = []
    for j in range(len(places) - 1):
        for t in np.linspace(0, 1, STEPS + 1)[0 if j == 0 else 1 :]:
            weights = np.zeros(len(scores))
            weights[0], weights[1 + j], weights[2 + j] = -1, 1 - t, t
            gap, margin = float(weights @ spread.means), spread.margin(weights, level)
            tried.append(places[j] + t * (places[j + 1] - places[j]))
            above.append(gap + margin >= 0)
            below.append(gap - margin <= 0)
            middle.append(float((1 - t) * reached[j] + t * reached[j + 1]))
    estimate = _first(tried, [value >= -1e-12 for value in middle])
    if estimate == tried[0] and middle[0] > 1e-12:
        estimate = -np.inf
    low = _first(tried, above)
    high = _first(tried[::-1], below[::-1])
    return Equivalent(
        float(estimate),
        -np.inf if low == tried[0] else np.inf if low is np.inf else low,
        np.inf if high == tried[-1] else -np.inf if high is np.inf else high,
        tried[0],
        tried[-1],
    )


def _first(places: Sequence[float], true: Sequence[bool]) -> float:
    """The first place where something is true; infinity where it is nowhere."""
    return next((place for place, is_true in zip(places, true, strict=True) if is_true), np.inf)


def _monotone(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The closest rising values: neighbours that fall are averaged (pool adjacent violators, Ayer et al. 1955)."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    return np.repeat([value for value, _ in blocks], [count for _, count in blocks])
