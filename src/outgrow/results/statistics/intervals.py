"""Intervals over training seeds and test examples at once, from a complete table of which model was right where.

A table is `scores [models, seeds, examples]`: 1 right, 0 wrong, values between allowed, the same examples for every
seed and model. `scores [models, seeds]`, accuracies without the examples behind them, is the same with one example.
Another metric's table holds its contributions (metrics/scores.py): numbers whose mean over examples is the metric.
Variances are crossed (statistics/crossed.py). docs/reference/statistics.md has the formulas, their sources, and the
coverage that simulations find.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from outgrow.core.errors import OutgrowError
from outgrow.results.statistics.crossed import Covers, Crossed, Groups, Marginals, marginals, standard_error

NOT_ABOVE = "undefined: ceiling not above weak"
NO_SPREAD = "undefined: one seed and one example show no spread"

Scale = Literal["wilson", "logit", "log", "linear"]


class Limits(NamedTuple):
    """The least and the most that one model's score can be over all examples, and the scale of its interval.

    wilson: Wilson's (1927) interval of a share, with the effective number of examples; logit and log: symmetric there;
    linear: symmetric as it stands, as are all differences.
    """

    least: float
    most: float
    scale: Scale = "linear"


UNIT = Limits(0.0, 1.0, "wilson")
JUST = 1e-9  # this side of 0 or 1
# Below this number of examples (groups) that carry the spread, an interval of this scale is marked as of a small sample.
CARRIERS: Mapping[Scale, float] = {"wilson": 8, "logit": 15, "log": 12, "linear": 8}


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its interval.

    `status` is "ok", or "undefined: " and the reason; then the three numbers are None. `covers` says which noise the
    interval holds: "examples" (one seed: other seeds are unknown), "seeds" (no examples, or one example or group: the
    test set's own noise is left out), both ("few seeds and examples" below five seeds, where the variance errs on the wide
    side), or "nothing" (then an estimate has no ends: low and high are None). `small`: so few examples (groups) carry the
    spread that the interval may be too short.
    """

    estimate: float | None
    low: float | None
    high: float | None
    status: str = "ok"
    covers: Covers = "seeds and examples"
    small: bool = False


@dataclass(frozen=True)
class Measured:
    """Several models' scores for the same seeds and examples, counted once for all intervals of them."""

    marginals: Marginals
    limits: Limits

    def spread(self, *weights: ArrayLike) -> Crossed:
        """The crossed covariance of weighted sums of the models' scores, weights `[models]` each."""
        for row in weights:
            if np.shape(row) != self.marginals.means.shape:
                count = len(self.marginals.means)
                raise OutgrowError(
                    f"a contrast needs one weight a model: {count} models, weights {list(np.shape(row))}"
                )
        return self.marginals.sums(*weights)

    def contrast(self, weights: ArrayLike, level: float = 0.95) -> Interval:
        """The interval of a weighted sum of the models' scores, see `contrast`."""
        return interval(self.spread(weights), 0, reach(weights, self.limits), level)

    def ratio(
        self, numerator: ArrayLike, denominator: ArrayLike, level: float = 0.95, otherwise: str = NOT_ABOVE
    ) -> Interval:
        """The interval of the ratio of two weighted sums, see `ratio`."""
        return fieller(self.spread(numerator, denominator), reach(denominator, self.limits), level, otherwise)


