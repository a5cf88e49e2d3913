"""Easy to hard: rows by difficulty, splits of the easy rows alone, and the hard part of the test rows as a test set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pools import pool_of
from small_experiment import TEXTS, asked

from outgrow import Experiment, RawTask, Results, UsageError, run
from outgrow.core.pool import Source
from outgrow.execution.machine import Machine
from outgrow.execution.step import Context, walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.experiment.steps.order import by_column, cross_fitted, deal_easy, hardest_easy
from outgrow.experiment.steps.training_request import NAIVE
from outgrow.results.run_folder import read_run
from outgrow.tasks.pool import deal

SIZES = {"weak_train": 20, "transfer": 30, "validation": 10}


def pool(n: int = 200, groups: int = 0) -> Any:
    texts = [f"row {i}" for i in range(n)]
    in_groups = [f"g{i // groups}" for i in range(n)] if groups else None
    return pool_of(RawTask(texts, ["ab"[i % 2] for i in range(n)], groups=in_groups), test_rows=40)


def difficulty(of: Any) -> Any:
    return np.array([float(str(text).split()[1]) for text in of.inputs])


@pytest.mark.parametrize("groups", [0, 3])
@pytest.mark.parametrize("shares", [{"weak_train": 0.5}, {"transfer": 0.5}, {"weak_train": 0.6, "transfer": 0.6}])
def test_parts_are_dealt_from_the_easiest_rows_alone(shares: Mapping[str, float], groups: int) -> None:
    rows = pool(groups=groups)
    hard = difficulty(rows)
    dealt = [deal_easy(rows, hard, shares, seed, SIZES) for seed in (0, 1)]
    for seed, parts in enumerate(dealt):
        assert {part: len(found) for part, found in parts.items()} == SIZES
        everything = np.concatenate(list(parts.values()))
        assert len(set(everything.tolist())) == len(everything)
        assert not rows.test[everything].any()
        in_parts = [set(rows.groups[found].tolist()) for found in parts.values()]
        assert len(set().union(*in_parts)) == sum(map(len, in_parts))
        for part, found in parts.items():
            easy = hardest_easy(rows, hard, shares.get(part, 1.0))
            assert hard[found].max() <= easy
            if part not in shares and len(shares) == 1:
                assert hard[found].max() > hardest_easy(rows, hard, 0.5)  # of all rows, hard ones too
                assert found.tolist() == deal(rows, seed, **SIZES)[part].tolist()
    assert dealt[0]["transfer"].tolist() != dealt[1]["transfer"].tolist()
    assert dealt[0]["transfer"].tolist() == deal_easy(rows, hard, shares, 0, SIZES)["transfer"].tolist()


def test_too_few_easy_rows_are_a_sentence() -> None:
    rows = pool()
    with pytest.raises(UsageError, match=r"train_on: of the easiest 0.1 of the rows: .*transfer 30"):
        deal_easy(rows, difficulty(rows), {"transfer": 0.1}, 0, SIZES)


def test_a_columns_numbers_are_found_by_content_and_copies_take_the_mean() -> None:
    texts = ["a", "b", "c", "b"]
    raw = RawTask(texts * 10, ["x", "y", "x", "y"] * 10, columns={"hard": [1, 2, 3, 6] * 10, "word": ["w"] * 40})
    made = pool_of(RawTask([*raw.inputs, *(f"{i}" for i in range(40))], [*raw.labels, *("x", "y") * 20]), test_rows=4)
    source = Source.of([made.input_type.id(text) for text in raw.inputs], raw.columns, None)
    found = dict(zip(map(str, made.inputs), by_column(made, source, "hard", "t").tolist(), strict=True))
    assert [found[text] for text in "abc"] == [1, 4, 3]
    with pytest.raises(UsageError, match="t: order: the task has no column 'hardness'; there is hard, word"):
        by_column(made, source, "hardness", "t")
    with pytest.raises(UsageError, match="t: order: column 'word' holds 'w' in row 1, not a number"):
        by_column(made, source, "word", "t")


def test_a_row_is_judged_by_heads_that_did_not_learn_it() -> None:
    """Every row has a direction of its own that a head can learn by heart; half have a direction of their class too."""
    rows = pool(120)
    n = len(rows)
    random = np.random.default_rng(0)
    clear = random.random(n) < 0.5
    shared = np.where(clear, 2 * rows.labels - 1, 0.0)[:, None]
    values = np.hstack([3 * np.eye(n), 3 * shared]).astype(np.float32)
    params = {"method": NAIVE.loss, "solver": {"steps": 200, "lr": 0.05}, "l2": 0.001}
    found = cross_fitted(rows, values, params, Context())
    assert found[clear].max() < 0.3
    assert 0.3 < np.median(found[~clear]) < 0.7  # by heart it would be near 0


def experiment(folder: Path, **entry: Any) -> Experiment:
    asked(folder)
    lines = [
        f"{text},{'pos' if text.endswith('good') else 'neg'},{len(text) + number % 7}"
        for number, text in enumerate(TEXTS)
    ]
    (folder / "ordered.csv").write_text("sentence,label,rating\n" + "\n".join(lines) + "\n")
    task = {"file": str(folder / "ordered.csv"), "text": "sentence", "label": "label", **entry}
    split = {"weak_train": 20, "transfer": 30, "validation": 6, "test": 40}
    return asked(folder, tasks=[task], methods=["naive"], split=split)


@pytest.mark.parametrize("order", ["rating", {"by": "static:wordllama"}])
def test_an_experiment_is_tested_on_all_and_on_the_hard_part(tmp_path: Path, order: Any) -> None:
    made = run(
        experiment(tmp_path, order=order, train_on={"easiest": 0.6}), store=tmp_path / "store", out=tmp_path / "out"
    )
    whole, hard = made.cells
    assert (whole["test_set"], hard["test_set"]) == ("test", "hard")
    assert 0 < hard["n_test"] < whole["n_test"] == 40
    reading = read_run(tmp_path / "out")
    ids = reading.scored.test("ordered").ids.tolist()
    part = [ids.index(id_) for id_ in reading.scored.test("ordered", "hard").ids.tolist()]
    for one in reading.asked:
        if one.test_set == "hard":
            for model in one.models.values():
                assert model is not None
                everything = reading.scored.tables.probabilities[model._replace(test_set="test")]
                assert (reading.scored.tables.probabilities[model] == everything[part]).all()
    assert list(Results.read(tmp_path / "out").cells_frame()["test_set"]) == ["test", "hard"]


def test_an_order_alone_moves_no_key_and_train_on_moves_the_split(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    plain, ordered, easy = (
        {step.key for step in walk(prepare(experiment(tmp_path, **entry), store, Machine()).wanted)}
        for entry in ({}, {"order": "rating"}, {"order": "rating", "train_on": {"supervisor": {"easiest": 0.6}}})
    )
    assert plain < ordered
    assert len(ordered - plain) == 1
    assert len(easy & plain) == 2  # the pool and its features


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"train_on": {"easiest": 0.5}}, "`train_on` needs `order`"),
        ({"order": "rating", "train_on": {"easiest": 1.5}}, "a share above 0 and below 1"),
        ({"order": "rating", "train_on": {"teacher": {"easiest": 0.5}}}, "for `supervisor`, `student` or both"),
        ({"order": {"rating": "low"}}, "`order` is a column"),
        ({"order": {"column": "rating", "easiest": "first"}}, "`easiest` is low or high, not first"),
        ({"order": {"by": "majority"}}, "is not a head on frozen features"),
    ],
)
def test_what_an_order_cannot_be_is_said(tmp_path: Path, entry: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        experiment(tmp_path, **entry)
