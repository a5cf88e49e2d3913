"""Intervals over training seeds and test examples at once, from a complete table of which model was right where.

A table is `scores [models, seeds, examples]`: 1 right, 0 wrong, values between allowed, the same examples for every
seed and model. `scores [models, seeds]`, accuracies without the examples behind them, is the same with one example.
Another metric's table holds its contributions (metrics/scores.py): numbers whose mean over examples is the metric.

The estimand is the expectation over training seeds *and* over test examples of the same kind, so both count as drawn at
random, crossed with each other: V = A + B, where A is the covariance over seeds of the per-seed means, divided by the
number of seeds, and B the covariance over examples of the per-example means, divided by the number of examples (Owen
2007; Cameron, Gelbach & Miller 2011). What belongs to one seed and one example alone is in both: V errs on the wide
side. docs/reference/statistics.md has the formulas, their sources, and the coverage that a simulation finds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgrow.core.errors import OutgrowError

NOT_ABOVE = "undefined: ceiling not above weak"
NO_SPREAD = "undefined: one seed and one example show no spread"

Covers = Literal["seeds and examples", "seeds", "examples", "nothing"]
Limits = tuple[float, float]  # the least and the most that one model's score can be, over all examples
UNIT: Limits = (0.0, 1.0)


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its interval.

    `status` is "ok", or "undefined: " and the reason; then the three numbers are None. `covers` says which noise the
    interval holds: "examples" (one seed: other seeds are unknown), "seeds" (no examples, or one example or group: the
    test set's own noise is left out), both, or "nothing" (then an estimate has no ends: low and high are None).
    """

    estimate: float | None
    low: float | None
    high: float | None
    status: str = "ok"
    covers: Covers = "seeds and examples"


@dataclass(frozen=True)
class Crossed:
    """Means `[k]` of k quantities with the two parts of their crossed covariance, `[k, k]` each, and their freedoms.

    `units` is the number of test examples, or of groups of them. A freedom of 0 marks a part that cannot be estimated;
    its matrix is zero.
    """

    means: NDArray[np.float64]
    seeds: NDArray[np.float64]
    examples: NDArray[np.float64]
    seed_freedom: int
    example_freedom: float
    units: int

    @property
    def covers(self) -> Covers:
        if self.seed_freedom > 0:
            return "seeds and examples" if self.example_freedom > 0 else "seeds"
        return "examples" if self.example_freedom > 0 else "nothing"

    def parts(self, weights: NDArray[np.float64]) -> list[tuple[float, float]]:
        """The variances, each with its freedom, that add up to that of a weighted sum of the k quantities."""
        return [
            (max(float(weights @ part @ weights), 0.0), freedom)
            for part, freedom in ((self.seeds, self.seed_freedom), (self.examples, self.example_freedom))
            if freedom > 0
        ]

    def margin(self, weights: NDArray[np.float64], level: float) -> float:
        """Half the width of the interval of a weighted sum of the k quantities, weights `[k]`; 0 where nothing varies.

        Student's t times the standard error, with Satterthwaite's (1946) degrees of freedom for the sum of two
        estimated variances: v² / (a² / (S - 1) + b² / (N - 1)).
        """
        from scipy.special import stdtrit  # not scipy.stats, which takes a second to import

        error, freedom = standard_error(self.parts(weights))
        return float(stdtrit(freedom, (1 + level) / 2)) * error if error > 0 else 0.0

    def p_value(self, weights: NDArray[np.float64]) -> float | None:
        """How often a weighted sum as far from 0 would come out if it were 0, by the same t; None where none can tell."""
        from scipy.special import stdtr

        error, freedom = standard_error(self.parts(weights))
        value = abs(float(weights @ self.means))
        if error == 0:
            return 1.0 if value == 0 and self.covers != "nothing" else None
        return float(2 * stdtr(freedom, -value / error))


@dataclass(frozen=True)
class Summed(Crossed):
    """Sums of the same k quantities of independent tables, as of several tasks: their variances add up."""

    members: tuple[Crossed, ...] = ()

    @classmethod
    def of(cls, members: Sequence[Crossed]) -> Summed:
        """Raises OutgrowError where there are none."""
        if not members:
            raise OutgrowError("a sum needs at least one table")
        means, seeds, examples = (
            np.sum([getattr(member, part) for member in members], axis=0) for part in ("means", "seeds", "examples")
        )
        # Freedoms stand for "known" and "unknown" here; those of a contrast come from the members' own.
        seed_freedom = min(member.seed_freedom for member in members)
        example_freedom = min(member.example_freedom for member in members)
        units = sum(member.units for member in members)
        return cls(means, seeds, examples, seed_freedom, example_freedom, units, tuple(members))

    def parts(self, weights: NDArray[np.float64]) -> list[tuple[float, float]]:
        """Those of all members."""
        return [part for member in self.members for part in member.parts(weights)]


