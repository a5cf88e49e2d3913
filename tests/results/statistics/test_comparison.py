"""Differences, their p-values, power and averages over tasks: by hand, against references, and by simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from measured import benchmark
from numpy.typing import NDArray
from scipy import stats

from outgrow.results.statistics.comparison import (
    Triple,
    average,
    demanded,
    difference,
    holm,
    mean_difference,
    needed,
    pgr_difference,
    unpaired_pgr_difference,
)
from outgrow.results.statistics.intervals import NOT_ABOVE

Array = NDArray[np.float64]


probit = benchmark("coverage")


def simulated(accuracies: tuple[float, ...], n_seeds: int, seed: int, count: int, n: int = 400) -> Any:
    """Scores `[models, seeds, n]` of any number of models, like the benchmark's, with seed effects of 1.5 points."""
    from scipy.special import ndtri

    random = np.random.default_rng([seed, n_seeds, len(accuracies)])
    target = ndtri(np.array(accuracies))
    spread = 0.015 / (np.exp(-(target**2) / 2) / np.sqrt(2 * np.pi))
    gap = target * np.sqrt(1 + spread**2)
    k = len(accuracies)
    for _ in range(count):
        score = 0.5 * random.standard_normal((k, n_seeds, n), dtype=np.float32)
        score += np.sqrt(0.5, dtype=np.float32) * random.standard_normal(n, dtype=np.float32)
        score += 0.5 * random.standard_normal((k, 1, n), dtype=np.float32)
        score += (gap[:, None] + spread[:, None] * random.standard_normal((k, n_seeds)))[:, :, None].astype(np.float32)
        yield (score > 0).astype(np.float64)


# By hand and against references


def test_one_seed_is_the_paired_t_test() -> None:
    random = np.random.default_rng(0)
    first, second = (random.random((1, 80)) < share for share in (0.6, 0.75))
    found = difference(first, second)
    reference = stats.ttest_rel(second[0].astype(float), first[0].astype(float))
    assert found.p == pytest.approx(reference.pvalue)
    assert found.interval.estimate == pytest.approx(second.mean() - first.mean())
    assert found.interval.covers == "examples"


def test_accuracies_alone_are_the_paired_t_test_over_seeds() -> None:
    first, second = np.array([0.71, 0.74, 0.70, 0.73]), np.array([0.75, 0.75, 0.74, 0.76])
    found = difference(first, second)
    assert found.p == pytest.approx(stats.ttest_rel(second, first).pvalue)
    assert found.interval.covers == "seeds"


def test_the_same_predictions_differ_by_nothing() -> None:
    table = (np.random.default_rng(1).random((4, 50)) < 0.7).astype(float)
    found = difference(table, table)
    unseen = 1 - 0.025 ** (1 / 50)  # on other examples they may differ
    assert (found.interval.estimate, found.interval.low, found.interval.high, found.p) == (0, -unseen, unseen, 1)


def test_p_agrees_with_the_interval() -> None:
    for table in simulated((0.7, 0.72), 4, seed=3, count=100):
        found = difference(table[0], table[1])
        assert found.interval.low is not None
        assert found.interval.high is not None
        assert found.p is not None
        assert (found.p < 0.05) == (found.interval.low > 0 or found.interval.high < 0)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, None]) == [pytest.approx(0.03), pytest.approx(0.06), pytest.approx(0.06), None]
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def triple(weak: Any, student: Any, ceiling: Any) -> Triple:
    return Triple(*(np.array(scores, dtype=float) for scores in (weak, student, ceiling)))


def test_pgr_differs_by_hand() -> None:
    naive, other = triple([0.4, 0.4], [0.5, 0.6], [0.8, 0.8]), triple([0.4, 0.4], [0.6, 0.7], [0.8, 0.8])
    found = pgr_difference(naive, other, level=0.5)
    assert found.interval.estimate == pytest.approx(0.25)
    # Another supervisor: gaps .4 and .3, recovered 3/8 and 2/3.
    stronger = triple([0.5, 0.5], [0.65, 0.75], [0.8, 0.8])
    assert pgr_difference(naive, stronger, level=0.5).interval.estimate == pytest.approx(2 / 3 - 3 / 8)
    assert unpaired_pgr_difference(naive, stronger, level=0.5).interval.estimate == pytest.approx(2 / 3 - 3 / 8)
    undefined = pgr_difference(naive, triple([0.4, 0.4], [0.6, 0.7], [0.4, 0.4]))
    assert (undefined.interval.status, undefined.p) == (NOT_ABOVE, None)


