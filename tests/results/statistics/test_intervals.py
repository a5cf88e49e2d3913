"""Intervals of accuracies, their differences and PGR: by hand, against a reference, by law, and by simulation."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interval_tables import DENOMINATOR, NUMERATOR, ends, make_table, numbers
from numpy.typing import NDArray
from recovered import Array, recover
from scipy import stats

from outgrow.core.errors import OutgrowError
from outgrow.results.metrics.agreement import agreement
from outgrow.results.statistics.comparison import difference
from outgrow.results.statistics.crossed import crossed
from outgrow.results.statistics.intervals import NO_SPREAD, NOT_ABOVE, Interval, Limits, accuracy, contrast, ratio
from outgrow.results.statistics.recovery import performance_gap_recovered, recovery


def wilson(share: float, n: float, t: float) -> list[float]:
    """Wilson's ends: the roots of (x - share)² n = t² x (1 - x)."""
    return [float(root) for root in sorted(np.roots([n + t**2, -(2 * n * share + t**2), n * share**2]).real)]


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
    # Mean 3/4, variance 1/4, of the mean 1/16: as of 3/16 / (1/16) = 3 examples. The quartile of Student's t with 3 degrees
    # of freedom is t = 0.7648923, and Wilson's ends solve (x - 3/4)² = t² x (1 - x) / 3.
    found = accuracy([[1, 1, 1, 0]], level=0.5)
    assert numbers(found) == pytest.approx([0.75, *wilson(0.75, 3, 0.7648923)])
    assert (found.status, found.covers) == ("ok", "examples")


def test_two_seeds_two_examples_by_hand() -> None:
    # Per seed 1 and 1/2, per example 1 and 1/2: a = b = 1/16, v = 1/8, so 2 degrees of freedom, whose quantile at p is
    # (2p - 1) / sqrt(2p (1 - p)): 0.5 / sqrt(0.375) at 0.75. That is as of (3/16) / (1/8) = 3/2 examples, and
    # (x - 3/4)² 3/2 = 2/3 x (1 - x) is 13/6 x² - 35/12 x + 27/32 = 0.
    found = accuracy([[1, 1], [1, 0]], level=0.5)
    root = ((35 / 12) ** 2 - 4 * 13 / 6 * 27 / 32) ** 0.5
    assert numbers(found) == pytest.approx([0.75, (35 / 12 - root) / (13 / 3), (35 / 12 + root) / (13 / 3)])
    assert found.covers == "few seeds and examples"


def test_groups_of_unequal_size_by_hand() -> None:
    # Mean 1/2; residuals 1 - 1/2 and 1 - 3/2; B = 2 (1/4 + 1/4) / 16 = 1/16; 1 degree of freedom, whose quartile is 1.
    # As of (1/4) / (1/16) = 4 examples: (x - 1/2)² = x (1 - x) / 4, so (x - 1/2)² = 1/20.
    found = accuracy([[1, 1, 0, 0]], groups=["a", "b", "b", "b"], level=0.5)
    assert numbers(found) == pytest.approx([0.5, 0.5 - 0.05**0.5, 0.5 + 0.05**0.5])


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
    assert ends(accuracy([[1, 1, 1, 0]])) == pytest.approx(wilson(0.75, 3, stats.t.ppf(0.975, 3)))
    assert ends(contrast([[[3, 0, 0, 0]]], [1], limits=Limits(0, 1))) == (0.0, 1.0)
    assert ends(contrast([[[1, 1, 1, 0]], [[0, 0, 0, 1]]], [1, -1])) == (-1.0, 1.0)


def test_all_right_is_not_certainty() -> None:
    found = accuracy(np.ones((3, 20)))
    assert numbers(found) == pytest.approx([1, stats.beta.ppf(0.025, 20, 1), 1])  # Clopper-Pearson, 20 of 20
    assert numbers(accuracy(np.zeros((3, 20)))) == pytest.approx([0, 0, stats.beta.ppf(0.975, 1, 20)])
    grouped = accuracy(np.ones((3, 20)), groups=np.arange(20) // 4)
    assert numbers(grouped) == pytest.approx([1, stats.beta.ppf(0.025, 5, 1), 1])


def test_models_that_agree_everywhere_differ_by_nothing() -> None:
    table = make_table(1)
    # On the 30 examples; up to 1 - 0.025^(1/30) of all examples may be others, and right for one of the two alone.
    unseen = 1 - 0.025 ** (1 / 30)
    assert numbers(contrast(table[[0, 0]], [1, -1])) == pytest.approx([0, -unseen, unseen])
    assert numbers(contrast(table[[0, 0]][:, :, :20], [1, -1]))[2] == pytest.approx(0.16843, abs=1e-5)
    same_as_weak, same_as_ceiling = (recovery(table[0], table[model], table[2], level=0.5)["pgr"] for model in (0, 2))
    unseen = 1 - 0.25 ** (1 / 30)
    gap = (1 - unseen) * (table[2].mean() - table[0].mean())
    assert numbers(same_as_weak) == pytest.approx([0, -unseen / gap, unseen / (gap + unseen)])
    assert numbers(same_as_ceiling) == pytest.approx([1, 1 - unseen / (gap + unseen), 1 + unseen / gap])


def test_models_that_differ_on_every_example_have_the_p_of_a_sign_test() -> None:
    found = difference(np.zeros((3, 10)), np.ones((3, 10)))
    assert found.p == pytest.approx(2 / 2**10)
    assert (found.interval.low or 0) == pytest.approx(1 - 2 * (1 - 0.025 ** (1 / 10)))


@pytest.mark.parametrize("n", [20, 100, 500])
@pytest.mark.parametrize("n_seeds", [1, 3, 5])
def test_more_mistakes_lower_both_ends(n: int, n_seeds: int) -> None:
    """The same mistakes with every seed; from none to all."""
    found = [ends(accuracy(np.tile(np.arange(n) >= wrong, (n_seeds, 1)))) for wrong in range(n + 1)]
    lows, highs = zip(*found, strict=True)
    assert all(np.diff(lows) <= 0)
    assert all(np.diff(highs) <= 0)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(5, 60), st.booleans())
