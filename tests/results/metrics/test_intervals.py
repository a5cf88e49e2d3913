"""Intervals of accuracies, their differences and PGR: by hand, against a reference, by law, and by simulation."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from outgrow.core.errors import OutgrowError
from outgrow.results.metrics.agreement import agreement
from outgrow.results.metrics.intervals import NO_SPREAD, NOT_ABOVE, Interval, accuracy, contrast, ratio
from outgrow.results.metrics.recovery import performance_gap_recovered, recovery

NUMERATOR, DENOMINATOR = [-1, 1, 0], [-1, 0, 1]
Array = NDArray[np.float64]


def ends(interval: Interval) -> tuple[float, float]:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


def numbers(interval: Interval) -> list[float]:
    assert interval.estimate is not None
    return [interval.estimate, *ends(interval)]


def recover(table: Array, groups: Any = None, level: float = 0.95) -> dict[str, Interval]:
    weak, student, ceiling = table
    return recovery(weak, student, ceiling, groups, level)


def make_table(seed: int, n_seeds: int = 4, n_examples: int = 30) -> Array:
    """Right and wrong of three models of rising accuracy, alike on easy examples."""
    random = np.random.default_rng(seed)
    level = np.array([0.2, 0.8, 1.4])[:, None, None] + random.normal(0, 0.2, (3, n_seeds, 1))
    score = level + random.normal(0, 0.7, n_examples) + random.normal(0, 0.7, (3, n_seeds, n_examples))
    return (score > 0).astype(float)


tables = st.builds(make_table, st.integers(0, 10**6), st.integers(1, 5), st.integers(3, 60))


# By hand


def test_pgr_is_the_share_of_the_gap() -> None:
    assert performance_gap_recovered(0.6, 0.7, 0.8) == pytest.approx(0.5)
    assert performance_gap_recovered(0.6, 0.5, 0.8) == pytest.approx(-0.5)
    assert performance_gap_recovered(0.6, 0.9, 0.8) == pytest.approx(1.5)
    assert performance_gap_recovered(0.6, 0.7, 0.6) is None
    assert performance_gap_recovered(0.6, 0.7, 0.5) is None


def test_agreement_is_the_share_of_equal_rows() -> None:
    assert agreement(np.array([0, 1, 2, 2]), np.array([0, 2, 2, 1])) == 0.5
    with pytest.raises(OutgrowError, match="same rows"):
        agreement(np.array([0, 1]), np.array([0]))
    with pytest.raises(OutgrowError, match="at least one"):
        agreement(np.array([], dtype=int), np.array([], dtype=int))


def test_one_seed_by_hand() -> None:
    # Mean 3/4, variance 1/4, of the mean 1/16; the quartile of Student's t with 3 degrees of freedom is 0.7648923.
    found = accuracy([[1, 1, 1, 0]], level=0.5)
    assert numbers(found) == pytest.approx([0.75, 0.75 - 0.25 * 0.7648923, 0.75 + 0.25 * 0.7648923])
    assert (found.status, found.covers) == ("ok", "examples")


def test_two_seeds_two_examples_by_hand() -> None:
    # Per seed 1 and 1/2, per example 1 and 1/2: a = b = 1/16, v = 1/8, so 2 degrees of freedom, whose quantile at p is
    # (2p - 1) / sqrt(2p (1 - p)): 0.2 / sqrt(0.48) at 0.6.
    found = accuracy([[1, 1], [1, 0]], level=0.2)
    half = 0.2 / 0.48**0.5 * 0.125**0.5
    assert numbers(found) == pytest.approx([0.75, 0.75 - half, 0.75 + half])
    assert found.covers == "seeds and examples"


def test_groups_of_unequal_size_by_hand() -> None:
    # Mean 1/2; residuals 1 - 1/2 and 1 - 3/2; B = 2 (1/4 + 1/4) / 16 = 1/16; 1 degree of freedom, whose quartile is 1.
    found = accuracy([[1, 1, 0, 0]], groups=["a", "b", "b", "b"], level=0.5)
    assert numbers(found) == pytest.approx([0.5, 0.25, 0.75])


def test_pgr_by_hand_from_accuracies_alone() -> None:
    # The gap is 0.4 for both seeds, the gain 0.1 and 0.3: standard error 0.1, 1 degree of freedom, whose quartile is 1.
    found = recovery([0.4, 0.4], [0.5, 0.7], [0.8, 0.8], level=0.5)["pgr"]
    assert numbers(found) == pytest.approx([0.5, 0.25, 0.75])
    assert found.covers == "seeds"


def test_pgr_is_the_ratio_of_means_not_the_mean_of_ratios() -> None:
    # The ratios are 1/2 and 1/3, the ratio of the means 0.15 / 0.4.
    assert recovery([0.4, 0.4], [0.5, 0.6], [0.6, 1.0], level=0.2)["pgr"].estimate == pytest.approx(0.375)


# Edges


def test_an_accuracy_stays_between_0_and_1_and_a_difference_between_minus_1_and_1() -> None:
    assert ends(accuracy([[1, 1, 1, 0]])) == (0.0, 1.0)
    assert ends(contrast([[[1, 1, 1, 0]], [[0, 0, 0, 1]]], [1, -1])) == (-1.0, 1.0)


def test_all_right_is_not_certainty() -> None:
    found = accuracy(np.ones((3, 20)))
    assert numbers(found) == pytest.approx([1, stats.beta.ppf(0.025, 20, 1), 1])  # Clopper-Pearson, 20 of 20
    assert numbers(accuracy(np.zeros((3, 20)))) == pytest.approx([0, 0, stats.beta.ppf(0.975, 1, 20)])
    grouped = accuracy(np.ones((3, 20)), groups=np.arange(20) // 4)
    assert numbers(grouped) == pytest.approx([1, stats.beta.ppf(0.025, 5, 1), 1])


def test_models_that_agree_everywhere_differ_by_nothing() -> None:
    table = make_table(1)
    assert numbers(contrast(table[[0, 0]], [1, -1])) == [0, 0, 0]
    same_as_weak, same_as_ceiling = (recovery(table[0], table[model], table[2], level=0.5)["pgr"] for model in (0, 2))
    assert numbers(same_as_weak) == pytest.approx([0, 0, 0], abs=1e-6)
    assert numbers(same_as_ceiling) == pytest.approx([1, 1, 1], abs=1e-6)


def test_labels_given_once_count_for_every_seed() -> None:
    table = make_table(2, n_examples=200)
    once = recovery(table[0, :1], table[1], table[2])
    assert once == recovery(np.repeat(table[0, :1], 4, axis=0), table[1], table[2])
    assert once["weak_accuracy"].covers == once["pgr"].covers == "seeds and examples"


@pytest.mark.parametrize("ceiling", [[0.5, 0.7], [0.1, 0.2], [0.5, 0.5]])
def test_a_ceiling_not_clearly_above_weak_leaves_pgr_undefined(ceiling: list[float]) -> None:
    found = recovery([0.5, 0.5], [0.6, 0.6], ceiling)
    assert found["pgr"] == Interval(None, None, None, NOT_ABOVE, "seeds")
    assert found["student_accuracy"].estimate == pytest.approx(0.6)


def test_what_cannot_be_known_is_said() -> None:
    table = make_table(3, n_seeds=1, n_examples=400)
    assert {key: found.covers for key, found in recover(table).items()} == dict.fromkeys(
        ("weak_accuracy", "student_accuracy", "ceiling_accuracy", "pgr"), "examples"
    )
    assert recover(make_table(3, n_examples=400), ["one"] * 400)["weak_accuracy"].covers == "seeds"
    alone = recovery([0.5], [0.6], [0.9])
    assert alone["weak_accuracy"] == Interval(0.5, None, None, "ok", "nothing")
    assert alone["pgr"] == Interval(None, None, None, NO_SPREAD, "nothing")
    assert recovery([0.5], [0.6], [0.4])["pgr"].status == NOT_ABOVE


@pytest.mark.parametrize(
    ("scores", "weights", "groups", "message"),
    [
        ([[[1, np.nan]]], [1], None, "missing or outside"),
        ([[[1, 2]]], [1], None, "missing or outside"),
        ([1, 0], [1], None, r"\[models, seeds, examples\]"),
        (np.ones((1, 0, 3)), [1], None, "none of them empty"),
        ([[[1, 0]]], [1, -1], None, "one weight a model"),
        ([[[1, 0]]], [1], ["a"], "one name an example"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(scores: Any, weights: Any, groups: Any, message: str) -> None:
    with pytest.raises(OutgrowError, match=message):
        contrast(scores, weights, groups)


def test_tables_of_other_examples_or_seeds_are_refused() -> None:
    table = make_table(4)
    for wrong in (table[0, :, 1:], table[0, 1:], table[0, 0], table):
        with pytest.raises(OutgrowError, match="same seeds and examples"):
            recovery(wrong, table[1], table[2])


# Against a reference


def reference(row: Array, groups: NDArray[np.int64] | None = None, level: float = 0.95) -> tuple[float, float]:
    """Estimate and margin of the mean of one `[seeds, examples]` table, written out."""
    n_seeds, n_examples = row.shape
    a = row.mean(axis=1).var(ddof=1) / n_seeds if n_seeds > 1 else 0.0
    if groups is None:
        units, b = n_examples, row.mean(axis=0).var(ddof=1) / n_examples
    else:
        per_example, mean = row.mean(axis=0), row.mean()
        residuals = [sum(per_example[groups == group] - mean) for group in set(groups.tolist())]
        units = len(residuals)
        b = units / (units - 1) * sum(residual**2 for residual in residuals) / n_examples**2
    if a + b == 0:
        return float(row.mean()), 0.0
    freedom = (a + b) ** 2 / ((a**2 / (n_seeds - 1) if n_seeds > 1 else 0) + b**2 / (units - 1))
    return float(row.mean()), float(stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(a + b))


@pytest.mark.parametrize("n_seeds", [1, 2, 5])
@pytest.mark.parametrize("grouped", [False, True])
def test_differences_and_pgr_against_the_formulas_written_out(n_seeds: int, grouped: bool) -> None:
    table = make_table(5, n_seeds, 300)
    groups = np.random.default_rng(0).integers(0, 60, 300) if grouped else None
    estimate, margin = reference(table[1] - table[0], groups)
    assert numbers(contrast(table, NUMERATOR, groups)) == pytest.approx(
        [estimate, estimate - margin, estimate + margin]
    )
    found = ratio(table, NUMERATOR, DENOMINATOR, groups)
    assert found.estimate == pytest.approx((table[1] - table[0]).mean() / (table[2] - table[0]).mean())
    for end in ends(found):  # exactly at an end, student - weak - end * (ceiling - weak) is as far from 0 as its margin
        estimate, margin = reference(table[1] - table[0] - end * (table[2] - table[0]), groups)
        assert abs(estimate) == pytest.approx(margin, rel=1e-6)


def test_one_seed_is_the_textbook_fieller() -> None:
    table = make_table(6, n_seeds=1, n_examples=500)
    top, bottom = table[1, 0] - table[0, 0], table[2, 0] - table[0, 0]
    n, d = top.mean(), bottom.mean()
    (v_n, v_nd), (_, v_d) = np.cov(top, bottom) / 500
    t = stats.t.ppf(0.975, 499)
    g = t**2 * v_d / d**2
    middle = n / d - g * v_nd / v_d
    half = t / d * np.sqrt(v_n - 2 * n / d * v_nd + (n / d) ** 2 * v_d - g * (v_n - v_nd**2 / v_d))
    expected = [n / d, (middle - half) / (1 - g), (middle + half) / (1 - g)]
    assert numbers(ratio(table, NUMERATOR, DENOMINATOR)) == pytest.approx(expected)


# By law


@settings(deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_seeds_and_examples_changes_nothing(table: Array, random: Any) -> None:
    seeds, examples = list(range(table.shape[1])), list(range(table.shape[2]))
    groups = np.array(examples) // 3
    before = recover(table, groups, level=0.6)
    random.shuffle(seeds)
    random.shuffle(examples)
    after = recover(table[:, seeds][:, :, examples], groups[examples], level=0.6)
    for key, found in before.items():
        assert (found.status, found.covers) == (after[key].status, after[key].covers)
        if found.low is not None:
            assert numbers(found) == pytest.approx(numbers(after[key]), abs=1e-6)


@settings(deadline=None)
@given(tables)
def test_what_is_not_recovered_mirrors_what_is(table: Array) -> None:
    found = ratio(table, NUMERATOR, DENOMINATOR, level=0.6)
    rest = ratio(table, [0, -1, 1], DENOMINATOR, level=0.6)
    assert found.status == rest.status
    if found.low is not None:
        estimate, low, high = numbers(rest)
        assert numbers(found) == pytest.approx([1 - estimate, 1 - high, 1 - low], abs=1e-6)
    estimate, low, high = numbers(contrast(table, NUMERATOR))
    assert numbers(contrast(table, [1, -1, 0])) == pytest.approx([-estimate, -high, -low])


@settings(deadline=None)
@given(tables, st.floats(0.1, 10))
def test_scale_changes_only_scale(table: Array, scale: float) -> None:
    estimate, low, high = numbers(contrast(table, NUMERATOR))
    assert numbers(contrast(table, scale * np.array(NUMERATOR))) == pytest.approx(
        [scale * estimate, scale * low, scale * high]
    )
    found, shrunk = (ratio(scores, NUMERATOR, DENOMINATOR, level=0.6) for scores in (table, 0.3 + 0.5 * table))
    assert found.status == shrunk.status
    if found.low is not None:
        assert numbers(found) == pytest.approx(numbers(shrunk), abs=1e-6)


@settings(deadline=None)
@given(tables, st.integers(2, 4))
def test_copies_in_groups_add_nothing(table: Array, copies: int) -> None:
    groups = np.repeat(np.arange(table.shape[2]), copies)
    alone = recover(table, level=0.6)
    copied = recover(np.repeat(table, copies, axis=2), groups, level=0.6)
    for key, found in alone.items():
        assert found.status == copied[key].status
        if found.low is not None:
            assert numbers(found) == pytest.approx(numbers(copied[key]), abs=1e-6)


@settings(deadline=None, max_examples=300)
@given(tables, st.sampled_from([0.5, 0.8, 0.95]))
def test_pgr_never_contradicts_the_differences(table: Array, level: float) -> None:
    """Undefined exactly where the gap's interval holds 0 or is below; else it and differences agree on 0 and 1."""
    found = ratio(table, NUMERATOR, DENOMINATOR, level=level)
    gap_low, _ = ends(contrast(table, DENOMINATOR, level=level))
    assert (found.status == NOT_ABOVE) == (gap_low <= 0)
    if found.low is None:
        return
    low, high = ends(found)
    for point, weights in ((0, NUMERATOR), (1, [0, -1, 1])):
        estimate, difference_low, difference_high = numbers(contrast(table, weights, level=level))
        # Two rules stand apart: rounding at an end, and a difference on every single example (Clopper-Pearson).
        if min(abs(difference_low), abs(difference_high)) > 1e-6 and abs(estimate) < 1:
            assert (low <= point <= high) == (difference_low <= 0 <= difference_high)


def test_metrics_load_neither_torch_nor_scipy() -> None:
    command = (
        "import sys, outgrow.results.metrics.recovery, outgrow.results.metrics.intervals, outgrow.results.metrics.agreement;"
        "print([name for name in ('torch', 'scipy', 'pandas', 'sklearn') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
