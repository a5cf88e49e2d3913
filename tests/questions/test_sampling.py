"""Draws have exactly their probabilities, spread over kinds, and leave weighted means unbiased."""

import numpy as np
import pytest

from outgrow.questions.measures.sampling import inclusion, margins, spread, systematic, weighted


def test_margins_and_inclusion_by_hand() -> None:
    assert margins(np.array([[0.7, 0.2, 0.1], [0.4, 0.2, 0.4]])) == pytest.approx([0.5, 0.0])
    assert inclusion(np.array([1.0, 1.0, 2.0]), 1, 0.4) == pytest.approx(
        [0.4 / 3 + 0.15, 0.4 / 3 + 0.15, 0.4 / 3 + 0.3]
    )
    assert inclusion(np.zeros(4), 2, 0.1) == pytest.approx([0.5] * 4)
    sure = inclusion(np.array([100.0, 1, 1, 1, 1]), 2, 0.1)
    assert sure[0] == 1
    assert sure[1:] == pytest.approx([0.25] * 4)
    assert inclusion(np.ones(3), 3, 0.5) == pytest.approx([1, 1, 1])


def test_every_row_is_drawn_with_its_probability() -> None:
    random = np.random.default_rng(0)
    probability = inclusion(random.random(60), 12, 0.3)
    order = random.permutation(60)
    counts = np.zeros(60)
    for seed in range(4000):
        drawn = systematic(probability, order, seed)
        assert len(drawn) == len(set(drawn.tolist())) == 12
        counts[drawn] += 1
    assert counts / 4000 == pytest.approx(probability, abs=4 * np.sqrt(0.25 / 4000))


def test_a_spread_draw_has_every_kind_in_its_share() -> None:
    random = np.random.default_rng(1)
    kind = np.repeat(np.arange(5), 200)
    features = 5 * np.eye(5)[kind] + 0.3 * random.standard_normal((1000, 5))
    p = np.full((1000, 2), 0.5)
    mixed = random.permutation(1000)
    order = spread(features[mixed], p, 0)
    for seed in range(20):
        drawn = systematic(inclusion(np.ones(1000), 50, 1.0), order, seed)
        counts = np.bincount(kind[mixed][drawn], minlength=5)
        assert counts.min() >= 8
        assert counts.max() <= 12


@pytest.mark.parametrize("random_share", [0.1, 0.5, 1.0])
def test_accuracy_by_inverse_weights_is_unbiased_where_the_plain_mean_is_not(random_share: float) -> None:
    """2,000 batches of one file in which the student is wrong where it is unsure."""
    random = np.random.default_rng(2)
    sure = random.random(3000)
    right = (random.random(3000) < 0.5 + 0.5 * sure).astype(float)
    p = np.stack([0.5 + sure / 2, 0.5 - sure / 2], axis=1)
    probability = inclusion((1 - margins(p)) ** 2, 100, random_share)
    order = spread(None, p, 0)
    estimates, plain, held = [], [], 0
    for seed in range(2000):
        drawn = systematic(probability, order, seed)
        found = weighted(right[drawn], probability[drawn])
        estimates.append(found.estimate)
        plain.append(right[drawn].mean())
        held += abs(found.estimate - right.mean()) <= 1.96 * found.error
    assert np.mean(estimates) == pytest.approx(right.mean(), abs=0.005)
    assert held / 2000 >= 0.93
    if random_share < 1:
        assert np.mean(plain) < right.mean() - 0.04
