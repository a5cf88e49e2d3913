"""The crossed variance of means over training seeds and test examples, from a complete table of the two.

The estimand is the expectation over training seeds *and* over test examples of the same kind, so both count as drawn at
random, crossed with each other. A is the covariance over seeds of the per-seed means, divided by the number of seeds; B
the covariance over examples of the per-example means, divided by their number; R the residual's mean square, divided by
the number of cells of the table. What belongs to one seed and one example alone is in A and in B, so from five seeds on
V = A + B - R, never below A or B (Owen 2007; Cameron, Gelbach & Miller 2011). With fewer seeds A is known too badly to
subtract from, and V = A + B. docs/reference/statistics.md has the coverage that simulations find.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgrow.core.errors import OutgrowError

Covers = Literal["seeds and examples", "few seeds and examples", "seeds", "examples", "nothing", "tasks"]
Groups = Sequence[Any] | NDArray[Any] | None

ENOUGH_SEEDS = 5  # from here on the residual is subtracted
BLOCK = 1 << 15  # cells of a table that fit in a processor's cache together


@dataclass(frozen=True)
class Crossed:
    """Means `[k]` of k quantities with the parts A, B and R of their crossed covariance, `[k, k]` each, and the freedoms.

    `units` is the number of test examples, or of groups of them. `carriers [k]`: over how many units each quantity's spread
    is effectively distributed, (sum of squares)² / sum of fourth powers of the units' deviations. A freedom of 0 marks a part
    that cannot be estimated; its matrix is zero.
    """

    means: NDArray[np.float64]
    seeds: NDArray[np.float64]
    examples: NDArray[np.float64]
    residual: NDArray[np.float64]
    seed_freedom: int
    example_freedom: float
    units: int
    carriers: NDArray[np.float64]

    @property
    def covers(self) -> Covers:
        """Which noise the variance holds; "few seeds and examples" where it is A + B."""
        if self.seed_freedom == 0:
            return "examples" if self.example_freedom > 0 else "nothing"
        if self.example_freedom == 0:
            return "seeds"
        return "seeds and examples" if self.seed_freedom + 1 >= ENOUGH_SEEDS else "few seeds and examples"

    def parts(self, weights: NDArray[np.float64]) -> list[tuple[float, float]]:
        """The variance of a weighted sum of the k quantities, weights `[k]`, and Satterthwaite's (1946) freedom for it.

        The freedom is that of A + B with the variance that is used in their place: V² / (A² / (S - 1) + B² / (N - 1)).
        Empty where neither seeds nor examples show a spread.
        """
        known: list[tuple[float, float]] = [
            (max(float(weights @ part @ weights), 0.0), freedom)
            for part, freedom in ((self.seeds, self.seed_freedom), (self.examples, self.example_freedom))
            if freedom > 0
        ]
        v = sum(part for part, _ in known)
        if len(known) < 2 or v == 0:
            return known
        freedom = 1 / sum((part / v) ** 2 / freedom for part, freedom in known)
        if self.seed_freedom + 1 < ENOUGH_SEEDS:
            return [(v, freedom)]
        less = max(v - max(float(weights @ self.residual @ weights), 0.0), *(part for part, _ in known))
        return [(less, freedom * (less / v) ** 2)]

    def carried(self, which: int) -> Crossed:
        """The same, with the examples' freedom from how few of them carry the spread of the quantity `which`.

        A sample variance of n values with kurtosis k has 2n / (k - 1) degrees of freedom (n - 1 for normal values), and
        n / k is `carriers`. For contributions with heavy tails, such as AUROC's and log loss's.
        """
        few = 2 / max(1 / self.carriers[which] - 1 / self.units, 1e-12) if self.carriers[which] > 0 else math.inf
        return replace(self, example_freedom=max(min(few, self.example_freedom), min(1.0, self.example_freedom)))

    def margin(self, weights: NDArray[np.float64], level: float) -> float:
        """Half the width of the interval of a weighted sum of the k quantities, weights `[k]`; 0 where nothing varies."""
        from scipy.special import stdtrit  # not scipy.stats, which takes a second to import

        error, freedom = standard_error(self.parts(weights))
        return float(stdtrit(freedom, (1 + level) / 2)) * error if error > 0 else 0.0

    def p_value(self, weights: NDArray[np.float64]) -> float | None:
        """How often a weighted sum as far from 0 would come out if it were 0, by the same t; None where none can tell.

        A sum that is the same on all units and not 0 has no t. Its p is the sign test's, 2 / 2^units.
        """
        from scipy.special import stdtr

        if self.covers == "nothing":
            return None
        error, freedom = standard_error(self.parts(weights))
        value = abs(float(weights @ self.means))
        if error > 0:
            return float(2 * stdtr(freedom, -value / error))
        if value == 0:
            return 1.0
        return min(1.0, 2.0 ** (1 - self.units)) if self.example_freedom > 0 else None


@dataclass(frozen=True)
class Summed(Crossed):
    """Sums of the same k quantities of independent tables, as of several tasks: their variances add up."""

    members: tuple[Crossed, ...] = ()

    @classmethod
    def of(cls, members: Sequence[Crossed]) -> Summed:
        """Raises OutgrowError where there are none."""
        if not members:
            raise OutgrowError("a sum needs at least one table")
        means, seeds, examples, residual = (
            np.sum([getattr(member, part) for member in members], axis=0)
            for part in ("means", "seeds", "examples", "residual")
        )
        # Freedoms stand for "known" and "unknown" here; those of a contrast come from the members' own.
        seed_freedom = min(member.seed_freedom for member in members)
        example_freedom = min(member.example_freedom for member in members)
        units = sum(member.units for member in members)
        carriers = np.sum([member.carriers for member in members], axis=0)
        return cls(
            means, seeds, examples, residual, seed_freedom, example_freedom, units, carriers, members=tuple(members)
        )

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


@dataclass(frozen=True)
class Marginals:
    """What the crossed covariances of sums of k quantities need of their table `[k, seeds, examples]`, from one pass over it.

    `seeds [k, seeds]` and `units [k, units]`: the mean of each seed, and of each example or group over seeds, less the mean.
    `squares [k, k]`: the sums over all seeds and units of the products of two quantities' deviations.
    """

    means: NDArray[np.float64]
    seeds: NDArray[np.float64]
    units: NDArray[np.float64]
    squares: NDArray[np.float64]

    def sums(self, *weights: ArrayLike) -> Crossed:
        """The crossed covariance of weighted sums of the quantities, weights `[k]` for each sum.

        A unit's sum is taken from that unit alone, so that quantities which agree everywhere differ by exactly nothing.
        """
        by = np.array(weights, dtype=np.float64)
        means, deviations, per_unit = by @ self.means, by @ self.seeds, by @ self.units
        n_seeds, units = deviations.shape[1], per_unit.shape[1]
        nothing = np.zeros((len(by), len(by)))
        of_seeds, of_units = deviations @ deviations.T, per_unit @ per_unit.T
        a = of_seeds / (n_seeds * (n_seeds - 1)) if n_seeds > 1 else nothing
        b = of_units / (units * (units - 1)) if units > 1 else nothing
        r = nothing
        if n_seeds > 1 and units > 1:
            # Seeds', units' and the residual's parts of the squares add up: no table of residuals is made.
            rest = by @ self.squares @ by.T - units * of_seeds - n_seeds * of_units
            r = rest / ((n_seeds - 1) * (units - 1) * n_seeds * units)
        second = per_unit**2
        fourth = (second**2).sum(axis=1)  # not ** 4, which takes logarithms
        carriers = np.divide(second.sum(axis=1) ** 2, fourth, out=np.zeros(len(by)), where=fourth > 0)
        return Crossed(means, a, b, r, n_seeds - 1, units - 1, units, carriers)


def marginals(table: NDArray[Any], groups: Groups = None) -> Marginals:
    """Of `table [k, seeds, examples]`; `groups [examples]`: what belongs together.

    With groups, B is the cluster-robust variance of a mean whose groups differ in size: the mean is the ratio of the
    groups' sums to their sizes, so a group's residual is its sum minus its size times the mean, and
    B = G / (G - 1) * sum over groups of residual residual' / N² (Cameron, Gelbach & Miller 2011).
    Groups of one example each give the ungrouped variance. R is of the same residuals, seed by seed.
    """
    k, n_seeds, n_examples = table.shape
    per_seed = table.mean(axis=2, dtype=np.float64)
    means = per_seed.mean(axis=1)
    center, units = means, n_examples
    if groups is not None:
        names, place = np.unique(np.asarray(groups), return_inverse=True)
        units, center = len(names), np.zeros(k)
        # Scaled so that the mean over groups is the mean over examples.
        table = np.stack(
            [
                [np.bincount(place, row - mean, minlength=units) * (units / n_examples) for row in of_model]
                for of_model, mean in zip(table, means, strict=True)
            ]
        )
    per_unit, squares = np.empty((k, units)), np.zeros((k, k))
    size = max(1, BLOCK // (k * n_seeds))
    for start in range(0, units, size):
        cells = table[:, :, start : start + size] - center[:, None, None]
        per_unit[:, start : start + size] = cells.mean(axis=1)
        flat = cells.reshape(k, -1)
        squares += flat @ flat.T
    return Marginals(means, per_seed - means[:, None], per_unit, squares)


def crossed(table: NDArray[Any], groups: Groups = None) -> Crossed:
    """The crossed covariance of the means of `table [k, seeds, examples]`, groups as `marginals` takes them."""
    return marginals(table, groups).sums(*np.eye(len(table)))