def measured(scores: ArrayLike, groups: Groups = None, limits: Limits = UNIT) -> Measured:
    """Scores `[models, seeds, examples]` or `[models, seeds]`, groups `[examples]`: what belongs together.

    Raises OutgrowError where the table is incomplete or its shape does not fit.
    """
    table = np.asarray(scores)
    if table.ndim == 2:
        table = table[:, :, None]
    if table.ndim != 3 or table.size == 0:
        raise OutgrowError(f"scores are [models, seeds, examples], none of them empty; these are {list(table.shape)}")
    if groups is not None and len(groups) != table.shape[2]:
        raise OutgrowError(f"groups need one name an example: {table.shape[2]} examples, {len(groups)} groups")
    found = marginals(table, groups)
    low, high = limits.least, limits.most
    values = found.means[:, None] + found.seeds  # contributions of single examples may lie outside, NaN stays NaN
    if not bool(((values >= low - 1e-9) & (values <= high + 1e-9)).all()):
        raise OutgrowError(
            f"scores lie in [{low:g}, {high:g}] for every model, seed and example; some are missing or outside"
        )
    return Measured(found, limits)


def contrast(
    scores: ArrayLike,
    weights: ArrayLike,
    groups: Groups = None,
    level: float = 0.95,
    limits: Limits = UNIT,
) -> Interval:
    """The interval of a weighted sum of accuracies, weights `[models]`: 1 for an accuracy, 1 and -1 for a difference.

    Within the values the sum can take: an accuracy's interval in [0, 1], a difference's in [-1, 1]; `limits` are those of
    another metric. Where the examples are all alike (all right, or two models right on the same ones) the table shows no
    spread though another example might: the ends are those of Clopper & Pearson (1934) for as many examples (groups).
    Raises OutgrowError where the table is incomplete or its shape does not fit.
    """
    return measured(scores, groups, limits).contrast(weights, level)


def accuracy(scores: ArrayLike, groups: Groups = None, level: float = 0.95) -> Interval:
    """The interval of one model's accuracy, scores `[seeds, examples]`, within [0, 1] (see `contrast`)."""
    return contrast(np.asarray(scores)[None], [1.0], groups, level)


def ratio(
    scores: ArrayLike,
    numerator: ArrayLike,
    denominator: ArrayLike,
    groups: Groups = None,
    level: float = 0.95,
    limits: Limits = UNIT,
    otherwise: str = NOT_ABOVE,
) -> Interval:
    """Fieller's (1954) interval of the ratio of two contrasts, weights `[models]` each. It is a ratio of means.

    It holds the ratios r for which the interval of the contrast `numerator - r denominator` holds 0. The degrees of
    freedom are Satterthwaite's *of that contrast*, computed for every r, not one number for all: so PGR's interval never
    contradicts a difference's. It holds 0 where that of student minus weak does, holds 1 where that of ceiling minus
    student holds 0, and is unbounded (r to infinity: the contrast is the denominator) where the denominator's interval
    holds 0, which is `undefined: ceiling not above weak`; and so is a denominator below 0. (A difference that is the same on
    all examples has an interval of its own, see `contrast`, and may hold 0 where PGR's does not.) Ends are not cut: a
    ratio may be negative or above 1. `otherwise` is the status of another ratio that is undefined.
    Raises OutgrowError where the table is incomplete or its shape does not fit.
    """
    return measured(scores, groups, limits).ratio(numerator, denominator, level, otherwise)


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
        return Interval(estimate, *_by_unseen(spread, bottom, limits, level, outside), "ok", spread.covers)
    low, high = (_edge(outside, estimate, sign * step) for sign in (-1, 1))
    if low is None or high is None:
        return Interval(None, None, None, otherwise, spread.covers)
    small = bool(spread.example_freedom > 0 and (spread.carriers < CARRIERS["linear"]).any())
    return Interval(estimate, low, high, "ok", spread.covers, small)


