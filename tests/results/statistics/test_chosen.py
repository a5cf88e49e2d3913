"""The accuracy of what is chosen among several by the rows that measure it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from outgrow.results.statistics.chosen import DEALS, accuracy_of_choice, best_of, over_deals, scores_of_choice
from outgrow.results.statistics.intervals import accuracy, contrast

LABELS = 0.65


def answers(seed: int, choices: int, rows: int, share: float = 0.7) -> np.ndarray:
    """1 where right, `[choices, rows]`: all right on the same share, on rows that all find hard and on their own."""
    random = np.random.default_rng(seed)
    noise = 0.7**0.5 * random.standard_normal(rows) + 0.3**0.5 * random.standard_normal((choices, rows))
    return (noise < stats.norm.ppf(share)).astype(np.float64)


def errors(right: np.ndarray) -> np.ndarray:
    """Losses by which the choice is the one that is right most often: `[choices, 1, rows]`."""
    return (1 - right)[:, None]


def alone(rows: int) -> np.ndarray:
    return np.arange(rows).astype(np.str_)


def test_where_there_is_one_choice_the_interval_is_that_of_a_model() -> None:
    right, cheap = answers(0, 2, 60)
    scores = scores_of_choice(right[None], errors(right[None]), alone(60), 0)
    assert (scores == right).all()
    found, usual = accuracy_of_choice(scores), accuracy(right[None])
    assert (found.low, found.high) == pytest.approx((usual.low, usual.high))
    pairs = np.stack([scores, np.broadcast_to(cheap, scores.shape)], axis=1)
    gain, usual = over_deals(pairs, [1, -1]), contrast(np.stack([right, cheap])[:, None], [1, -1])
    assert (gain.estimate, gain.low, gain.high) == pytest.approx((usual.estimate, usual.low, usual.high))


def test_the_variance_between_deals_counts_twice() -> None:
    scores = np.tile([[1.0, 0, 1, 1, 0, 1], [1, 0, 0, 1, 0, 1], [1, 1, 1, 1, 0, 1]], 4)
    cheap = np.tile([0.0, 1, 1, 0, 0, 1], 4)
    differences = scores - cheap
    variance = differences.var(axis=1, ddof=1).mean() / 24 + 2 * differences.mean(axis=1).var(ddof=1)
    far = stats.t.ppf(0.975, 23) * variance**0.5
    found = over_deals(np.stack([scores, np.broadcast_to(cheap, scores.shape)], axis=1), [1, -1])
    middle = differences.mean()
    assert (found.estimate, found.low, found.high) == pytest.approx((middle, middle - far, middle + far))


@given(st.integers(0, 1000), st.integers(0, 19), st.booleans())
def test_no_row_has_a_part_in_the_choice_that_it_is_scored_by(seed: int, row: int, grouped: bool) -> None:
    """Turn the answers on a row, or on all rows of its group, round: its scores turn round and nothing else."""
    right = answers(seed, 5, 20)
    groups = (np.arange(20) // 4).astype(np.str_) if grouped else alone(20)
    mine = groups == groups[row]
    turned = np.where(mine, 1 - right, right)
    before, after = (scores_of_choice(table, errors(table), groups, 3)[:, mine] for table in (right, turned))
    assert (after == 1 - before).all()
    assert before.shape == (DEALS, mine.sum())


def test_equal_choices_are_the_first() -> None:
    assert best_of(np.array([[[0.0, 1]], [[1, 0]]])) == 0


def test_the_choice_has_the_least_loss_each_at_its_best_temperature() -> None:
    """Means by temperature: 3 and 2, 4 and 1, 1.5 and 1.5."""
    losses = np.array([[[2.0, 4], [1, 3]], [[4, 4], [1, 1]], [[1, 2], [2, 1]]])
    assert best_of(losses) == 1
    assert best_of(losses[[0, 2]]) == 1
    right = np.array([[1.0] * 40, [0.0] * 40])  # the second is chosen though it is right less often
    tables = np.stack([np.tile(losses[place], 20) for place in (0, 1)])
    assert (scores_of_choice(right, tables, alone(40), 0) == 0).all()


def test_intervals_hold_the_truth_of_the_choice_that_is_kept() -> None:
    """Ten choices that are equally good: whichever is kept is right on .70. One deal's interval is too short."""
    held = {"deals": 0, "gain": 0, "once": 0}
    for seed in range(300):
        right = answers(seed, 10, 100)
        cheap = (np.random.default_rng([1, seed]).random(100) < LABELS).astype(np.float64)
        scores = scores_of_choice(right, errors(right), alone(100), seed)
        pairs = np.stack([scores, np.broadcast_to(cheap, scores.shape)], axis=1)
        found, gain, once = accuracy_of_choice(scores), over_deals(pairs, [1, -1]), accuracy(scores[:1])
        for what, interval, truth in (("deals", found, 0.7), ("gain", gain, 0.7 - LABELS), ("once", once, 0.7)):
            assert interval.low is not None
            assert interval.high is not None
            held[what] += interval.low <= truth <= interval.high
    assert 0.93 <= held["deals"] / 300 <= 0.985
    assert 0.93 <= held["gain"] / 300 <= 0.985
    assert held["once"] / 300 < 0.92
