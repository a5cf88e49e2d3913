"""A pool much larger than its splits: what is kept depends on content alone, and every split can still be dealt."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from outgrow.core.identity import content_id
from outgrow.core.pool import Pool
from outgrow.execution.machine import Machine
from outgrow.execution.step import walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.experiment.spec.schema import Experiment
from outgrow.tasks.cut import cut_pool, kept_of
from outgrow.tasks.pool import deal

DEALT = {"weak_train": 30, "transfer": 40, "validation": 10}


def pool(n: int, groups: int | None = None, test: int = 50, unlabelled: int = 0) -> Pool:
    texts = sorted((f"text {number}" for number in range(n)), key=content_id)
    ids = np.array([content_id(text) for text in texts])
    labels = np.arange(n) % 2
    labels[test : test + unlabelled] = -1
    own = ids if groups is None else np.array([f"group {number % groups}" for number in range(n)])
    is_test = np.arange(n) < test
    if groups is not None:
        own = np.where(is_test, ids, own)
    return Pool(ids, texts, labels, ("no", "yes"), own, is_test)


def test_a_pool_that_is_small_or_little_larger_than_its_splits_stays_whole() -> None:
    assert kept_of(pool(4146), DEALT) is None
    assert kept_of(pool(4147), DEALT) == {"rows": 256, "labelled": 128}
    assert kept_of(pool(9000), {"weak_train": 1000, "transfer": 1100, "validation": 0}) is None


def test_splits_of_nearly_the_same_size_keep_the_same_rows() -> None:
    assert kept_of(pool(5000), DEALT) == kept_of(pool(5000), {"weak_train": 35, "transfer": 60, "validation": 10})


def test_test_rows_stay_and_the_others_are_chosen_by_content() -> None:
    whole = pool(5000)
    cut = cut_pool(whole, rows=256, labelled=128)
    assert (len(cut), int(cut.test.sum())) == (256 + 50, 50)
    assert set(whole.ids[whole.test]) <= set(cut.ids)
    assert (np.sort(cut.ids) == cut.ids).all()
    assert [content_id(text) for text in cut.inputs] == cut.ids.tolist()
    assert cut.notes[-1].startswith("cut to 256 of the 4950 rows that are not for test")
    fewer = cut_pool(pool(4000), rows=256, labelled=128)  # a thousand rows less change few of those kept
    assert len(set(fewer.ids) & set(cut.ids)) > 200
    larger = cut_pool(whole, rows=512, labelled=128)
    assert set(cut.ids) < set(larger.ids)


@pytest.mark.parametrize(("groups", "unlabelled"), [(None, 0), (None, 4500), (50, 0), (500, 2000)])
def test_every_seed_can_deal_its_splits_from_it(groups: int | None, unlabelled: int) -> None:
    cut = cut_pool(pool(5000, groups, unlabelled=unlabelled), rows=256, labelled=128)
    for seed in range(5):
        found = deal(cut, seed, **DEALT)
        assert {part: len(rows) for part, rows in found.items()} == DEALT


def test_an_experiment_reads_the_cut_pool_unless_all_rows_are_wanted(tmp_path: Path) -> None:
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((f"text {n}", "yn"[n % 2]) for n in range(4300))])

    def planned(**task: str) -> list[tuple[str, int]]:
        content = {
            "name": "x",
            "tasks": [{"file": str(tmp_path / "rows.csv"), "text": "text", "label": "label", **task}],
            "weak": ["static:wordllama"],
            "strong": ["static:wordllama"],
            "seeds": [0],
            "split": {"weak_train": 30, "transfer": 40, "test": 100},
        }
        store = Store(tmp_path / "store")
        steps = list(walk(prepare(Experiment(**content), store, Machine()).wanted))
        pools = [step.parents["pool"] for step in steps if step.kind == "features"]
        return [(step.kind, len(Pool.load(store.open(step.key) or tmp_path))) for step in pools]

    assert planned() == [("cut", 256 + 100)]
    assert planned(rows="all") == [("pool", 4300)]
