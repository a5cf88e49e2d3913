"""Equivalent labels and rungs, and controls: by hand and by simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

from outgrow.core.errors import OutgrowError
from outgrow.results.metrics.controls import beyond_chance, chance
from outgrow.results.statistics.equivalence import equivalent


def simulated(accuracies: list[float], n_seeds: int, seed: int, count: int, n: int = 500) -> Any:
    """Scores `[models, seeds, n]`: half of the variance is what all find hard, seeds move accuracies by 1.5 points."""
    random = np.random.default_rng([seed, n_seeds])
    target = ndtri(np.array(accuracies))
    spread = 0.015 / (np.exp(-(target**2) / 2) / np.sqrt(2 * np.pi))
    k = len(accuracies)
    for _ in range(count):
        score = 0.7 * random.standard_normal((k, n_seeds, n), dtype=np.float32)
        score += 0.714 * random.standard_normal(n, dtype=np.float32)
        score += (target[:, None] + spread[:, None] * random.standard_normal((k, n_seeds)))[:, :, None].astype(
            np.float32
        )
        yield (score > 0).astype(np.float64)


def test_by_hand() -> None:
    # Without spread over seeds the curve is reached where it is said: .7 lies half way from .6 to .8.
    curve = {0.0: [0.5, 0.5], 1.0: [0.6, 0.6], 2.0: [0.8, 0.8]}
    found = equivalent([0.7, 0.7], curve)
    assert found.estimate == pytest.approx(1.5, abs=0.02)
    assert (found.low, found.high) == pytest.approx((1.5, 1.5), abs=0.02)
    worse, better = equivalent([0.4, 0.4], curve), equivalent([0.9, 0.9], curve)
    assert (worse.estimate, worse.high, better.estimate, better.low) == (-math.inf, -math.inf, math.inf, math.inf)


def test_a_curve_that_falls_is_made_monotone() -> None:
    found = equivalent([0.65, 0.65], {0.0: [0.5, 0.5], 1.0: [0.7, 0.7], 2.0: [0.6, 0.6], 3.0: [0.8, 0.8]})
    assert found.estimate == pytest.approx(1.0, abs=0.02)  # .7 and .6 pool to .65


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(OutgrowError, match="two points"):
        equivalent([0.5], {1.0: [0.5]})
    with pytest.raises(OutgrowError, match="same seeds"):
        equivalent([0.5, 0.6], {1.0: [0.5], 2.0: [0.6]})


@pytest.mark.parametrize("n_seeds", [3, 5, 10])
def test_the_interval_holds_the_place_as_often_as_it_says(n_seeds: int) -> None:
    # The curve passes .60, .70, .78, .84 at 0, 1, 2, 3; a student of .74 is half way from 1 to 2.
    held, hits = [], []
    for table in simulated([0.74, 0.60, 0.70, 0.78, 0.84], n_seeds, seed=1, count=200):
        found = equivalent(table[0], {float(place): scores for place, scores in enumerate(table[1:])})
        held.append(found.low <= 1.5 <= found.high)
        hits.append(found.estimate)
    assert 0.92 <= np.mean(held) <= 0.995
    assert np.median(hits) == pytest.approx(1.5, abs=0.15)


def test_chance_by_hand() -> None:
    truth = np.array([0, 0, 0, 1])
    said = np.array([[0, 1, 1, 1]])
    assert chance(said, truth, 2) == pytest.approx(0.25 * 0.75 + 0.75 * 0.25)
    assert beyond_chance(said, truth, 2).estimate == pytest.approx(0.5 - 0.375)
    always = beyond_chance(np.zeros((2, 4), dtype=int), truth, 2)
    assert (always.estimate, always.low, always.high) == pytest.approx((0, 0, 0), abs=1e-9)


@pytest.mark.parametrize("classes", [2, 5])
def test_what_knows_nothing_is_seldom_called_a_leak(classes: int) -> None:
    random = np.random.default_rng(classes)
    shares = np.arange(1, classes + 1) / np.arange(1, classes + 1).sum()
    alarms, caught = [], []
    for _ in range(400):
        truth = random.choice(classes, 300, p=shares)
        bias = random.dirichlet(np.full(classes, 5.0), 5)
        said = np.stack([random.choice(classes, 300, p=row) for row in bias])
        found = beyond_chance(said, truth, classes, level=0.95)
        alarms.append(found.low is not None and found.low > 0)
        leaky = np.where(random.random(said.shape) < 0.15, truth, said)
        leak = beyond_chance(leaky, truth, classes, level=0.95)
        caught.append(leak.low is not None and leak.low > 0)
    assert np.mean(alarms) <= 0.04
    assert np.mean(caught) > 0.9
