"""What a file that grows does to its test rows: what docs/guide/experiments.md says of it."""

from __future__ import annotations

import pytest

from outgrow.core.pool import Pool
from outgrow.tasks.contract import RawTask
from outgrow.tasks.pool import build_pool


def pool(rows: int, *, official: int = 0) -> Pool:
    texts = [f"row {row}" for row in range(rows)] + [f"test {row}" for row in range(official)]
    labels = [str(place % 2) for place in range(len(texts))]
    test = [False] * rows + [True] * official if official else None
    return build_pool(RawTask(texts, labels, test=test), test_rows=500, balance=True)


def kept(before: Pool, after: Pool) -> float:
    held = set(before.ids[before.test].tolist())
    return len(held & set(after.ids[after.test].tolist())) / len(held)


@pytest.mark.parametrize(("rows", "more"), [(2000, 200), (5000, 500)])
def test_a_tenth_more_rows_push_about_a_tenth_of_the_test_rows_out(rows: int, more: int) -> None:
    assert 0.86 <= kept(pool(rows), pool(rows + more)) <= 0.95


def test_test_rows_in_a_file_of_their_own_stay() -> None:
    assert kept(pool(1000, official=500), pool(1100, official=500)) == 1
