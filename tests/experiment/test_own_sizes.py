"""Split sizes and rows of one task: its own in place of the experiment's, and no other task's keys move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_experiment import asked

from outgrow import Experiment, UsageError, run
from outgrow.core.pool import Pool
from outgrow.execution.machine import Machine
from outgrow.execution.step import Step, walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare

SPLIT = {"weak_train": 30, "transfer": 60, "validation": 10, "test": 40}


def two(folder: Path, **more: Any) -> Experiment:
    """An experiment of two tasks, the second with keys of its own."""
    asked(folder)
    texts = (folder / "reviews.csv").read_text().replace("film", "book")
    (folder / "books.csv").write_text(texts)
    entry = {"text": "sentence", "label": "label"}
    tasks = [{"file": str(folder / name), **entry} for name in ("reviews.csv", "books.csv")]
    return asked(folder, tasks=[tasks[0], {**tasks[1], **more}], split=SPLIT)


def dealt(plan: Any, store: Store, task: str) -> dict[str, int]:
    step: Step = next(run.split for run in plan.runs if run.task == task)
    pool = Pool.load(store.open(step.parents["pool"].key))
    return {**{key: step.params[key] for key in ("weak_train", "transfer", "validation")}, "test": int(pool.test.sum())}


def test_a_task_has_its_own_sizes_and_the_others_keep_their_keys(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    plain = prepare(two(tmp_path), store, Machine())
    own = prepare(two(tmp_path, split={"test": 20, "transfer": 50}), store, Machine())
    assert dealt(own, store, "books") == {"weak_train": 30, "transfer": 50, "validation": 10, "test": 20}
    assert dealt(own, store, "reviews") == SPLIT
    keys = [
        {step.key for one in plan.runs if one.task == "reviews" for step in walk(one.wanted)} for plan in (plain, own)
    ]
    assert keys[0] == keys[1]


def test_a_task_with_its_own_test_file_may_take_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "held.csv").write_text(
        "sentence,label\n" + "".join(f"a tale {n},{'posneg'[n % 2 * 3 :][:3]}\n" for n in range(10))
    )
    asked_for = two(tmp_path, test=str(tmp_path / "held.csv"), split={"test": None})
    store = Store(tmp_path / "store")
    assert dealt(prepare(asked_for, store, Machine()), store, "books")["test"] == 10
    again = tmp_path / "again.yaml"
    again.write_text(asked_for.to_yaml())
    read = Experiment.read(again)
    assert [one.sizes for one in read.tasks] == [{}, {"test": None}]
    with pytest.raises(UsageError, match="books"):
        prepare(two(tmp_path, test=str(tmp_path / "held.csv")), store, Machine())


def test_rows_cut_a_task_by_content(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    plan = prepare(two(tmp_path, rows=105), store, Machine())
    step = next(run.pool for run in plan.runs if run.task == "books")
    pool, whole = Pool.load(store.open(step.key)), Pool.load(store.open(step.parents["pool"].key))
    assert (int((~pool.test).sum()), int(pool.test.sum())) == (105, 40)
    assert pool.notes[-1].startswith("cut to 105 of the 120 rows that are not for test")
    assert pool.notes[-1].endswith("`rows: 105` asks for no more")
    fewer = Pool.load(store.open(prepare(two(tmp_path, rows=100), store, Machine()).runs[-1].pool.key))
    assert set(fewer.ids) < set(pool.ids) < set(whole.ids)  # the same order of a hash
    assert np.array_equal(np.sort(fewer.ids[fewer.test]), np.sort(whole.ids[whole.test]))
    assert next(run.pool for run in plan.runs if run.task == "reviews").kind == "pool"
    assert prepare(two(tmp_path, rows=1000), store, Machine()).runs[-1].pool.kind == "pool"  # there are no more


def test_it_runs(tmp_path: Path) -> None:
    made = run(
        two(tmp_path, rows=100, split={"test": 30, "weak_train": 20}), store=tmp_path / "store", out=tmp_path / "out"
    )
    assert {(cell["task"], cell["n_test"]) for cell in made.cells} == {("reviews", 40), ("books", 30)}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"split": {"tset": 3}}, 'tasks[1].split: unknown option "tset"; did you mean "test"?'),
        ({"split": {"test": 0}}, "tasks[1].split: test: should be greater than or equal to 1, not 0"),
        ({"split": "train"}, "`split` has no meaning beside `file`"),
        ({"rows": 0}, "tasks[1].rows: is a number of rows from 1 on, or `all`, not 0"),
        ({"rows": "most"}, "tasks[1].rows: is a number of rows from 1 on, or `all`, not 'most'"),
        ({"rows": 99}, "books: `rows: 99` keeps fewer rows for training than the 100 that the split asks for"),
        ({"split": {"weak_train": None}}, "`weak_train` is missing: static:wordllama"),
        ({"split": {"weak_train": 3}}, "asks for 4 rows of 3 in weak_train"),
        ({"split": {"test": None}}, "`test` is missing, and task books has no test split of its own"),
    ],
)
def test_what_does_not_fit_is_a_sentence(tmp_path: Path, more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        two(tmp_path, **more)
    assert sentence in str(caught.value), caught.value


def test_groups_are_cut_whole(tmp_path: Path) -> None:
    from outgrow.tasks.cut import cut_pool

    groups = np.array([f"group {number // 4}" for number in range(40)])
    ids = np.array([f"{number:02}" for number in range(40)])
    pool = Pool(ids, list(ids), np.arange(40) % 2, ("no", "yes"), groups, np.arange(40) < 4)
    assert int((~cut_pool(pool, rows=10, exact=True).test).sum()) == 8
    assert int((~cut_pool(pool, rows=3, exact=True).test).sum()) == 0
