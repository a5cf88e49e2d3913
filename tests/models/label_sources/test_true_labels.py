"""A budget of truth by hand: how many rows, which rows, and what cannot be asked for."""

from __future__ import annotations

import numpy as np
import pytest

from outgrow.core.errors import OutgrowError
from outgrow.models.label_sources.true_labels import placed_rows

IDS = np.array([f"row {number}" for number in range(8)])
TRUTH = np.array([0, 1, 0, 1, 0, 1, 0, 1])
#         margins:   .8        .2        .6        .1        .4        (none)           0         1
WEAK = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.55, 0.45], [0.3, 0.7], [np.nan] * 2, [0.5, 0.5], [1, 0]])


def test_the_least_sure_rows_come_first() -> None:
    for share, rows in ((2 / 7, [3, 6]), (3 / 7, [1, 3, 6]), (4 / 7, [1, 3, 4, 6]), (1, [0, 1, 2, 3, 4, 6, 7])):
        assert placed_rows(WEAK, TRUTH, IDS, share, "least_sure", 0).tolist() == rows


def test_of_three_classes_the_margin_counts_and_not_the_largest_probability() -> None:
    weak = np.array([[0.5, 0.48, 0.02], [0.4, 0.3, 0.3]])  # the second is less likely, the first less decided
    assert placed_rows(weak, np.array([0, 0]), IDS[:2], 0.5, "least_sure", 0).tolist() == [0]


def test_random_rows_go_by_seed_and_id_and_a_smaller_budget_is_part_of_a_larger() -> None:
    ids = np.array([f"row {number}" for number in range(200)])
    weak, truth = np.full((200, 2), 0.5), np.zeros(200, dtype=np.int64)
    chosen = [set(placed_rows(weak, truth, ids, share, "random", 0).tolist()) for share in (0.1, 0.25, 0.5)]
    assert [len(rows) for rows in chosen] == [20, 50, 100]
    assert chosen[0] < chosen[1] < chosen[2]
    assert chosen[2] != set(placed_rows(weak, truth, ids, 0.5, "random", 1).tolist())
    turned = np.arange(200)[::-1]  # the same rows in another order
    again = placed_rows(weak, truth, ids[turned], 0.5, "random", 0)
    assert set(ids[turned][again].tolist()) == set(ids[sorted(chosen[2])].tolist())
    assert len(chosen[2] & set(range(100))) in range(35, 66)  # spread over the rows


def test_equally_sure_rows_go_by_the_same_hash_as_random_ones() -> None:
    weak = np.concatenate([np.full((50, 2), 0.5), np.tile([0.9, 0.1], (50, 1))])
    ids, truth = np.array([f"row {number}" for number in range(100)]), np.zeros(100, dtype=np.int64)
    least = placed_rows(weak, truth, ids, 0.25, "least_sure", 3)
    assert (least < 50).all()
    assert least.tolist() == placed_rows(weak[:50], truth[:50], ids[:50], 0.5, "random", 3).tolist()


@pytest.mark.parametrize(
    ("weak", "truth", "share", "placed", "sentence"),
    [
        (WEAK, np.array([0, 1, *[-1] * 6]), 0.5, "random", "the truth of 4 rows of transfer, and it is known of 2"),
        (WEAK, TRUTH, 0.01, "random", "`truth: 0.01` of the 7 labels of transfer is none; ask for more"),
    ],
)  # fmt: skip
def test_what_cannot_be_placed_is_a_sentence(
    weak: object, truth: object, share: float, placed: str, sentence: str
) -> None:
    with pytest.raises(OutgrowError) as caught:
        placed_rows(weak, truth, IDS, share, placed, 0)  # type: ignore[arg-type]
    assert sentence in str(caught.value)