def test_linearised_and_fieller_agree_where_both_apply() -> None:
    (table,) = simulated((0.6, 0.7, 0.75, 0.85), 5, seed=5, count=1, n=3000)
    first, second = Triple(table[0], table[1], table[3]), Triple(table[0], table[2], table[3])
    exact = pgr_difference(first, second)
    nudged = table[3].copy()
    nudged[0, 0] = 1 - nudged[0, 0]  # one answer of another ceiling
    close = pgr_difference(first, Triple(table[0], table[2], nudged))
    assert close.interval.estimate == pytest.approx(exact.interval.estimate, abs=2e-3)
    assert close.interval.low == pytest.approx(exact.interval.low, abs=0.02)
    assert close.interval.high == pytest.approx(exact.interval.high, abs=0.02)


def test_averages_over_tasks_by_hand() -> None:
    tasks = {
        "a": triple([0.4, 0.4], [0.5, 0.5], [0.8, 0.8]),  # a quarter of .4
        "b": triple([0.6, 0.6], [0.7, 0.7], [0.7, 0.7]),  # all of .1
        "c": triple([0.6, 0.6], [0.5, 0.5], [0.5, 0.5]),  # the ceiling is below
        "d": "undefined: no truth on transfer",
    }
    found = average(tasks)
    assert found.median == pytest.approx((0.25 + 1) / 2)
    assert found.ratio_of_sums.estimate == pytest.approx((0.1 + 0.1 - 0.1) / (0.4 + 0.1 - 0.1))
    assert found.defined == ("a", "b")
    assert found.undefined == {"d": "undefined: no truth on transfer", "c": NOT_ABOVE}
    nothing = average({"c": tasks["c"], "d": tasks["d"]})
    assert (nothing.median, nothing.ratio_of_sums.status) == (None, NOT_ABOVE)


def test_the_mean_over_tasks_weighs_tasks_alike() -> None:
    pairs = [(np.array([0.5, 0.52]), np.array([0.6, 0.64]), None), (np.array([0.7, 0.7]), np.array([0.7, 0.7]), None)]
    found = mean_difference(pairs, level=0.5).given
    assert found.interval.estimate == pytest.approx(0.055)
    # Only the first task varies: differences .1 and .12 about .11, standard error .01, halved; 1 degree of freedom.
    assert found.interval.high == pytest.approx(0.055 + 0.005)


# Power


def test_power_by_hand() -> None:
    # Differences by example only (the same for both seeds): mean .1, variance of a fifth's ones and tenth's minus ones.
    row = np.array([1] * 20 + [-1] * 10 + [0] * 70)
    first = np.zeros((2, 100))
    second = np.stack([row, row]).astype(float)
    found = needed((first + 1) / 2, (second + 1) / 2)  # halved, so that scores lie in [0, 1]: the same question
    sd, mean = row.std(ddof=1), 0.1
    n = next(n for n in range(100, 2000) if mean > (stats.t.ppf(0.975, n - 1) + stats.t.ppf(0.8, n - 1)) * sd / n**0.5)
    assert found.rows == n
    assert found.seeds is None  # seeds do not vary: more of them change nothing
    assert found.both is not None
    assert found.both[1] == pytest.approx(n, rel=0.02)


def test_power_where_nothing_can_tell() -> None:
    table = (np.random.default_rng(2).random((1, 60)) < 0.5).astype(float)
    assert needed(table, 1 - table).seeds is None
    assert needed(np.array([0.5]), np.array([0.6])) == needed(np.array([0.5, 0.6]), np.array([0.6, 0.7]))
    same = needed(table, table)
    assert (same.seeds, same.rows, same.both) == (None, None, None)