def _by_unseen(
    spread: Crossed, gap: float, limits: Limits, level: float, outside: Callable[[float], bool]
) -> tuple[float, float]:
    """The ends of a ratio at whose estimate no spread is left, by what unseen examples could change; gap: the denominator."""
    # Student and ceiling (or weak) are right on the same examples. On a share of unseen ones only the ceiling may be right,
    # which moves the ratio inward, or only one of the two, which moves it outward.
    estimate = float(spread.means[0]) / gap
    other = unseen(spread, level) * (limits.most if math.isfinite(limits.most) else 0.0)
    rest = (1 - unseen(spread, level)) * gap
    inward, outward = other / (rest + other), other / rest
    low = estimate - (outward if estimate <= 0 else inward)
    high = estimate + (outward if estimate >= 1 else inward)
    # Where it is by chance that nothing is left, a difference that does vary has excluded 0 or 1.
    of_top, of_rest = (spread.margin(np.array(weights), level) for weights in ([1.0, 0.0], [1.0, -1.0]))
    if low <= 0 < estimate and of_top > 0 and outside(0.0):
        low = JUST
    if estimate < 1 <= high and of_rest > 0 and outside(1.0):
        high = 1 - JUST
    return low, high


def reach(weights: ArrayLike, limits: Limits) -> Limits:
    """The limits of a weighted sum of scores that each lie within `limits`; one score itself keeps its scale."""
    used = [float(weight) for weight in np.asarray(weights) if weight]  # 0 times infinity is not a number
    ends = [sorted((weight * limits.least, weight * limits.most)) for weight in used]
    scale: Scale = limits.scale if used == [1.0] else "linear"
    return Limits(sum(low for low, _ in ends), sum(high for _, high in ends), scale)


def interval(spread: Crossed, which: int, limits: Limits, level: float = 0.95) -> Interval:
    """The interval of the quantity `which` of the k, on the scale of `limits` and within them."""
    estimate = float(spread.means[which])
    if spread.covers == "nothing":
        return Interval(estimate, None, None, "ok", "nothing")
    chosen = np.zeros(len(spread.means))
    chosen[which] = 1.0
    least, most, scale = limits
    rare = unseen(spread, level)
    margin = spread.margin(chosen, level)
    small = bool(spread.example_freedom > 0 and spread.carriers[which] < CARRIERS[scale])
    if margin <= 1e-9 * (most - least if math.isfinite(most - least) else 1.0):  # what rounding leaves of 0
        low, high = (estimate + rare * (end - estimate) if math.isfinite(end) else estimate for end in (least, most))
    elif spread.example_freedom == 0 or scale == "linear" or not least < estimate < most:
        low, high = estimate - margin, estimate + margin
    elif scale == "wilson":
        low, high = _wilson(estimate, *standard_error(spread.parts(chosen)), level)
        # However few its mistakes, a model is not surer than one without any.
        low, high = min(low, most - rare * (most - least)), max(high, least + rare * (most - least))
    elif scale == "logit":
        far = spread.carried(which).margin(chosen, level) / ((estimate - least) * (most - estimate)) * (most - least)
        low, high = (
            least + (most - least) / (1 + (most - estimate) / (estimate - least) * math.exp(-way))
            for way in (-far, far)
        )
    else:
        far = spread.carried(which).margin(chosen, level) / (estimate - least)
        low, high = (least + (estimate - least) * math.exp(way) for way in (-far, far))
    return Interval(estimate, max(low, least), min(high, most), "ok", spread.covers, small)


def unseen(spread: Crossed, level: float) -> float:
    """The largest share of examples (groups) that may differ from all those seen, which are alike: Clopper & Pearson (1934)."""
    return 1 - ((1 - level) / 2) ** (1 / spread.units) if spread.example_freedom > 0 else 0.0


def _wilson(share: float, error: float, freedom: float, level: float) -> tuple[float, float]:
    """Wilson's (1927) interval of a share whose standard error gives the effective number of examples, with Student's t."""
    from scipy.special import stdtrit

    n = share * (1 - share) / error**2
    t = float(stdtrit(freedom, (1 + level) / 2))
    middle = share + t**2 / (2 * n)
    half = t * math.sqrt(share * (1 - share) / n + t**2 / (4 * n**2))
    return (middle - half) / (1 + t**2 / n), (middle + half) / (1 + t**2 / n)


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
