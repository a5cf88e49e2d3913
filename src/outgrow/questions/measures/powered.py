"""Prediction-powered means: few careful values with predictions, and many predictions without a careful value.

theta = lambda mean_U(f) + mean_L(y - lambda f), with lambda in [0, 1] of the least variance: Angelopoulos, Bates, Fannjiang,
Jordan & Zrnic 2023 (arXiv 2301.09633), algorithm 1, and PPI++ (Angelopoulos, Duchi & Zrnic 2023, arXiv 2311.01453),
section 6, example 1. Where f learned from careful labels, each y stands beside the f of a model that did not learn it
(cross-prediction: Zrnic & Candes 2024, arXiv 2309.16598).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from outgrow.core.examples import Floats

LEVEL = 0.95


@dataclass(frozen=True)
class Powered:
    """A mean with its standard error, as the sum of two variances: of the careful values, and of the predictions."""

    estimate: float
    power: float  # lambda
    of_careful: float  # variance of one y - lambda f
    of_predictions: float  # variance of the mean of lambda f over U
    alone: float  # variance of one y: what careful values alone have
    careful: int

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(self.of_careful / self.careful + self.of_predictions)

    @property
    def worth(self) -> float:
        """As many careful values alone would have the same standard error."""
        return self.alone / self.error**2 if self.error > 0 else float(self.careful)

    def needed(self, within: float, level: float = LEVEL) -> int | None:
        """How many careful values there have to be for a margin of `within`; None: the predictions alone leave more."""
        room = (within / _quantile(level, math.inf)) ** 2 - self.of_predictions
        return math.ceil(self.of_careful / room) if room > 0 else None

    def share(self, level: float = LEVEL) -> tuple[float, float]:
        """The interval of a share: Wilson's (1927), with the effective number that the standard error gives.

        Where that is 0 or the estimate leaves (0, 1), as with no mistakes in few rows: Clopper & Pearson's (1934) of as
        many values without one.
        """
        share, rare = min(1.0, max(0.0, self.estimate)), 1 - ((1 - level) / 2) ** (1 / self.careful)
        if self.error == 0 or share * (1 - share) == 0:
            return max(0.0, min(share, 1 - rare)), min(1.0, max(share, rare))
        n, t = share * (1 - share) / self.error**2, _quantile(level, self.careful - 1)
        middle = share + t**2 / (2 * n)
        half = t * math.sqrt(share * (1 - share) / n + t**2 / (4 * n**2))
        return (middle - half) / (1 + t**2 / n), (middle + half) / (1 + t**2 / n)


def powered(y: Floats, f: Floats, others: Floats, power: float | None = None) -> Powered:
    """The mean of y over all rows, from y `[n]` and f `[n]` of the careful ones, n >= 2, and f of the others `[N]`.

    power: lambda; None: the one of the least variance.
    """
    n, rest = len(y), len(others)
    if rest == 0:
        power = 0.0
    if power is None:
        spread = float(np.var(np.concatenate([f, others]), ddof=1))
        together = float(((y - y.mean()) * (f - f.mean())).mean())
        power = float(np.clip(together / ((1 + n / rest) * spread), 0, 1)) if spread > 0 else 0.0
    estimate = float((y - power * f).mean() + (power * others.mean() if rest else 0))
    of_predictions = power**2 * float(others.var()) / rest if rest else 0.0
    return Powered(
        estimate,
        power,
        float(np.var(y - power * f, ddof=1)),
        of_predictions,
        float(np.var(y, ddof=1)),
        n,
    )


def _quantile(level: float, freedom: float) -> float:
    from scipy.special import ndtri, stdtrit

    return float(ndtri((1 + level) / 2) if math.isinf(freedom) else stdtrit(freedom, (1 + level) / 2))
