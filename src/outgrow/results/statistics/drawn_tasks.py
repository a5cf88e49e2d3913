"""Numbers over several tasks where the tasks count as drawn from others like them, not as all that there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgrow.core.errors import OutgrowError
from outgrow.results.statistics.crossed import Crossed, Summed, crossed, standard_error
from outgrow.results.statistics.intervals import Interval, Limits, fieller

GRID = 200  # probabilities on each axis of the grid for a new task


@dataclass(frozen=True)
class Drawn:
    """The mean effect over the tasks that these were drawn from, its p, and where the effect on a new task lies.

    `between`: the standard deviation of the tasks' true effects. `prediction`: the ends of the interval of a new task's
    true effect; None with fewer than three tasks. `p` and all ends are None where nothing varies.
    """

    interval: Interval
    p: float | None
    between: float
    prediction: tuple[float, float] | None


def drawn(effects: ArrayLike, variances: ArrayLike, level: float = 0.95) -> Drawn:
    """Random effects of k tasks: estimates `[k]` and the variances of their own noise `[k]`, 0 where not known.

    The variance between tasks is Paule & Mandel's (1982), which makes the weighted squares about the mean k - 1. The mean
    weighs each task by 1 / (own + between); its interval is Hartung & Knapp's (2001), Student's t with k - 1, with the factor
    of Röver, Knapp & Friede (2015), never below 1. The prediction interval is Nagashima, Noma & Furukawa's (2019), which holds
    how little k tasks tell of the variance between them; never shorter than the mean's.
    Raises OutgrowError with fewer than two tasks.
    """
    from scipy.special import stdtr, stdtrit

    y, own = np.asarray(effects, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    k = len(y)
    if k < 2 or own.shape != y.shape:
        raise OutgrowError(f"tasks count as drawn where there are two or more, each with a variance; these are {k}")
    between = float(_between(y, own, np.array([k - 1.0]))[0])
    total = own + between
    if not total.all():  # a task without any noise, and no spread between tasks: all are the same
        return Drawn(Interval(float(y.mean()), None, None, "ok", "tasks"), None, 0.0, None)
    weights = 1 / total
    mean = float(weights @ y / weights.sum())
    factor = max(1.0, float(weights @ (y - mean) ** 2) / (k - 1))
    error = math.sqrt(factor / float(weights.sum()))
    margin = float(stdtrit(k - 1, (1 + level) / 2)) * error
    prediction = None
    if k > 2:
        low, high = _new_task(y, own, level)
        prediction = min(low, mean - margin), max(high, mean + margin)  # a new task is never surer than the mean
    return Drawn(
        Interval(mean, mean - margin, mean + margin, "ok", "tasks"),
        float(2 * stdtr(k - 1, -abs(mean) / error)),
        math.sqrt(between),
        prediction,
    )


def _between(y: NDArray[np.float64], own: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The variances between tasks at which the weighted squares about the mean are `squares [m]`; 0 where they are below at 0.

    At k - 1 of them, their expectation, it is Paule & Mandel's (1982) estimate.
    """

    def above(between: NDArray[np.float64]) -> NDArray[np.bool_]:
        weights = 1 / (own + between[:, None])
        mean = weights @ y / weights.sum(axis=1)
        return np.asarray((weights * (y - mean[:, None]) ** 2).sum(axis=1) > squares)

    tiny = 0.0 if own.all() else 1e-300
    if y.var() == 0:
        return np.zeros(len(squares))
    low, high = np.full(len(squares), tiny), np.full(len(squares), float(y.var(ddof=1)))
    some = above(low)
    while (outside := above(high)).any():
        high[outside] *= 2
    for _ in range(60):
        middle = (low + high) / 2
        more = above(middle)
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.where(some, high, 0.0)


def _new_task(y: NDArray[np.float64], own: NDArray[np.float64], level: float) -> tuple[float, float]:
    """The ends between which a new task's true effect lies.

    Given the variance between tasks it is normal about the weighted mean. That variance is known badly from k tasks, so it
    is taken over its confidence distribution, as Nagashima, Noma & Furukawa (2019) do, here that of the Q profile: the weighted
    squares about the mean follow chi squared with k - 1 (Viechtbauer 2007). Tasks of equal noise, all of it small: Student's t.
    On even grids of probabilities in place of random draws.
    """
    from scipy.special import chdtri, ndtri

    middles = (np.arange(GRID) + 0.5) / GRID
    between = _between(y, own, chdtri(len(y) - 1, middles))
    # A task without noise of its own would have all the weight where nothing varies between tasks.
    between = np.maximum(between, 0.0 if own.all() else 1e-12)
    weights = 1 / (own + between[:, None])
    error = np.sqrt(between + 1 / weights.sum(axis=1))
    values = (weights @ y / weights.sum(axis=1))[:, None] + error[:, None] * ndtri(middles)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Spread(Crossed):
    """Means over tasks whose variance is that between tasks, never below what the tasks' own noise makes."""

    given: Summed

    def parts(self, weights: NDArray[np.float64]) -> list[tuple[float, float]]:
        """One part, with one freedom less than there are tasks."""
        own = standard_error(self.given.parts(weights))[0] ** 2
        return [(max(float(weights @ self.seeds @ weights), own), self.seed_freedom)]


def ratio_of_sums(members: Sequence[Crossed], level: float = 0.95) -> Interval:
    """Summed gains by summed gaps, `members` the two of each task, with Fieller's interval over tasks as drawn.

    Raises OutgrowError with fewer than two tasks.
    """
    k = len(members)
    if k < 2:
        raise OutgrowError(f"tasks count as drawn where there are two or more; these are {k}")
    table = np.stack([member.means for member in members], axis=1)[:, :, None]
    over = crossed(table)
    scaled = [
        Crossed(m.means / k, m.seeds / k**2, m.examples / k**2, m.residual / k**2, m.seed_freedom, m.example_freedom,
                m.units, m.carriers)
        for m in members
    ]  # fmt: skip
    spread = Spread(
        over.means, over.seeds, over.examples, over.residual, k - 1, 0, k, over.carriers, given=Summed.of(scaled)
    )
    found = fieller(spread, Limits(-math.inf, math.inf), level)
    return Interval(found.estimate, found.low, found.high, found.status, "tasks")
