"""Overlap density: the shares of rows that are hard for the supervisor, easy, or both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.results.metrics.overlap import change_point, overlap


def test_a_change_point_is_where_the_squares_around_two_means_are_least() -> None:
    assert change_point(np.array([0.9, 0.1, 0.2, 1.0])) == 0.9
    assert change_point(np.array([1.0, 1.0, 1.0, 2.0])) == 2.0
    assert change_point(np.array([3.0, 3.0])) is None
    assert change_point(np.array([3.0])) is None


@given(st.lists(st.integers(0, 40), min_size=2, max_size=30).filter(lambda drawn: len(set(drawn)) > 1))
def test_no_other_split_has_smaller_squares(drawn: list[int]) -> None:
    values = np.array(drawn, dtype=np.float64)

    def squares(first: float) -> float:
        return sum(
            float(((part - part.mean()) ** 2).sum()) for part in (values[values < first], values[values >= first])
        )

    found = change_point(values)
    assert found is not None
    assert squares(found) == pytest.approx(min(squares(other) for other in np.unique(values)[1:]))


def test_the_three_kinds_of_rows_of_the_paper_are_separated() -> None:
    """Easy patterns along one axis, hard ones along another; overlap rows hold both, hard rows are unsure."""
    features = np.array([[1.0, 0.0]] * 5 + [[0.0, 1.0]] * 3 + [[0.6, 0.8]] * 2)
    weak = np.array([[0.9, 0.1]] * 5 + [[0.55, 0.45]] * 3 + [[0.05, 0.95]] * 2)
    found = overlap(weak, features)
    assert found is not None
    assert (found.hard, found.easy, found.density) == (0.3, pytest.approx(0.5), 0.2)
    opposite = overlap(weak, features * np.array([1.0, -1.0]) * np.repeat([1, -1, 1], [5, 3, 2])[:, None])
    assert opposite == found  # a cosine of -.8 is as near as one of .8


def test_three_classes_go_by_the_margin_of_the_likeliest_two() -> None:
    weak = np.array([[0.48, 0.48, 0.04], [0.48, 0.26, 0.26], [0.48, 0.26, 0.26]])
    found = overlap(weak, np.array([[0.0, 1.0], [1.0, 0.0], [0.6, 0.8]]))
    assert found is not None
    assert (found.hard, found.density) == (pytest.approx(1 / 3), pytest.approx(1 / 3))


def test_labels_that_are_all_certain_have_no_overlap_density() -> None:
    assert overlap(np.eye(2)[[0, 1, 1, 0]], np.arange(8.0).reshape(4, 2)) is None
    mostly = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.6, 0.4]])
    found = overlap(mostly, np.array([[1.0, 0.0], [1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
    assert found is not None
    assert (found.hard, found.density) == (0.25, 0.25)
