"""What holds of any pool and any deal."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pools import PARTS, pool_of, task

from outgrow.core.errors import UsageError
from outgrow.core.identity import content_id
from outgrow.core.pool import Pool
from outgrow.tasks.contract import RawTask
from outgrow.tasks.pool import build_pool, deal


@st.composite
def tasks(draw: st.DrawFn) -> RawTask:
    """20 to 120 rows of 2 to 4 classes, with duplicates, in groups or not, all labelled or not."""
    n, classes = draw(st.integers(20, 120)), draw(st.integers(2, 4))
    rng = random.Random(draw(st.integers(0, 2**32)))
    grouped, holes = draw(st.booleans()), draw(st.booleans())
    texts = [f"text {rng.randrange(n * 3)}" for _ in range(n)]
    labels = [int(content_id(text), 16) % classes for text in texts]
    groups = [rng.choice([None, *(f"g{g}" for g in range(n // 6))]) for _ in range(n)] if grouped else None
    known = [None if holes and rng.random() < 0.2 else label for label in labels]
    known[: 2 * classes] = labels[: 2 * classes]
    return RawTask(texts, known, groups, tuple(str(c) for c in range(classes)))


def built(raw: RawTask, test_rows: int) -> Pool | None:
    try:
        return build_pool(raw, test_rows=test_rows, balance=True, name="t")
    except UsageError:
        return None


@settings(max_examples=150, deadline=None)
@given(tasks(), st.integers(1, 12), st.integers(0, 10), st.integers(1, 10), st.integers(0, 10), st.integers(0, 99))
def test_splits_are_disjoint_exact_and_keep_groups_apart(
    raw: RawTask, test_rows: int, weak_train: int, transfer: int, validation: int, seed: int
) -> None:
    pool = built(raw, test_rows)
    if pool is None:
        return
    assert int(pool.test.sum()) == test_rows
    assert len(set(pool.ids)) == len(pool)
    assert (pool.labels[pool.test] >= 0).all()
    asked = dict(zip(PARTS, (weak_train, transfer, validation), strict=True))
    try:
        dealt = deal(pool, seed, **asked)
    except UsageError:
        return
    assert {part: len(rows) for part, rows in dealt.items()} == asked
    groups = [set(pool.groups[rows]) for rows in (*dealt.values(), np.flatnonzero(pool.test))]
    assert sum(map(len, groups)) == len(set.union(*groups))
    rows = np.concatenate([*dealt.values(), np.flatnonzero(pool.test)])
    assert len(set(rows.tolist())) == len(rows)
    for part in ("weak_train", "validation"):
        assert (pool.labels[dealt[part]] >= 0).all()


@settings(max_examples=60, deadline=None)
@given(tasks(), st.integers(0, 2**32))
def test_the_order_of_rows_changes_nothing(raw: RawTask, seed: int) -> None:
    order = list(range(len(raw.inputs)))
    random.Random(seed).shuffle(order)
    moved = RawTask(
        [raw.inputs[row] for row in order],
        [raw.labels[row] for row in order],
        [raw.groups[row] for row in order] if raw.groups is not None else None,
        raw.classes,
    )
    one, other = built(raw, 5), built(moved, 5)
    assert (one is None) == (other is None)
    if one is None or other is None:
        return
    for name in ("ids", "labels", "groups", "test"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist()
    assert (list(one.inputs), one.notes) == (list(other.inputs), other.notes)


@settings(max_examples=40, deadline=None)
@given(st.integers(40, 150), st.text(min_size=1, max_size=20).filter(str.strip), st.integers(0, 1), st.integers(0, 99))
def test_one_row_more_moves_few(n: int, text: str, label: int, seed: int) -> None:
    raw = task(n, n)
    more = RawTask([*raw.inputs, text], [*raw.labels, label])
    sizes = {"weak_train": 20, "transfer": 20, "validation": 10}
    places = []
    for pool in (pool_of(raw), pool_of(more)):
        where = dict.fromkeys(pool.ids[pool.test].tolist(), "test")
        for part, rows in deal(pool, seed, **sizes).items():
            where |= dict.fromkeys(pool.ids[rows].tolist(), part)
        places.append(where)
    moved = [id_ for id_ in places[0].keys() | places[1].keys() if places[0].get(id_) != places[1].get(id_)]
    # The new row pushes at most one row over each boundary; its class's share may shift one test row for another.
    assert len(moved) <= 2 * len(sizes) + 4


def test_seeds_deal_anew_and_leave_the_test_rows() -> None:
    pool = pool_of(task(200, 200), test_rows=100)
    sizes = {"weak_train": 100, "transfer": 100, "validation": 0}
    one, other, again = (deal(pool, seed, **sizes) for seed in (0, 1, 0))
    assert all(one[part].tolist() == again[part].tolist() for part in PARTS)
    shared = len(set(one["weak_train"].tolist()) & set(other["weak_train"].tolist()))
    assert 15 <= shared <= 55  # hypergeometric: mean 33, deviation 3.8
    # A prefix of a split is a random sample of it: its order is the seed's, not the ids'.
    assert one["weak_train"].tolist() != sorted(one["weak_train"].tolist())


def test_test_rows_do_not_follow_balance_or_each_other() -> None:
    """Which rows are down-sampled and which are tested are separate draws: shares stay as chance has them."""
    pool = pool_of(task(3000, 1000), test_rows=1000)
    twin = pool_of(task(3000, 1000), test_rows=500)
    assert set(twin.ids[twin.test]) <= set(pool.ids[pool.test])  # more test rows keep those there were
