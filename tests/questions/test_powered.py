"""Prediction-powered means against ppi-python's numbers, the formula's laws, and simulated worlds whose truth is known."""

import numpy as np
import pytest

from outgrow.questions.measures.powered import powered


def sample(n: int = 150, more: int = 4000, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    y = (random.random(n) < 0.6).astype(float)
    f = np.clip(0.7 * y + 0.2 + noise * random.standard_normal(n), 0, 1)
    others = np.clip(0.7 * (random.random(more) < 0.6) + 0.2 + noise * random.standard_normal(more), 0, 1)
    return y, f, others


# What ppi_mean_pointestimate and ppi_mean_ci (alpha .05) of ppi-python 0.2.3 print of these samples.
PPI_PYTHON = [
    ({}, None, 0.606543350062, 0.575221139963, 0.637865560161),
    ({}, 1.0, 0.606543350062, 0.575221139963, 0.637865560161),
    ({}, 0.0, 0.546666666667, 0.467000744989, 0.626332588345),
    ({"n": 40, "more": 300, "noise": 0.5}, None, 0.460559631513, 0.321021386003, 0.600097877023),
    ({"n": 40, "more": 300, "noise": 0.5}, 1.0, 0.447824927971, 0.296931412157, 0.598718443784),
    ({"n": 40, "more": 300, "noise": 0.5}, 0.0, 0.475000000000, 0.320245049077, 0.629754950923),
    ({"n": 300, "more": 200, "noise": 0.3}, None, 0.551725164673, 0.503619372801, 0.599830956545),
    ({"n": 300, "more": 200, "noise": 0.3}, 1.0, 0.557727907828, 0.498259208322, 0.617196607333),
    ({"n": 300, "more": 200, "noise": 0.3}, 0.0, 0.546666666667, 0.490334353219, 0.602998980115),
]


@pytest.mark.parametrize(("made", "power", "estimate", "low", "high"), PPI_PYTHON)
def test_estimates_and_intervals_are_those_of_ppi_python(
    made: dict[str, float], power: float | None, estimate: float, low: float, high: float
) -> None:
    y, f, others = sample(**made)
    found = powered(y, f, others, power)
    n = len(y)
    error = np.sqrt(found.of_careful * (n - 1) / n / n + found.of_predictions)  # which divides by n, not n - 1
    ends = [found.estimate + way * 1.959963984540054 * error for way in (-1, 1)]
    assert [found.estimate, *ends] == pytest.approx([estimate, low, high], abs=1e-9)


def test_useless_predictions_cost_nothing_and_perfect_ones_are_worth_all_rows() -> None:
    y, _, others = sample()
    useless = powered(y, np.full(len(y), 0.5), np.full(3000, 0.5))
    assert useless.estimate == pytest.approx(y.mean())
    assert useless.worth == pytest.approx(len(y))
    perfect = powered(y, y, (others > 0.5).astype(float))
    assert perfect.worth > 2000
    assert powered(y, y, np.zeros(0)).estimate == pytest.approx(y.mean())


def test_as_many_more_as_it_says_reach_the_margin() -> None:
    y, f, others = sample(400, 40_000, noise=0.3)
    found = powered(y, f, others)
    needed = found.needed(0.02)
    assert needed is not None
    assert 1.96 * np.sqrt(found.of_careful / needed + found.of_predictions) == pytest.approx(0.02, abs=2e-4)
    assert powered(y, f, others[:50]).needed(0.001) is None


def test_a_share_without_a_case_has_an_upper_end() -> None:
    found = powered(np.zeros(30), np.full(30, 0.01), np.full(500, 0.01))
    assert found.share() == pytest.approx((0.0, 1 - 0.025 ** (1 / 30)))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5])
@pytest.mark.parametrize("careful", [40, 200])
def test_intervals_hold_the_truth(share: float, careful: int) -> None:
    """A student that leans to one class, and is right more or less often: 1,500 simulated files."""
    random = np.random.default_rng([careful, int(100 * share)])
    held = shorter = 0
    for _ in range(1500):
        y = (random.random(careful + 2000) < share).astype(float)
        f = 1 / (1 + np.exp(-(2 * y - 0.5 + random.standard_normal(len(y)))))
        both = [powered(y[:careful], f[:careful], f[careful:], power) for power in (None, 0.0)]
        (low, high), (alone_low, alone_high) = (one.share() for one in both)
        held += low <= share <= high
        shorter += high - low < alone_high - alone_low
    assert 0.925 <= held / 1500 <= 0.99
    assert shorter / 1500 > 0.7
