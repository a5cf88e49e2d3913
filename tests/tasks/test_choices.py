"""Choices: the forms that files have, a place that tells nothing, and one sentence for each bad row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outgrow import UsageError
from outgrow.core.inputs.choice import Choice, ChoiceType
from outgrow.core.inputs.input_type import input_type
from outgrow.core.pool import Pool
from outgrow.tasks.files import file_task
from outgrow.tasks.pool import build_pool

CHOICE = input_type("choice")
BEGIN = "\n\nHuman: How do I boil an egg?\n\nAssistant:"


def read(folder: Path, rows: list[dict[str, Any]], **keys: Any) -> Any:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file_task(path, inputs=CHOICE, **{"label": None, **keys})


def right(task: Any) -> list[str | None]:
    """The text of each row's right candidate."""
    return [
        value.candidates[int(label)] if label else None for value, label in zip(task.inputs, task.labels, strict=True)
    ]


def test_preferences_as_anthropics_are_parted_after_the_last_turn_they_share(tmp_path: Path) -> None:
    rows = [
        {"chosen": f"{BEGIN} In hot water.", "rejected": f"{BEGIN} In hot oil."},
        {
            "chosen": f"{BEGIN} Ok.\n\nHuman: Long?\n\nAssistant: Ten.",
            "rejected": f"{BEGIN} Ok.\n\nHuman: Long?\n\nAssistant: Two.",
        },
    ]
    task = read(tmp_path, rows, chosen="chosen", rejected="rejected")
    assert [value.context for value in task.inputs] == [BEGIN, f"{BEGIN} Ok.\n\nHuman: Long?\n\nAssistant:"]
    assert right(task) == [" In hot water.", " Ten."]
    assert {text for value in task.inputs for text in value.texts} == {row[key] for row in rows for key in row}
    # Conversations with one beginning are of one group.
    assert len(set(task.groups)) == 1


MESSAGES = [{"role": "user", "content": "How do I boil an egg?"}]


@pytest.mark.parametrize(
    ("row", "keys"),
    [
        ({"chosen": [*MESSAGES, {"role": "assistant", "content": "In hot water."}],
          "rejected": [*MESSAGES, {"role": "assistant", "content": "In hot oil."}]}, {}),
        ({"prompt": MESSAGES, "chosen": [{"role": "assistant", "content": "In hot water."}],
          "rejected": [{"role": "assistant", "content": "In hot oil."}]}, {"prompt": "prompt"}),
        ({"chosen": f"{BEGIN} In hot water.", "rejected": f"{BEGIN} In hot oil."}, {}),
    ],
)  # fmt: skip
def test_messages_and_texts_are_the_same_examples(tmp_path: Path, row: dict[str, Any], keys: dict[str, str]) -> None:
    task = read(tmp_path, [row], chosen="chosen", rejected="rejected", **keys)
    assert task.inputs[0].context == BEGIN
    assert sorted(task.inputs[0].candidates) == [" In hot oil.", " In hot water."]
    assert right(task) == [" In hot water."]


def test_a_prompt_two_answers_and_a_label(tmp_path: Path) -> None:
    rows = [
        {"q": "Red or blue?", "x": f"red {i}", "y": f"blue {i}", "best": best}
        for i, best in enumerate(["a", "y", "1", "tie", "red 4"])
    ]
    task = read(tmp_path, rows, prompt="q", a="x", b="y", label="best")
    assert right(task) == ["red 0", "blue 1", "blue 2", None, "red 4"]
    assert task.inputs[0].texts[0].startswith("Red or blue?\n")


def test_questions_with_lists_columns_and_structs(tmp_path: Path) -> None:
    listed = read(
        tmp_path,
        [{"q": "?", "c": ["x", "y", "z"], "l": 2}, {"q": "??", "c": ["u", "v"], "l": 0}],
        context="q",
        candidates="c",
        label="l",
    )
    assert right(listed) == ["z", "u"]
    assert listed.classes == ("0", "1", "2")
    assert listed.allowed == [[True, True, True], [True, True, False]]
    columns = read(
        tmp_path,
        [{"q": "?", "A": "x", "B": "y", "C": "z", "l": "B"}],
        context="q",
        candidates=["A", "B", "C"],
        label="l",
    )
    assert right(columns) == ["y"]
    struct = read(
        tmp_path,
        [{"q": "?", "c": {"text": ["x", "y"], "label": ["A", "B"]}, "l": "B"}],
        context="q",
        candidates="c",
        label="l",
    )
    assert right(struct) == ["y"]


def test_a_context_may_be_a_template(tmp_path: Path) -> None:
    row = {"premise": "The sun rose.", "ask": "effect", "one": "It was day.", "two": "It was night.", "label": 0}
    task = read(tmp_path, [row], context="{premise} What is the {ask}?", candidates=["one", "two"], label="label")
    assert task.inputs[0].context == "The sun rose. What is the effect?"
    assert right(task) == ["It was day."]