def test_the_power_named_is_reached() -> None:
    accuracies, rows = (0.70, 0.735), 1500
    asked = [needed(*table) for table in simulated(accuracies, 40, seed=11, count=60, n=rows)]
    seeds = int(np.median([found.seeds or 10**9 for found in asked]))  # none: the rows seen by chance show less
    assert 4 <= seeds <= 20
    shown = [
        (found := difference(*table)).p is not None and found.p < 0.05
        for table in simulated(accuracies, seeds, seed=12, count=400, n=rows)
    ]
    assert 0.74 <= np.mean(shown) <= 0.9


def test_the_level_demanded_is_that_of_the_step_of_holms_correction_that_fails() -> None:
    assert demanded([0.01, 0.2, 0.6, None]) == pytest.approx(0.05 / 2)
    assert demanded([0.3]) == pytest.approx(0.05)
    assert demanded([0.01, None]) == pytest.approx(0.05)


@pytest.mark.parametrize("n_seeds", [3, 5, 8])
def test_what_is_not_shown_needs_more_than_there_is(n_seeds: int) -> None:
    apart, unshown = np.linspace(0, 0.05, 10), 0
    for table in simulated((0.7, *(0.7 + apart)), n_seeds, seed=13, count=25):
        p = [difference(table[0], other).p for other in table[1:]]
        corrected = holm(p)
        for other, alone, now in zip(table[1:], p, corrected, strict=True):
            assert alone is not None
            assert now is not None
            if now >= 0.05:
                found = needed(table[0], other, level=1 - demanded(corrected))
                assert found.seeds is None or found.seeds > n_seeds
                assert found.rows is None or found.rows > table.shape[2]
                at_five = needed(table[0], other)
                assert found.rows is None or at_five.rows is None or at_five.rows <= found.rows
                unshown += alone < 0.05  # of these the question is asked wrongly without the correction
    assert unshown > 10


# By how often they are right


@pytest.mark.parametrize("accuracies", [(0.7, 0.7), (0.85, 0.85)])
def test_the_comparison_is_wrong_as_seldom_as_it_says(accuracies: tuple[float, float]) -> None:
    """Type-I error at 5 seeds under the null: 1,500 experiments a setting, a standard error of .006."""
    p_values = [difference(*table).p for table in simulated(accuracies, 5, seed=0, count=1500, n=1000)]
    assert 0.03 <= np.mean([p is not None and p < 0.05 for p in p_values]) <= 0.065


@pytest.mark.parametrize("n_seeds", [3, 5, 10])
def test_differences_hold_the_truth_as_often_as_they_say(n_seeds: int) -> None:
    truths = {"accuracy": 0.05, "fieller": 0.05 / 0.2, "linearised": 0.1 / 0.2 - 0.1 / 0.25}
    held: dict[str, list[bool]] = {key: [] for key in truths}
    # Supervisors at .65 and .60, their students at .75 and .70, another method's at .75, the ceiling at .85.
    for table in simulated((0.65, 0.75, 0.70, 0.60, 0.70, 0.85), n_seeds, seed=1, count=300, n=800):
        better, weak, student, other_weak, other, ceiling = table[1], table[0], table[2], table[3], table[4], table[5]
        found = {
            "accuracy": difference(student, better),
            "fieller": pgr_difference(Triple(weak, student, ceiling), Triple(weak, better, ceiling)),
            "linearised": pgr_difference(Triple(other_weak, other, ceiling), Triple(weak, better, ceiling)),
        }
        for key, result in found.items():
            if result.interval.low is not None and result.interval.high is not None:
                held[key].append(result.interval.low <= truths[key] <= result.interval.high)
    for key, results in held.items():
        assert len(results) >= 290, key
        assert 0.92 <= np.mean(results) <= 0.99, (key, np.mean(results))


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_averages_over_tasks_hold_the_truth(n_seeds: int) -> None:
    settings = ((0.6, 0.7, 0.8), (0.7, 0.8, 0.9), (0.75, 0.78, 0.9))
    streams = [simulated(accuracies, n_seeds, seed=20 + place, count=200) for place, accuracies in enumerate(settings)]
    truth = sum(s - w for w, s, _ in settings) / sum(c - w for w, _, c in settings)
    held = []
    for tables in zip(*streams, strict=True):
        found = average({str(place): Triple(*table) for place, table in enumerate(tables)}).ratio_of_sums
        assert found.low is not None
        assert found.high is not None
        held.append(found.low <= truth <= found.high)
    assert 0.92 <= np.mean(held) <= 0.995
