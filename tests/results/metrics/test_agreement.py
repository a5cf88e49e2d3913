"""Agreement by hand, and how often its intervals hold the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from measured import benchmark
from numpy.typing import NDArray
from scipy import stats

from outgrow.core.errors import OutgrowError
from outgrow.results.metrics.agreement import FEW_MISTAKES, NO_MISFIT, agreements, squared_misfit

TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
WEAK = np.array([0, 0, 1, 2, 1, 1, 0, 2, 2, 0])  # wrong in rows 2, 3, 6, 7, 9
STUDENT = np.array([0, 1, 1, 0, 1, 1, 1, 0, 2, 2])  # copies row 2, corrects 3, 6, 9, errs otherwise in 7; spoils row 1


def estimates(weak: Any, student: Any, truth: Any = TRUTH, classes: int = 3, **more: Any) -> dict[str, Any]:
    found = agreements(np.atleast_2d(weak), np.atleast_2d(student), truth, classes, level=0.5, **more)
    return {key: value.estimate for key, value in found.items()}


def test_by_hand() -> None:
    found = estimates(WEAK, STUDENT, ceiling=np.array([TRUTH]))
    assert found["agreement"] == pytest.approx(0.5)
    assert found["agreement_where_right"] == pytest.approx(4 / 5)
    assert found["mistakes_copied"] == pytest.approx(1 / 5)
    assert found["mistakes_corrected"] == pytest.approx(3 / 5)
    assert found["corrected_if_independent"] == pytest.approx(0.7)
    assert found["copied_if_independent"] == pytest.approx(0.3 / 2)
    assert found["copied_beyond_independent"] == pytest.approx(1 / 5 - 0.15)
    assert found["mistakes_of_ceiling"] == 0
    assert found["misfit"] == pytest.approx(0.5)
    assert found["gain"] == pytest.approx(0.2)
    assert found["gain_per_misfit"] == pytest.approx(0.4)


def test_of_two_classes_what_is_not_copied_is_corrected() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 200)
    weak, student = (np.where(random.random((3, 200)) < share, truth, 1 - truth) for share in (0.7, 0.8))
    found = agreements(weak, student, truth, 2)
    copied, corrected = found["mistakes_copied"], found["mistakes_corrected"]
    assert copied.estimate + corrected.estimate == pytest.approx(1)  # type: ignore[operator]
    assert copied.low == pytest.approx(1 - corrected.high)  # type: ignore[operator]
    # These errors are independent: what is expected is what is found, within its interval.
    beyond = found["copied_beyond_independent"]
    assert beyond.low < 0 < beyond.high  # type: ignore[operator]


def test_a_perfect_supervisor_has_no_mistakes_to_copy() -> None:
    found = agreements(np.array([TRUTH] * 2), np.array([STUDENT] * 2), TRUTH, 3)
    assert found["mistakes_copied"].status == found["copied_beyond_independent"].status == FEW_MISTAKES
    assert found["mistakes_copied"].estimate is None


def test_a_copy_has_no_misfit_and_copies_all_mistakes_without_certainty() -> None:
    weak = np.array([np.tile(WEAK, 20)] * 3)
    found = agreements(weak, weak, np.tile(TRUTH, 20), 3)
    assert found["gain_per_misfit"].status == NO_MISFIT
    copied = found["mistakes_copied"]
    assert (copied.estimate, copied.high) == (1, 1)
    assert copied.low == pytest.approx(0.025 ** (1 / 100))


def test_squared_misfit_by_hand() -> None:
    weak, student = np.array([[[0.6, 0.4], [0.3, 0.7]]]), np.array([[[0.9, 0.1], [0.5, 0.5]]])
    found = squared_misfit(weak, student, np.array([0, 0]))
    assert found["squared_misfit"].estimate == pytest.approx((0.3**2 + 0.2**2) / 2)
    assert found["squared_gain"].estimate == pytest.approx((0.4**2 + 0.7**2) / 2 - (0.1**2 + 0.5**2) / 2)


def test_where_the_theorem_holds_the_gain_is_the_misfit() -> None:
    """Charikar et al. 2024, theorem 1: a projection on a space that holds the truth gains exactly what it differs by."""
    random = np.random.default_rng(4)
    truth = np.arange(200) % 2
    space = np.column_stack([truth, np.ones(200), random.random((200, 3))])
    weak, student = [], []
    for _ in range(3):
        said = np.clip(truth + random.normal(0, 0.4, 200), 0, 1)
        learned = space @ np.linalg.lstsq(space, said, rcond=None)[0]
        weak.append(np.column_stack([1 - said, said]))
        student.append(np.column_stack([1 - learned, learned]))
    found = squared_misfit(np.stack(weak), np.stack(student), truth)
    assert found["squared_misfit"].estimate > 0.01  # type: ignore[operator]
    assert found["misfit_residual"].estimate == pytest.approx(0, abs=1e-12)
    gain, misfit = found["squared_gain"].estimate, found["squared_misfit"].estimate
    assert gain == pytest.approx(misfit)


@pytest.mark.parametrize("n_seeds", [1, 5])
def test_the_misfit_residual_is_gain_less_misfit_with_its_own_interval(n_seeds: int) -> None:
    random = np.random.default_rng(5)
    truth = np.arange(300) % 3
    weak, student = (random.dirichlet([1, 1, 1], (n_seeds, 300)) for _ in range(2))
    found = squared_misfit(weak, student, truth)
    left = found["misfit_residual"]
    values = ((weak - np.eye(3)[truth]) ** 2 - (student - np.eye(3)[truth]) ** 2 - (student - weak) ** 2).sum(axis=2)
    assert left.estimate == pytest.approx(values.mean())
    assert left.high < 0  # type: ignore[operator]  # a student that guesses leaves its supervisor to no avail
    if n_seeds == 1:
        half = stats.t.ppf(0.975, 299) * values.std(ddof=1) / 300**0.5
        assert (left.low, left.high) == pytest.approx((values.mean() - half, values.mean() + half))


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(OutgrowError, match="same rows"):
        agreements(np.array([WEAK]), np.array([STUDENT[:9]]), TRUTH, 3)


def answers(scores: NDArray[np.float32], classes: int, random: np.random.Generator) -> tuple[Any, Any, Any]:
    """Class numbers of supervisor and student that are right where the scores say; the wrong ones are drawn evenly."""
    truth = random.integers(0, classes, scores.shape[2])
    wrong = (truth + random.integers(1, classes, scores.shape)) % classes
    said = np.where(scores > 0, truth, wrong)
    return said[0], said[1], truth


@pytest.mark.parametrize("n_seeds", [3, 5, 10])
@pytest.mark.parametrize("classes", [2, 4])
def test_intervals_hold_the_truth_as_often_as_they_say(n_seeds: int, classes: int) -> None:
    probit, random = benchmark("coverage"), np.random.default_rng([n_seeds, classes])
    found = [
        agreements(*answers(scores, classes, random), classes)
        for scores in probit.experiments((0.7, 0.8, 0.9), n_seeds, seed=7, count=200, n_examples=500)
    ]
    for key in found[0]:
        defined = [result[key] for result in found if result[key].status == "ok"]
        assert len(defined) >= 195, key
        # The truth, known to a twentieth of an interval: the mean over experiments.
        truth = np.mean([interval.estimate for interval in defined])
        held = np.mean([interval.low <= truth <= interval.high for interval in defined])
        assert 0.92 <= held <= 0.995, (key, held)