def standard_error(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The standard error of a sum of independent estimated variances, and Satterthwaite's (1946) freedom for it."""
    v = sum(part for part, _ in parts)
    if v == 0:
        return 0.0, math.inf
    # As shares of v, so that the square of a tiny variance does not vanish.
    return math.sqrt(v), 1 / sum((part / v) ** 2 / freedom for part, freedom in parts)


def crossed(table: NDArray[np.float64], groups: Sequence[Any] | NDArray[Any] | None = None) -> Crossed:
    """The crossed covariance of the means of `table [k, seeds, examples]`; `groups [examples]`: what belongs together.

    With groups, B is the cluster-robust variance of a mean whose groups differ in size: the mean is the ratio of the
    groups' sums to their sizes, so a group's residual is its sum minus its size times the mean, and
    B = G / (G - 1) * sum over groups of residual residual' / N² (Cameron, Gelbach & Miller 2011).
    Groups of one example each give the ungrouped variance.
    """
    k, n_seeds, n_examples = table.shape
    per_seed = table.mean(axis=2)
    per_example = table.mean(axis=1)
    means = per_seed.mean(axis=1)
    nothing = np.zeros((k, k))

    deviations = per_seed - means[:, None]
    a = deviations @ deviations.T / (n_seeds * (n_seeds - 1)) if n_seeds > 1 else nothing

    residuals = per_example - means[:, None]
    units = n_examples
    if groups is not None:
        names, place = np.unique(np.asarray(groups), return_inverse=True)
        units = len(names)
        residuals = np.stack([np.bincount(place, row, minlength=units) for row in residuals])
    b = residuals @ residuals.T * (units / (units - 1) / n_examples**2) if units > 1 else nothing
    return Crossed(means, a, b, n_seeds - 1, units - 1, units)


def contrast(
    scores: ArrayLike,
    weights: ArrayLike,
    groups: Sequence[Any] | NDArray[Any] | None = None,
    level: float = 0.95,
    limits: Limits = UNIT,
) -> Interval:
    """The interval of a weighted sum of accuracies, weights `[models]`: 1 for an accuracy, 1 and -1 for a difference.

    Cut to the values the sum can take: an accuracy's interval to [0, 1], a difference's to [-1, 1]; `limits` are those
    of another metric. At the very end of that range (all right, or all wrong) the table shows no spread though another
    example might, so the inner end is the one of Clopper & Pearson (1934) for as many examples (groups), all alike.
    Raises OutgrowError where the table is incomplete or its shape does not fit.
    """
    table, (row,) = project(scores, groups, weights, limits=limits)
    return interval(crossed(table, groups), 0, reach(row, limits), level)


def accuracy(scores: ArrayLike, groups: Sequence[Any] | NDArray[Any] | None = None, level: float = 0.95) -> Interval:
    """The interval of one model's accuracy, scores `[seeds, examples]`, within [0, 1] (see `contrast`)."""
    return contrast(np.asarray(scores)[None], [1.0], groups, level)


def ratio(
    scores: ArrayLike,
    numerator: ArrayLike,
    denominator: ArrayLike,
    groups: Sequence[Any] | NDArray[Any] | None = None,
    level: float = 0.95,
    limits: Limits = UNIT,
    otherwise: str = NOT_ABOVE,
) -> Interval:
    """Fieller's (1954) interval of the ratio of two contrasts, weights `[models]` each. It is a ratio of means.

    It holds the ratios r for which the interval of the contrast `numerator - r denominator` holds 0. The degrees of
    freedom are Satterthwaite's *of that contrast*, anew for every r, not one number for all: so PGR's interval never
    contradicts a difference's. It holds 0 where that of student minus weak does, holds 1 where that of ceiling minus
    student holds 0, and is unbounded (r to infinity: the contrast is the denominator) where the denominator's interval
    holds 0, which is `undefined: ceiling not above weak`; and so is a denominator below 0. Ends are not cut: a ratio
    may be negative or above 1. `otherwise` is the status of another ratio that is undefined.
    Raises OutgrowError where the table is incomplete or its shape does not fit.
    """
    table, (_, below) = project(scores, groups, numerator, denominator, limits=limits)
    return fieller(crossed(table, groups), reach(below, limits), level, otherwise)


def fieller(spread: Crossed, limits: Limits, level: float = 0.95, otherwise: str = NOT_ABOVE) -> Interval:
    """The interval of the ratio of a spread's first quantity to its second, whose own value lies within `limits`."""
    top, bottom = (float(mean) for mean in spread.means)
    gap = interval(spread, 1, limits, level)
    if bottom <= 0 or (gap.low is not None and gap.low <= 0):
        return Interval(None, None, None, otherwise, spread.covers)
    if spread.covers == "nothing":
        return Interval(None, None, None, NO_SPREAD, spread.covers)
    estimate = top / bottom

    def outside(r: float) -> bool:
        # Divided by the larger of 1 and |r|, so that r to infinity is the denominator and nothing overflows.
        weights = np.array([1.0, -r]) / max(1.0, abs(r))
        return abs(float(weights @ spread.means)) > spread.margin(weights, level)

    step = spread.margin(np.array([1.0, -estimate]), level) / bottom
    if step == 0:
        return Interval(estimate, estimate, estimate, "ok", spread.covers)
    low, high = (_edge(outside, estimate, sign * step) for sign in (-1, 1))
    if low is None or high is None:
        return Interval(None, None, None, otherwise, spread.covers)
    return Interval(estimate, low, high, "ok", spread.covers)


def reach(weights: NDArray[np.float64], limits: Limits) -> Limits:
    """The least and the most of a weighted sum of scores that each lie within `limits`."""
    used = [weight for weight in weights.tolist() if weight]  # 0 times infinity is no number
    ends = [sorted((weight * limits[0], weight * limits[1])) for weight in used]
    return sum(low for low, _ in ends), sum(high for _, high in ends)


def interval(spread: Crossed, which: int, limits: Limits, level: float = 0.95) -> Interval:
    """The interval of the quantity `which` of the k, cut to `limits`."""
    estimate = float(spread.means[which])
    if spread.covers == "nothing":
        return Interval(estimate, None, None, "ok", "nothing")
    least, most = limits
    chosen = np.zeros(len(spread.means))
    chosen[which] = 1.0
    margin = spread.margin(chosen, level)
    nothing = 1e-9 * (most - least) if math.isfinite(most - least) else 0.0  # what rounding leaves of 0
    if max(margin, min(estimate - least, most - estimate)) < nothing and spread.example_freedom > 0:
        alike = ((1 - level) / 2) ** (1 / spread.units)  # how rare such examples may be, and still be all we saw
        margin = (1 - alike) * (most - least)
    return Interval(estimate, max(estimate - margin, least), min(estimate + margin, most), "ok", spread.covers)


def _edge(outside: Callable[[float], bool], inside: float, step: float) -> float | None:
    """Where `outside` turns true on the way from `inside` in the direction of `step`; None where it does not."""
    beyond = inside + step
    for _ in range(200):
        if outside(beyond):
            break
        inside, step = beyond, 2 * step
        beyond = inside + step
    else:
        return None
    while abs(beyond - inside) > 1e-12 * max(1.0, abs(inside)):
        middle = (inside + beyond) / 2
        inside, beyond = (inside, middle) if outside(middle) else (middle, beyond)
    return inside


def project(
    scores: ArrayLike, groups: Sequence[Any] | NDArray[Any] | None, *weights: ArrayLike, limits: Limits = UNIT
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """The table `[len(weights), seeds, examples]` of the weighted sums over models, and the weights as arrays.

    Summed an example at a time, so that models which agree everywhere differ by exactly nothing.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim == 2:
        table = table[:, :, None]
    if table.ndim != 3 or table.size == 0:
        raise OutgrowError(f"scores are [models, seeds, examples], none of them empty; these are {list(table.shape)}")
    low, high = limits
    values = table.mean(axis=2)  # contributions of single examples may lie outside, NaN stays NaN
    if not bool(((values >= low - 1e-9) & (values <= high + 1e-9)).all()):
        raise OutgrowError(
            f"scores lie in [{low:g}, {high:g}] for every model, seed and example; some are missing or outside"
        )
    rows = [np.asarray(row, dtype=np.float64) for row in weights]
    for row in rows:
        if row.shape != table.shape[:1]:
            raise OutgrowError(f"a contrast needs one weight a model: {len(table)} models, weights {list(row.shape)}")
    if groups is not None and len(groups) != table.shape[2]:
        raise OutgrowError(f"groups need one name an example: {table.shape[2]} examples, {len(groups)} groups")
    sums = []
    for row in rows:
        used = np.flatnonzero(row)
        total = np.zeros(table.shape[1:])
        for model in used:
            total = total + row[model] * table[model]
        sums.append(total)
    return np.stack(sums), rows
