"""How many true labels a student is worth: known crossings, ends beyond the curve, and how often the interval holds."""

import math

import numpy as np
import pytest

from outgrow.core.errors import OutgrowError
from outgrow.results.statistics.worth import best_by_others, chosen_by_others, of_parts, sizes, worth


def right(share: float, rows: int = 1000) -> np.ndarray:
    """1 for the first rows, 0 for the rest."""
    return (np.arange(rows) < share * rows).astype(float)


def curve(*points: tuple[int, float], repeats: int = 3) -> dict[int, np.ndarray]:
    return {size: np.tile(right(share), (repeats, 1)) for size, share in points}


def test_the_best_table_is_told_by_the_other_rows() -> None:
    first, second = np.array([[1, 1, 0, 0], [1, np.nan, 0, 0]]), np.array([[0, 0, 1, 1], [0, 0, 1, np.nan]])
    halves = [np.array([0, 1]), np.array([2, 3])]
    # Each half's own rows would choose the other table: none is scored by the rows that chose it.
    expected = np.concatenate([second[:, :2], first[:, 2:]], axis=1)
    np.testing.assert_array_equal(best_by_others([first, second], halves), expected)
    assert chosen_by_others([first, second], halves) == [1, 0]
    np.testing.assert_array_equal(of_parts([second, first], halves), expected)
    better = np.array([[1.0, 1, 1, 1], [1, 1, 1, 1]])
    np.testing.assert_array_equal(best_by_others([better, first, second], halves), better)


def test_the_first_table_is_taken_where_no_other_row_is_scored() -> None:
    tables = [np.array([[np.nan, 0.0]]), np.array([[np.nan, 1.0]])]
    assert chosen_by_others(tables, [np.array([0]), np.array([1])]) == [1, 0]


def test_choosing_does_not_raise_a_curve_where_nothing_differs() -> None:
    random = np.random.default_rng(0)
    tables = [(random.random((3, 20_000)) < 0.7).astype(float) for _ in range(8)]
    parts = np.array_split(np.arange(20_000), 400)  # of 50 rows: the best of eight on a part's own would be .75
    assert abs(best_by_others(tables, parts).mean() - 0.7) < 0.01


def test_sizes() -> None:
    assert sizes(300) == [25, 50, 100, 200, 240]
    assert sizes(250) == [25, 50, 100, 200]
    assert sizes(260) == [25, 50, 100, 208]  # 200 would be next to 208
    assert sizes(37) == [25, 29]
    assert sizes(36) == []
    assert sizes(1000) == [25, 50, 100, 200, 400, 800]


def test_a_point_of_the_curve_is_its_own_size() -> None:
    found = worth(right(0.7), curve((25, 0.6), (50, 0.7), (100, 0.8), (200, 0.85)))
    assert found.estimate == 50
    assert [point.size for point in found.points] == [25, 50, 100, 200]
    assert [point.accuracy for point in found.points] == pytest.approx([0.6, 0.7, 0.8, 0.85])
    assert [point.above for point in found.points] == pytest.approx([-0.1, 0, 0.1, 0.15])
    # Repeats agree, so that only rows vary: 100 of 1,000 differ by one.
    assert found.points[2].error == pytest.approx(math.sqrt(np.var(right(0.1), ddof=1) / 1000))


def test_between_two_points_it_is_interpolated_over_log_size() -> None:
    found = worth(right(0.75), curve((25, 0.6), (50, 0.7), (100, 0.8)))
    assert found.estimate == math.ceil(50 * 2**0.5)
    # The ends: where the difference is as large as its own margin, interpolated alike.
    assert 50 < found.low < found.estimate < found.high < 100


def test_beyond_the_curve() -> None:
    more = worth(right(0.9), curve((25, 0.6), (50, 0.7), (100, 0.8)))
    assert (more.estimate, more.high) == (math.inf, math.inf)
    assert more.low == math.inf
    fewer = worth(right(0.5), curve((25, 0.6), (50, 0.7), (100, 0.8)))
    assert (fewer.low, fewer.estimate, fewer.high) == (0, 0, 0)
    unsure = worth(right(0.8), curve((25, 0.6), (50, 0.7), (100, 0.797)))
    assert unsure.estimate == math.inf
    assert 50 < unsure.low <= 100
    assert unsure.high == math.inf


def test_a_curve_that_falls_by_chance_is_made_monotone() -> None:
    found = worth(right(0.72), curve((25, 0.6), (50, 0.74), (100, 0.70), (200, 0.9)))
    assert found.estimate == 50  # 50 and 100 are both .72 on average


def test_rows_that_were_learned_from_do_not_count() -> None:
    tables = curve((25, 0.6), (50, 0.7), (100, 0.8))
    for table in tables.values():
        table[0, :400] = np.nan
        table[1, 300:900] = np.nan
    student = right(0.7)
    assert worth(student, tables).estimate == 50
    for table in tables.values():
        table[:, 950:] = np.nan  # these rows were learned from in every repeat
    assert worth(student, tables).points[1].accuracy == pytest.approx(700 / 950)


def test_one_size_is_no_curve() -> None:
    with pytest.raises(OutgrowError, match="a learning curve needs two sizes"):
        worth(right(0.7), curve((25, 0.6)))


def test_the_interval_holds_in_19_of_20_worlds() -> None:
    """Students of n labels are right with .9 - .35 / sqrt(n / 20), plus what their labels' quality adds; rows differ."""
    generator = np.random.default_rng(0)
    rows, repeats, held, trials = 200, 25, 0, 300
    count = sizes(rows)

    def accuracy(size: float) -> float:
        return 0.9 - 0.35 / math.sqrt(size / 20)

    for _ in range(trials):
        real = math.exp(generator.uniform(math.log(30), math.log(150)))
        quality, ease = generator.normal(size=rows), generator.normal(size=rows) * 0.05
        student = (generator.random(rows) < accuracy(real) + ease).astype(float)
        tables = {size: np.full((repeats, rows), np.nan) for size in count}
        for repeat in range(repeats):
            order = generator.permutation(rows)
            for size in count:
                rest = order[size:]
                right = accuracy(size) + 0.25 * quality[order[:size]].mean() + ease[rest]
                tables[size][repeat, rest] = generator.random(len(rest)) < right
        found = worth(student, tables)
        held += found.low <= real <= found.high
    assert 0.93 <= held / trials <= 0.995
