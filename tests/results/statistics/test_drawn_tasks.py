"""Tasks as drawn: by hand, against the definitions, and by how often intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from outgrow.core.errors import OutgrowError
from outgrow.results.statistics.comparison import Triple, average, mean_difference
from outgrow.results.statistics.drawn_tasks import drawn


def test_of_unknown_variances_it_is_the_t_test_over_tasks() -> None:
    effects = np.array([0.02, 0.05, -0.01, 0.03])
    found = drawn(effects, np.zeros(4))
    reference = stats.ttest_1samp(effects, 0)
    low, high = reference.confidence_interval(0.95)
    assert found.p == pytest.approx(reference.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert found.between == pytest.approx(effects.std(ddof=1))
    # A new task: like one more of a normal sample.
    far = stats.t.ppf(0.975, 3) * effects.std(ddof=1) * (1 + 1 / 4) ** 0.5
    assert found.prediction == pytest.approx((effects.mean() - far, effects.mean() + far), rel=0.05)


def test_the_variance_between_tasks_is_paule_and_mandels() -> None:
    effects, own = np.array([0.00, 0.06, 0.02, 0.11, 0.03]), np.array([1, 4, 2, 9, 1]) * 1e-4
    found = drawn(effects, own)
    weights = 1 / (own + found.between**2)
    mean = np.average(effects, weights=weights)
    assert found.between > 0
    assert found.interval.estimate == pytest.approx(mean)
    assert weights @ (effects - mean) ** 2 == pytest.approx(4)  # k - 1: what defines it
    half = stats.t.ppf(0.975, 4) / weights.sum() ** 0.5
    assert (found.interval.low, found.interval.high) == pytest.approx((mean - half, mean + half))


def test_tasks_that_agree_too_well_are_no_surer_than_their_own_noise() -> None:
    found = drawn([0.05, 0.05, 0.0501], [1e-4] * 3)
    assert found.between == 0
    assert found.interval.high - found.interval.estimate == pytest.approx(stats.t.ppf(0.975, 2) * (1e-4 / 3) ** 0.5)  # type: ignore[operator]


def test_where_nothing_can_be_told() -> None:
    two = drawn([0.01, 0.05], [1e-4, 1e-4])
    assert two.prediction is None
    same = drawn([0.05, 0.05], [0, 0])
    assert (same.interval.estimate, same.interval.low, same.p) == (pytest.approx(0.05), None, None)
    with pytest.raises(OutgrowError, match="two or more"):
        drawn([0.05], [0.0])


def test_the_ratio_of_sums_over_drawn_tasks_is_fiellers_over_tasks() -> None:
    # Gains .1, .12, .08 and gaps .3, .2, .25 that are the same for all seeds: only tasks vary.
    tasks = {"a": (0.5, 0.6, 0.8), "b": (0.6, 0.72, 0.8), "c": (0.6, 0.68, 0.85)}
    found = average({task: Triple(*(np.full(3, value) for value in values)) for task, values in tasks.items()}).drawn
    gains, gaps = np.array([0.1, 0.12, 0.08]), np.array([0.3, 0.2, 0.25])
    assert found is not None
    assert found.estimate == pytest.approx(gains.sum() / gaps.sum())
    for end in (found.low, found.high):
        apart = gains - end * gaps
        assert abs(apart.mean()) == pytest.approx(stats.t.ppf(0.975, 2) * apart.std(ddof=1) / 3**0.5)
    assert average({"a": Triple(*(np.full(3, value) for value in tasks["a"]))}).drawn is None


def test_intervals_over_tasks_hold_the_truth_where_tasks_differ() -> None:
    """Six tasks, effects of .03 with a standard deviation of .02: of the given ones, of the drawn ones, of a new one."""
    random = np.random.default_rng(3)
    these, wrongly, over, new = [], [], [], []
    for _ in range(400):
        effects = 0.03 + 0.02 * random.standard_normal(7)
        pairs = []
        for effect in effects[:6]:
            shared = random.random(300)
            score = [
                shared + 0.3 * random.standard_normal((5, 300)) + 0.01 * random.standard_normal((5, 1)) for _ in "ab"
            ]
            # Two models equally right, the second raised by the effect on rows that are drawn for it.
            first, second = ((one > 0.5).astype(float) for one in score)
            raised = np.where((random.random(300) < 2 * abs(effect)) & (random.random(300) < 0.5), np.sign(effect), 0)
            pairs.append(((first + 1) / 3, (second + raised + 1) / 3, None))
        found = mean_difference(pairs)
        interval, drawn_interval = found.given.interval, found.drawn.interval
        assert interval.low is not None
        assert interval.high is not None
        assert drawn_interval.low is not None
        assert drawn_interval.high is not None
        assert found.drawn.prediction is not None
        these.append(interval.low <= effects[:6].mean() / 3 <= interval.high)
        wrongly.append(interval.low <= 0.01 <= interval.high)
        over.append(drawn_interval.low <= 0.01 <= drawn_interval.high)
        low, high = found.drawn.prediction
        new.append(low <= effects[6] / 3 <= high)
    assert 0.93 <= np.mean(these) <= 0.985
    assert 0.93 <= np.mean(over) <= 0.985
    assert np.mean(wrongly) < np.mean(over) - 0.02
    assert 0.91 <= np.mean(new) <= 0.99