def test_a_model_with_mistakes_is_never_surer_than_one_without(seed: int, n_seeds: int, n: int, grouped: bool) -> None:
    random = np.random.default_rng(seed)
    groups = random.integers(0, 5, n) if grouped else None
    right = random.random((n_seeds, n)) > 0.1 * random.random()
    assert ends(accuracy(right, groups))[0] <= ends(accuracy(np.ones((n_seeds, n)), groups))[0]
    assert ends(accuracy(~right, groups))[1] >= ends(accuracy(np.zeros((n_seeds, n)), groups))[1]


def test_the_audits_cases_near_the_edge() -> None:
    nineteen, all_right = (accuracy([[1] * (20 - wrong) + [0] * wrong]) for wrong in (1, 0))
    assert ends(nineteen) == pytest.approx(wilson(0.95, 19, stats.t.ppf(0.975, 19)))
    assert ends(nineteen)[0] < ends(all_right)[0]
    assert nineteen.small  # one example carries the whole spread
    assert not accuracy([[1] * 80 + [0] * 20]).small


def test_few_seeds_keep_the_residual_and_five_subtract_it() -> None:
    """Two-way tables written out: A and B of the margins, R of what is left."""
    random = np.random.default_rng(3)
    for n_seeds, covers in ((4, "few seeds and examples"), (5, "seeds and examples")):
        row = (random.random((n_seeds, 40)) < 0.7).astype(float)
        a, b = row.mean(axis=1).var(ddof=1) / n_seeds, row.mean(axis=0).var(ddof=1) / 40
        rest = row - row.mean(axis=1, keepdims=True) - row.mean(axis=0) + row.mean()
        r = (rest**2).sum() / ((n_seeds - 1) * 39) / (n_seeds * 40)
        v = a + b if n_seeds == 4 else max(a, b, a + b - r)
        spread = crossed(row[None])
        ((variance, freedom),) = spread.parts(np.ones(1))
        assert variance == pytest.approx(v)
        assert freedom == pytest.approx(v**2 / (a**2 / (n_seeds - 1) + b**2 / 39))
        assert spread.covers == covers


def test_labels_given_once_count_for_every_seed() -> None:
    table = make_table(2, n_examples=200)
    once = recovery(table[0, :1], table[1], table[2])
    assert once == recovery(np.repeat(table[0, :1], 4, axis=0), table[1], table[2])
    assert once["weak_accuracy"].covers == once["pgr"].covers == "few seeds and examples"


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
    mean = row.mean()
    names = np.arange(n_examples) if groups is None else groups
    sums = np.array([[sum(of_seed[names == name] - mean) for name in sorted(set(names.tolist()))] for of_seed in row])
    units = sums.shape[1]
    b = units / (units - 1) * (sums.mean(axis=0) ** 2).sum() / n_examples**2
    v = a + b
    if n_seeds >= 5:
        rest = sums - sums.mean(axis=1, keepdims=True) - sums.mean(axis=0) + sums.mean()
        r = (rest**2).sum() / ((n_seeds - 1) * (units - 1)) / (n_seeds * units) * (units / n_examples) ** 2
        v = max(a, b, a + b - r)
    if v == 0:
        return float(mean), 0.0
    freedom = v**2 / ((a**2 / (n_seeds - 1) if n_seeds > 1 else 0) + b**2 / (units - 1))
    return float(mean), float(stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(v))


@pytest.mark.parametrize("n_examples", [300, 15_000])  # the second is read in parts
@pytest.mark.parametrize("n_seeds", [1, 2, 5])
@pytest.mark.parametrize("grouped", [False, True])
def test_differences_and_pgr_against_the_formulas_written_out(n_seeds: int, grouped: bool, n_examples: int) -> None:
    table = make_table(5, n_seeds, n_examples)
    groups = np.random.default_rng(0).integers(0, 60, n_examples) if grouped else None
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


def test_metrics_load_neither_torch_nor_scipy() -> None:
    command = (
        "import sys, outgrow.results.statistics.recovery, outgrow.results.statistics.intervals;"
        "import outgrow.results.metrics.agreement;"
        "print([name for name in ('torch', 'scipy', 'pandas', 'sklearn') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
