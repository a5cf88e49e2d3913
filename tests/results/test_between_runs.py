"""Two run folders compared cell by cell: known differences, partly shared test examples and seeds, and none at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from folders import folder

from outgrow.results.between_runs import between, pairing
from outgrow.results.run_folder import read_run
from outgrow.results.statistics.comparison import difference

WEAK = {"weak": 0.6, "ceiling": 0.9}


def test_a_known_difference_with_the_interval_of_compare(tmp_path: Path) -> None:
    first = read_run(folder(tmp_path / "a", {"zebra": {**WEAK, "naive": 0.7, "confidence": 0.75}}))
    second = read_run(folder(tmp_path / "b", {"zebra": {**WEAK, "naive": 0.76, "confidence": 0.75}}))
    found = between(first, second, pairing([first.asked, second.asked]))
    naive, confidence = found.rows
    assert (naive["method"], naive["n_test"], naive["seeds"]) == ("naive", 300, [0, 1, 2])
    assert naive["difference"]["estimate"] == pytest.approx(0.06)
    assert confidence["difference"]["estimate"] == pytest.approx(0)
    assert naive["pgr_difference"]["estimate"] == pytest.approx(0.06 / 0.3)
    tables = [
        reading.scored.table([one.models["student"] for one in reading.asked if one.method.name == "naive"])
        for reading in (first, second)
    ]
    expected = difference(*tables)  # type: ignore[arg-type]
    assert naive["difference"]["low"] == pytest.approx(expected.interval.low)
    assert naive["difference"]["high"] == pytest.approx(expected.interval.high)
    assert naive["difference"]["p"] == pytest.approx(expected.p)
    assert found.notes == []


def test_only_shared_examples_and_seeds_count(tmp_path: Path) -> None:
    first = read_run(folder(tmp_path / "a", {"zebra": {**WEAK, "naive": 0.7}}, n=200, seeds=[0, 1, 2]))
    second = read_run(folder(tmp_path / "b", {"zebra": {**WEAK, "naive": 0.8}}, n=300, seeds=[2, 1, 5]))
    (row,) = between(first, second, ["task"]).rows
    assert (row["n_test"], row["n_tests"], row["seeds"]) == (200, [200, 300], [2, 1])
    before, after = (
        reading.scored.table([one.models["student"] for seed in (2, 1) for one in reading.asked if one.seed == seed])
        for reading in (first, second)
    )
    assert before is not None
    assert after is not None
    assert row["difference"]["estimate"] == pytest.approx(after[:, :200].mean() - before.mean())  # ids are in order


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    tasks = {"zebra": {**WEAK, "naive": 0.7}, "ant": {**WEAK, "naive": 0.7}}
    first = read_run(folder(tmp_path / "a", tasks, seeds=[0, 1]))
    for name, models, seeds, classes, note in (
        ("b", {"zebra": {**WEAK, "naive": 0.7}}, [4], 2, "zebra, static:w, probe:s, naive: no seed is in both runs"),
        ("c", {"moth": {**WEAK, "naive": 0.7}}, [0], 2, "cells that one of the two runs alone has: 3"),
        ("d", {"zebra": {"weak": 0.6, "naive": 0.7}}, [0, 1], 2, "cells that one of the two runs alone has: 1"),
    ):
        second = read_run(folder(tmp_path / name, models, seeds=seeds, classes=classes))
        found = between(first, second, ["task", "method"])
        assert note in found.notes
        if name == "d":
            (row,) = found.rows
            assert row["pgr_difference"]["estimate"] is None
            assert "no truth" in row["pgr_difference"]["status"]
        else:
            assert found.rows == []


def test_other_truths_are_other_examples(tmp_path: Path) -> None:
    """Of three classes in turn and of two, rows 0 and 1 of each six agree."""
    first = read_run(folder(tmp_path / "a", {"zebra": {**WEAK, "naive": 0.7}}, n=60))
    second = read_run(folder(tmp_path / "b", {"zebra": {**WEAK, "naive": 0.7}}, n=60, classes=3))
    (row,) = between(first, second, []).rows
    assert row["n_test"] == 20


def test_an_axis_of_one_value_in_each_run_does_not_part_them(tmp_path: Path) -> None:
    first = read_run(folder(tmp_path / "a", {"zebra": {**WEAK, "naive": 0.7}}))
    second = read_run(folder(tmp_path / "b", {"zebra": {**WEAK, "confidence": 0.8}}))
    third = read_run(folder(tmp_path / "c", {"zebra": {**WEAK, "naive": 0.7, "confidence": 0.8}}))
    assert pairing([first.asked, second.asked]) == []
    assert pairing([first.asked, third.asked]) == ["method"]
    (row,) = between(first, second, []).rows
    assert row["difference"]["estimate"] == pytest.approx(0.1)
