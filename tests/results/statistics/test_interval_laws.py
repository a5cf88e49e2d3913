"""Intervals by law: what order, mirror, scale and copies must not change, and what PGR may not contradict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from interval_tables import DENOMINATOR, NUMERATOR, ends, make_table, numbers
from recovered import Array, recover

from outgrow.results.statistics.crossed import crossed, marginals
from outgrow.results.statistics.intervals import NOT_ABOVE, contrast, ratio

tables = st.builds(make_table, st.integers(0, 10**6), st.integers(1, 5), st.integers(3, 60))


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
@given(tables, st.lists(st.floats(-2, 2), min_size=3, max_size=3), st.booleans())
def test_a_sum_of_models_measured_together_is_as_if_it_were_summed_first(
    table: Array, weights: list[float], grouped: bool
) -> None:
    groups = np.arange(table.shape[2]) // 3 if grouped else None
    together, first = marginals(table, groups).sums(weights), crossed(np.tensordot([weights], table, 1), groups)
    assert (together.units, together.covers) == (first.units, first.covers)
    for part in ("means", "seeds", "examples", "residual"):
        assert getattr(together, part) == pytest.approx(getattr(first, part), abs=1e-12)
    if float(first.examples[0, 0]) > 1e-12:
        assert together.carriers == pytest.approx(first.carriers)


@settings(deadline=None)
@given(tables, st.floats(0.1, 10))
def test_scale_changes_only_scale(table: Array, scale: float) -> None:
    # Examples that are all alike have an interval of what unseen ones may bring, and that is on the scale of [0, 1].
    assume(all((table[a] - table[b]).mean(axis=0).std() > 0 for a, b in ((0, 1), (0, 2), (1, 2))))
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
@example(make_table(26917, 3, 3), 0.5)  # the student is above its supervisor by a third, on every example and seed
@example(make_table(3255, 2, 4), 0.8)  # at the estimate seeds and examples cancel, and no spread is left
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
        _, difference_low, difference_high = numbers(contrast(table, weights, level=level))
        # Rounding at an end, and examples that are all alike (Clopper-Pearson), have a rule of their own.
        alike = np.ptp(np.tensordot(weights, table, 1).mean(axis=0)) < 1e-9
        if min(abs(difference_low), abs(difference_high)) > 1e-6 and not alike:
            assert (low <= point <= high) == (difference_low <= 0 <= difference_high)
