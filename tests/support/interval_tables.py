"""Tables of which model is right where, and an interval's numbers."""

from __future__ import annotations

import numpy as np
from recovered import Array

from outgrow.results.statistics.intervals import Interval

NUMERATOR, DENOMINATOR = [-1, 1, 0], [-1, 0, 1]


def ends(interval: Interval) -> tuple[float, float]:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


def numbers(interval: Interval) -> list[float]:
    assert interval.estimate is not None
    return [interval.estimate, *ends(interval)]


def make_table(seed: int, n_seeds: int = 4, n_examples: int = 30) -> Array:
    """Right and wrong of three models of rising accuracy, alike on easy examples."""
    random = np.random.default_rng(seed)
    level = np.array([0.2, 0.8, 1.4])[:, None, None] + random.normal(0, 0.2, (3, n_seeds, 1))
    score = level + random.normal(0, 0.7, n_examples) + random.normal(0, 0.7, (3, n_seeds, n_examples))
    return (score > 0).astype(float)
