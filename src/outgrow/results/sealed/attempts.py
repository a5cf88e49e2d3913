"""What many attempts on one sealed test set show: simultaneous intervals, and a second half as a reusable holdout."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.results.statistics.intervals import Interval
from outgrow.results.statistics.recovery import recovery

LEVEL = 0.95


@dataclass(frozen=True)
class Threshold:
    """Thresholdout's parameters (Dwork et al. 2015, arXiv 1506.02629, figure 1), as shares of the rows.

    threshold: how far the halves may differ without a look at the holdout; noise: sigma, the scale of what is added;
    budget: how many times the holdout answers itself.
    """

    threshold: float = 0.03
    noise: float = 0.005
    budget: int = 100


@dataclass(frozen=True)
class Asked:
    """What the holdout answers to one accuracy: a value (None: the budget is spent), and whether it looked there itself."""

    value: float | None
    spent: bool


def ask_holdout(open_: float, held: float, rule: Threshold, salt: str, number: int, used: int) -> Asked:
    """Thresholdout for one query: the open half's mean, or where the two are apart the holdout's with noise.

    `number` is that of the query and `used` how many the holdout has answered itself: they draw the noise, with the salt.
    Scales of Laplace's: 2 sigma for the threshold, drawn again after each use; 4 sigma for a comparison; sigma for answers.
    """
    if used >= rule.budget:
        return Asked(None, False)
    limit = rule.threshold + _laplace(2 * rule.noise, salt, "threshold", used)
    if abs(held - open_) > limit + _laplace(4 * rule.noise, salt, "comparison", number):
        return Asked(min(max(held + _laplace(rule.noise, salt, "answer", number), 0.0), 1.0), True)
    return Asked(open_, False)


def simultaneous(
    weak: NDArray[np.float64],
    student: NDArray[np.float64],
    ceiling: NDArray[np.float64],
    groups: NDArray[np.str_],
    attempts: int,
) -> dict[str, Interval]:
    """The intervals of one of `attempts` students at 1 - .05 / attempts each: all of them hold at once (Bonferroni).

    True for attempts that do not depend on earlier scores. Tables of right and wrong `[seeds, examples]`.
    """
    return recovery(weak, student, ceiling, groups, 1 - (1 - LEVEL) / attempts)


def _laplace(scale: float, salt: str, what: str, number: int) -> float:
    seed = int.from_bytes(hashlib.sha256(f"{salt}\n{what}\n{number}".encode()).digest()[:16])
    return float(np.random.default_rng(seed).laplace(0.0, scale))
