"""Pool and splits: what merges, what is left out, what is fixed, and what a seed may move."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pools import pool_of, task

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import class_name, sorted_classes
from outgrow.core.identity import canonical_json, content_id
from outgrow.core.pool import Pool, Source
from outgrow.tasks.contract import RawTask
from outgrow.tasks.pool import build_pool, deal


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ((1, 1.0, "1", "1.0", " 1 ", np.int64(1), np.float32(1)), "1"),
        (("01",), "01"),
        ((-2, "-2", "-2.0"), "-2"),
        ((True, "true", "True", "TRUE", np.True_), "true"),
        ((False, "False"), "false"),
        ((0.5, "0.5"), "0.5"),
        (("yes", "yes "), "yes"),
        ((None, float("nan"), "", "  "), None),
        (("nan",), "nan"),
        (("NA",), "NA"),
        (("None",), "None"),
        (("null",), "null"),
        (("+1", "+1.0", "1."), "1"),
        (("01.0",), "01.0"),
        (("-0", "0", "-0.0"), "0"),
    ],
)
def test_a_class_has_one_spelling(values: tuple[object, ...], name: str | None) -> None:
    assert [class_name(value) for value in values] == [name] * len(values)


def test_lists_name_no_class() -> None:
    with pytest.raises(TypeError, match="a list names no class"):
        class_name(["yes"])


def test_classes_are_sorted_by_number_where_all_are_integers() -> None:
    assert sorted_classes(["10", "9", "-1", "9"]) == ("-1", "9", "10")
    assert sorted_classes(["10", "9", "b"]) == ("10", "9", "b")


def test_content_id_is_the_published_hash() -> None:
    # printf '"caf\\u00e9"' | sha256sum
    assert canonical_json("café") == '"caf\\u00e9"'
    assert content_id("café") == "ee08d8beb64c89c25fe7f583c6b522f7"


def test_duplicates_merge_and_contradictions_go() -> None:
    raw = RawTask(
        ["a", "a", "b", "c", "c", "c", "d", "e", "d"],
        [0, 0, 1, 0, 1, None, None, 1, 0],
    )
    pool = build_pool(raw, test_rows=1, balance=False)
    assert dict(zip(pool.inputs, pool.labels.tolist(), strict=True)) == {"a": 0, "b": 1, "d": 0, "e": 1}
    assert pool.notes == ("2 exact duplicates were merged", "1 text was left out for contradicting labels (3 rows)")
    assert pool.ids.tolist() == sorted(content_id(text) for text in "abde")
    assert pool.groups.tolist() == pool.ids.tolist()
    assert pool.classes == ("0", "1")


def test_the_larger_of_two_classes_is_down_sampled_over_55_percent() -> None:
    pool = pool_of(task(700, 400))
    assert np.bincount(pool.labels).tolist() == [400, 400]
    assert pool.notes == ("class 0 was down-sampled from 700 to 400 rows",)
    assert np.bincount(pool.labels[pool.test]).tolist() == [5, 5]
    kept = pool_of(task(700, 400), test_rows=11, balance=False)
    assert np.bincount(kept.labels).tolist() == [700, 400]
    assert np.bincount(kept.labels[kept.test]).tolist() == [7, 4]
    assert kept.notes == ()


def test_55_percent_is_not_over_55_percent_and_three_classes_are_left_alone() -> None:
    assert np.bincount(pool_of(task(55, 45)).labels).tolist() == [55, 45]
    assert np.bincount(pool_of(task(56, 44)).labels).tolist() == [44, 44]
    assert np.bincount(pool_of(task(80, 10, 10)).labels).tolist() == [80, 10, 10]


def test_test_rows_keep_the_shares_of_the_classes() -> None:
    pool = pool_of(task(50, 30, 20), test_rows=7)  # 3.5, 2.1, 1.4: the first has the largest remainder
    assert np.bincount(pool.labels[pool.test]).tolist() == [4, 2, 1]


def test_an_official_test_split_stays_whole_and_keeps_its_texts() -> None:
    raw = RawTask(
        ["a", "b", "c", "d", "x", "b", "y", "x"],
        [0, 1, 0, 1, 0, 0, 1, 0],
        test=[False] * 4 + [True] * 4,
    )
    pool = build_pool(raw, test_rows=3, balance=False)
    assert {text for text, test in zip(pool.inputs, pool.test, strict=True) if test} == {"x", "b", "y"}
    assert {text for text, test in zip(pool.inputs, pool.test, strict=True) if not test} == {"a", "c", "d"}
    assert dict(zip(pool.inputs, pool.labels.tolist(), strict=True))["b"] == 0  # the test file's word
    assert pool.notes == (
        "1 exact duplicate was merged",
        "1 training row was left out because it is in the test file too",
    )


def test_fewer_test_rows_than_the_test_file_has() -> None:
    train, held_out = task(20, 20), RawTask([f"test {n}" for n in range(30)], [n % 3 == 0 for n in range(30)])
    raw = RawTask(
        [*train.inputs, *held_out.inputs],
        [*train.labels, *(int(bool(label)) for label in held_out.labels)],
        test=[False] * 40 + [True] * 30,
    )
    pool = build_pool(raw, test_rows=15, balance=False)
    assert np.bincount(pool.labels[pool.test]).tolist() == [10, 5]
    assert (len(pool), int(pool.test.sum())) == (55, 15)  # the other 15 test rows are nobody's, training rows least
    assert pool.notes == ("15 rows left out of all splits: the test file has more than are needed",)
    assert int(build_pool(raw, test_rows=None, balance=False).test.sum()) == 30
    balanced = build_pool(raw, test_rows=20, balance=True)
    assert np.bincount(balanced.labels[balanced.test]).tolist() == [10, 10]
    assert balanced.notes == ("class 0 was down-sampled from 20 to 10 test rows",)


def test_a_group_of_the_test_file_is_not_trained_on() -> None:
    raw = RawTask(list("abcdxy"), [0, 1, 0, 1, 0, 1], ["p", "q", "q", None, "p", "r"], test=[False] * 4 + [True] * 2)
    pool = build_pool(raw, test_rows=2, balance=False)
    assert sorted(pool.inputs) == list("bcdxy")
    assert pool.notes == ("1 training row was left out for sharing a group with a test row",)


def test_a_text_in_several_groups_belongs_to_the_first() -> None:
    raw = RawTask(list("abcadx"), [0, 1, 0, 0, 1, 1], ["h", "h", "g", "g", "h", None], test=[False] * 5 + [True])
    pool = build_pool(raw, test_rows=1, balance=False)
    assert pool.notes == (
        "1 exact duplicate was merged",
        "1 text belongs to several groups and goes with the first by name",
    )
    group = dict(zip(pool.inputs, pool.groups.tolist(), strict=True))
    assert group["a"] == group["c"] != group["b"] == group["d"]
    assert group["x"] == content_id("x")


def test_test_rows_of_groups_are_whole_groups_and_a_cut_rest_is_nobodys() -> None:
    raw = task(60, 60, groups=[f"g{row % 24}" for row in range(120)])  # 24 groups of 5
    pool = pool_of(raw, test_rows=13)
    assert int(pool.test.sum()) == 13
    assert len(set(pool.groups[pool.test])) == 3
    assert not set(pool.groups[pool.test]) & set(pool.groups[~pool.test])
    assert len(pool) == 118
    assert pool.notes == ("2 rows left out of all splits: in a group with test rows",)


def test_too_many_test_rows() -> None:
    with pytest.raises(UsageError) as error:
        pool_of(task(70, 30), test_rows=61)
    assert error.value.problems == (
        "t: test 61 asks for more than there is: the task has 60 rows (class 0 was down-sampled from 70 to 30 rows)",
    )
    with pytest.raises(UsageError) as error:
        pool_of(task(5, 5, test=[False] * 4 + [True] * 6), test_rows=7, balance=False)
    assert error.value.problems == ("t: test 7 asks for more than there is: the test file has 6 rows",)
    with pytest.raises(UsageError, match="t: has no test split of its own: say how many rows under split: test"):
        build_pool(task(5, 5), test_rows=None, balance=True, name="t")
    with pytest.raises(UsageError, match="t: test must be 1 row or more, not 0"):
        pool_of(task(5, 5), test_rows=0)


def test_one_class_after_contradictions_is_said() -> None:
    with pytest.raises(UsageError) as error:
        build_pool(RawTask(["a", "b", "b"], [0, 1, 0]), test_rows=1, balance=True, name="t")
    assert error.value.problems == (
        "t: only class 0 remains; two classes are needed (1 text was left out for contradicting labels (2 rows))",
    )


def test_declared_classes_keep_their_order_and_bind() -> None:
    raw = RawTask(["a", "b"], ["neg", "pos"], classes=("pos", "neg"))
    assert build_pool(raw, test_rows=1, balance=True).classes == ("pos", "neg")
    with pytest.raises(UsageError) as error:
        build_pool(RawTask(["a"], ["poss"], classes=("pos", "neg")), test_rows=1, balance=True, name="t")
    assert error.value.problems == ("t: 'poss' is not one of the classes; did you mean \"pos\"?",)


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(OutgrowError, match="a task has 2 inputs and 1 values in labels"):
        RawTask(["a", "b"], [1])


def test_a_pool_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    raw = task(20, 20, 5, columns={"id": list(range(45)), "tags": [["x"]] * 45})
    pool = pool_of(raw)
    pool.save(tmp_path)
    again = Pool.load(tmp_path)
    for name in ("ids", "labels", "groups", "test"):
        assert getattr(again, name).tolist() == getattr(pool, name).tolist()
    assert (list(again.inputs), again.classes, again.notes) == (list(pool.inputs), pool.classes, pool.notes)
    source = Source.load(tmp_path / "source.parquet")
    assert source.ids.tolist() == [content_id(text) for text in raw.inputs]
    assert source.columns == {"id": [str(number) for number in range(45)]}
    assert json.loads((tmp_path / "pool.json").read_text()) == {"classes": ["0", "1", "2"], "notes": []}


def test_a_pool_is_read_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    first, second = pool_of(task(20, 20)), pool_of(task(10, 15, 5))
    first.save(tmp_path)
    read = Pool.load(tmp_path)
    assert Pool.load(tmp_path) is read
    with pytest.raises(ValueError, match="read-only"):
        read.labels[0] = 5
    second.save(tmp_path)
    assert list(Pool.load(tmp_path).inputs) == list(second.inputs)


def test_examples_and_truth() -> None:
    pool = pool_of(task(20, 20))
    rows = np.array([3, 0])
    assert pool.examples(rows).ids.tolist() == [pool.ids[3], pool.ids[0]]
    assert pool.examples(rows).inputs == [pool.inputs[3], pool.inputs[0]]
    assert pool.truth(rows).hard.tolist() == pool.labels[rows].tolist()
    unknown = build_pool(RawTask(["a", "b", "c"], [0, 1, None]), test_rows=1, balance=True)
    with pytest.raises(OutgrowError, match="the truth of 1 of 3 rows is not known"):
        unknown.truth(np.arange(3))


def test_too_much_asked_says_what_there_is() -> None:
    pool = pool_of(task(70, 30))
    with pytest.raises(UsageError) as error:
        deal(pool, 0, weak_train=20, transfer=20, validation=11)
    assert error.value.problems == (
        "weak_train 20 + transfer 20 + validation 11 need 51 rows, but only 50 are left once 10 rows are set aside for "
        "test: ask for less, or add rows (class 0 was down-sampled from 70 to 30 rows)",
    )
    with pytest.raises(UsageError) as error:
        deal(pool, 0, weak_train=-1, transfer=0, validation=-2)
    assert error.value.problems == (
        "weak_train must be 0 rows or more, not -1",
        "validation must be 0 rows or more, not -2",
        "transfer must be 1 row or more, not 0: it is what the student learns from",
    )


def test_unlabelled_rows_go_to_transfer_only() -> None:
    raw = RawTask([f"text {n}" for n in range(200)], [n % 2 if n < 60 else None for n in range(200)])
    pool = pool_of(raw, test_rows=10)
    assert pool.notes == ("140 rows without a label, for transfer only",)
    for seed in range(20):  # all of the labelled rows are needed: transfer must leave them alone
        dealt = deal(pool, seed, weak_train=25, transfer=140, validation=25)
        assert (pool.labels[dealt["weak_train"]] >= 0).all()
        assert (pool.labels[dealt["validation"]] >= 0).all()
        assert (pool.labels[dealt["transfer"]] < 0).all()
    with pytest.raises(UsageError) as error:
        deal(pool, 0, weak_train=26, transfer=10, validation=25)
    assert error.value.problems == (
        "weak_train 26 + validation 25 need 51 labelled rows, but only 50 are left once 10 rows are set aside for test: "
        "ask for less, or add rows (140 rows without a label, for transfer only)",
    )


def test_groups_that_cannot_be_dealt_say_so() -> None:
    pool = pool_of(task(15, 15, groups=[f"g{row % 3}" for row in range(30)]), test_rows=10)
    with pytest.raises(UsageError) as error:
        deal(pool, 0, weak_train=5, transfer=10, validation=5)
    assert error.value.problems == (
        "weak_train 5 + transfer 10 + validation 5 cannot be dealt from 20 rows in 2 groups: a group goes to one split "
        "whole, and the rest of a cut group to none; ask for less",
    )


def test_golden_deal() -> None:
    """What a seed deals is part of what every stored result means: it must not move between versions."""
    pool = pool_of(task(20, 20), test_rows=4)
    dealt = deal(pool, 7, weak_train=3, transfer=3, validation=2)
    assert {part: [pool.inputs[row] for row in rows] for part, rows in dealt.items()} == {
        "weak_train": ["text 0 4", "text 1 17", "text 1 15"],
        "transfer": ["text 1 9", "text 0 19", "text 0 0"],
        "validation": ["text 0 11", "text 0 3"],
    }
    assert [pool.inputs[row] for row in np.flatnonzero(pool.test)] == ["text 1 6", "text 0 8", "text 1 11", "text 0 12"]


WRITINGS = (
    "A good film",
    "a good  film",
    "A GOOD FILM ",
    "\ufeffA good film",
    "Ａ good film",
)  # one normal form, five ids


@pytest.mark.parametrize("seed", range(4))
def test_texts_of_one_normal_form_never_stand_in_two_splits(seed: int) -> None:
    texts = [*WRITINGS, *(f"text {row}" for row in range(95))]
    pool = build_pool(RawTask(texts, [1] * 5 + [row % 2 for row in range(95)]), test_rows=30, balance=False)
    assert "5 texts differ from others in case, white space or Unicode form alone, and stay in one split with them" in (
        pool.notes
    )
    place = {text: row for row, text in enumerate(pool.inputs)}
    in_test = [bool(pool.test[place[text]]) for text in WRITINGS if text in place]
    splits = deal(pool, seed, weak_train=20, transfer=20, validation=10)
    owners = {name for name, rows in splits.items() for row in rows.tolist() if pool.inputs[row] in WRITINGS} | (
        {"test"} if any(in_test) else set()
    )
    assert len(owners) <= 1


def test_a_test_files_text_is_held_out_however_it_is_written() -> None:
    texts = ["one", "ONE", " one", "two", "Two", "three", "four"]
    raw = RawTask(texts, [0, 0, 0, 1, 1, 0, 1], test=[True, False, False, True, False, False, False])
    pool = build_pool(raw, test_rows=2, balance=False)
    assert sorted(pool.inputs) == ["four", "one", "three", "two"]
    assert "3 training rows were left out for differing from a test row in case, white space or Unicode form alone" in (
        pool.notes
    )


def test_alike_texts_follow_the_first_of_their_groups() -> None:
    more = [f"text {row}" for row in range(40)]
    raw = RawTask(["yes", "YES", "no", *more], [0, 0, 1, *[0, 1] * 20], groups=["p", "q", "q", *more])
    pool = build_pool(raw, test_rows=1, balance=False)
    group = dict(zip(pool.inputs, pool.groups.tolist(), strict=True))
    assert group["yes"] == group["YES"] == content_id({"group": "p"})
    assert group["no"] == content_id({"group": "q"})


def test_a_label_written_into_the_text_is_noticed() -> None:
    written = RawTask([f"text {row} label: {'pos' if row % 2 else 'neg'}" for row in range(60)], ["neg", "pos"] * 30)
    (note,) = build_pool(written, test_rows=10, balance=False).notes
    assert note == (
        "the name of one class occurs in 60 of 60 texts, and it is the row's own in 100%: "
        "the label may be written into the text"
    )
    innocent = RawTask([f"text {row} {'pos' if row % 3 else 'neg'}" for row in range(60)], ["neg", "pos"] * 30)
    assert build_pool(innocent, test_rows=10, balance=False).notes == ()