def test_the_files_order_of_candidates_makes_no_difference(tmp_path: Path) -> None:
    rows = [{"q": f"q{i}", "c": [f"x{i}", f"y{i}", f"z{i}"], "l": i % 3} for i in range(90)]
    turned = [{"q": row["q"], "c": row["c"][::-1], "l": 2 - row["l"]} for row in rows]
    keys = {"context": "q", "candidates": "c", "label": "l"}
    one, other = read(tmp_path, rows, **keys), read(tmp_path, turned, **keys)
    assert one.inputs == other.inputs
    assert one.labels == other.labels
    counts = np.bincount([int(label) for label in one.labels], minlength=3)
    assert counts.min() > 18  # a place tells nothing: about 30 each
    first = one.inputs[0]
    assert CHOICE.id(Choice(first.context, first.candidates[::-1])) == CHOICE.id(first)


def test_a_pool_keeps_contexts_together_and_is_read_back(tmp_path: Path) -> None:
    rows = [{"q": f"q{i % 20}", "c": [f"x{i}", f"y{i}"] + ["z"] * (i % 2), "l": i % 2} for i in range(80)]
    pool = build_pool(read(tmp_path, rows, context="q", candidates="c", label="l"), test_rows=20, balance=True)
    assert len(pool) == 80
    tested = {value.context for value, test in zip(pool.inputs, pool.test, strict=True) if test}
    shared = {value.context for value, test in zip(pool.inputs, pool.test, strict=True) if not test} & tested
    assert not shared
    pool.save(tmp_path)
    again = Pool.load(tmp_path)
    assert isinstance(again.input_type, ChoiceType)
    assert list(again.inputs) == list(pool.inputs)
    parts = again.parts
    assert parts is not None
    assert len(set(parts.values)) == len(parts.values)
    for value, places in zip(again.inputs, parts.places, strict=True):
        assert [parts.values[place] for place in places if place >= 0] == value.texts


@pytest.mark.parametrize(
    ("row", "keys", "sentence"),
    [
        ({"q": "?", "c": ["x", "x"], "l": 0}, {}, "line 2: has two equal candidates; there is nothing to choose: leave the "
         "row out"),
        ({"q": "?", "c": ["x"], "l": 0}, {}, "line 2: has fewer than two candidates; correct the row or leave it out"),
        ({"q": "?", "c": ["x", " "], "l": 0}, {}, "line 2: has an empty candidate; correct the row or leave it out"),
        ({"q": "?", "c": "xy", "l": 0}, {}, "line 2: holds something other than texts; correct the row or leave it out"),
        ({"q": "?", "c": ["x", "y"], "l": 2}, {}, "line 2: has a label that is none of its candidates; "
         "give a place from 0, a column's name, or the candidate itself"),
        ({"q": {}, "c": ["x", "y"], "l": 1}, {}, "line 2: holds something other than texts; correct the row or leave it out"),
        ({"q": "?", "c": ["x", "y"], "l": None}, {}, "column 'l' holds no label in line 2; fill it in, "
         "leave the rows out, or set unlabelled: true"),
        ({"q": "?", "c": ["x", "y"], "l": 1}, {"context": "que"}, "has no column 'que' for a choice; there is c, l, q"),
    ],
)  # fmt: skip
def test_each_bad_row_has_its_sentence(
    tmp_path: Path, row: dict[str, Any], keys: dict[str, str], sentence: str
) -> None:
    with pytest.raises(UsageError) as error:
        read(
            tmp_path,
            [{"q": "?", "c": ["u", "v"], "l": 1}, row],
            **{"context": "q", "candidates": "c", "label": "l", **keys},
        )
    (problem,) = error.value.problems
    assert problem.removeprefix(str(tmp_path / "rows.jsonl")).lstrip(":, ") == sentence


@pytest.mark.parametrize(
    ("keys", "sentences"),
    [
        ({"chosen": "c"}, ["`rejected` is missing: name the column"]),
        ({"a": "x", "b": "y"}, ["`label` is missing: name the column"]),
        ({"chosen": "c", "rejected": "r", "label": "l"}, ["`label` has no meaning beside `chosen`"]),
        ({"context": "q"}, ["a choice has `chosen` and `rejected`, or `a`, `b` and `label`, or `candidates` and `label`"]),
        ({"context": "q", "prompt": "p", "a": "x"}, ["`prompt` and `context` are two names of one thing: give one of them"]),
        ({"chosen": "c", "rejected": "r", "prompt": "p"}, []),
        ({"candidates": ["x", "y"], "label": "l"}, []),
    ],
)  # fmt: skip
def test_keys_that_are_no_form_are_named(keys: dict[str, Any], sentences: list[str]) -> None:
    assert CHOICE.missing(keys) == sentences
