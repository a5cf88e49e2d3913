"""The field's tasks by name: every one whose rows lie in the project's data folder is read, in each of its forms."""

from __future__ import annotations

import gzip
import inspect
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from places import DATA
from typer.testing import CliRunner

from outgrow import Experiment, UsageError
from outgrow.cli.app import app
from outgrow.core.inputs.choice import Choice
from outgrow.execution.machine import Machine
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.tasks.named import rows, table
from outgrow.tasks.named.form import Labelled, NamedTask, Question, usable
from outgrow.tasks.named.read import from_files, splits_in
from outgrow.tasks.named.table import SUITES, TASKS
from outgrow.tasks.pool import build_pool

FOLDERS = {"hh_helpful": "hh_helpful_base", "hh_harmless": "hh_harmless_base"}
SEEN = sorted(name for name, task in TASKS.items() if task.seen)
LONGEST = 5  # lines of a row's function, its signature aside


@pytest.fixture
def data() -> Path:
    """The project's data folder beside the repository; where CI is set, its absence is a failure."""
    if not DATA.is_dir():
        reason = f"there is no {DATA}, so the named tasks' rows are not read"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return DATA


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEN)
def test_every_task_whose_rows_lie_here_is_read_in_each_form(data: Path, name: str) -> None:
    task, folder = TASKS[name], data / FOLDERS.get(name, name)
    for form in task.forms or (None,):
        train, test = splits_in(folder, task, None)
        if name == "sciq" and form == "choice":  # these rows are of the binary form already
            with pytest.raises(UsageError, match="these rows have one answer each"):
                from_files(task, train, test, form)
            continue
        raw = from_files(task, train, test, form)
        assert len(raw.inputs) >= 300
        assert len(set(map(str, raw.labels))) > 1
        shares = Counter(map(str, raw.labels))
        if form == "binary":
            assert 0.4 < shares[raw.classes[1]] / len(raw.inputs) < 0.6, shares
        if form == "choice":
            assert all(isinstance(one, Choice) for one in raw.inputs)
            twos = [
                int(str(label)) for one, label in zip(raw.inputs, raw.labels, strict=True) if len(one.candidates) == 2
            ]
            assert not twos or 0.4 < sum(twos) / len(twos) < 0.6
        official = sum(raw.test or ())
        pool = build_pool(raw, test_rows=min(official or 50, 50), balance=True, name=name)
        assert pool.test.sum() == min(official or 50, 50)


def test_the_table_says_which_rows_were_seen(data: Path) -> None:
    unseen = {name for name, task in TASKS.items() if not task.seen}
    assert unseen == {name for name in TASKS if not (data / FOLDERS.get(name, name)).is_dir()}
    assert len(SUITES["paper22"]) == 22


def test_a_rows_function_is_at_most_five_lines() -> None:
    made = [
        thing for name, thing in vars(rows).items() if inspect.isfunction(thing) and thing.__module__ == rows.__name__
    ]
    assert len(made) > 25
    assert [one.__name__ for one in made if len(inspect.getsource(one).strip().splitlines()) - 1 > LONGEST] == []


# What the hub's documented schemas have where the copies here have something else.
@pytest.mark.parametrize(
    ("name", "row", "context", "right", "wrong"),
    [
        ("quartz", {"para": "Hot air rises.", "question": "What?", "choices": {"text": ["cold", "hot"], "label": ["A", "B"]},
                    "answerKey": "B"}, "Hot air rises.\nQuestion: What?", "hot", ["cold"]),
        ("openbookqa", {"question_stem": "The sun is", "choices": {"text": ["a", "b", "c", "d"], "label": list("ABCD")},
                        "answerKey": "C"}, "The sun is", "c", ["a", "b", "d"]),
        ("arc_easy", {"question": "Why?", "choices": {"text": ["x", "y", "z"], "label": ["1", "2", "3"]}, "answerKey": "2"},
         "Why?", "y", ["x", "z"]),
        ("commonsense_qa", {"question": "Where?", "choices": {"label": ["A", "B"], "text": ["in", "out"]}, "answerKey": "A"},
         "Where?", "in", ["out"]),
        ("sciq", {"question": "What?", "support": "It is so.", "correct_answer": "r", "distractor1": "p", "distractor2": "q",
                  "distractor3": "s"}, "It is so.\nQuestion: What?", "r", ["p", "q", "s"]),
        ("truthful_qa", {"question": "Is it?", "best_answer": "No.", "incorrect_answers": ["Yes.", "Maybe."]}, "Is it?", "No.",
         ["Yes.", "Maybe."]),
        ("hellaswag", {"ctx": "A man", "endings": ["sits", "flies"], "label": "0"}, "A man", "sits", ["flies"]),
    ],
)  # fmt: skip
def test_questions_as_the_hub_has_them(
    name: str, row: dict[str, Any], context: str, right: str, wrong: list[str]
) -> None:
    found = TASKS[name].read(row)
    assert isinstance(found, Question)
    assert (found.context, found.answers[found.right]) == (context, right)
    assert [text for place, text in enumerate(found.answers) if place != found.right] == wrong


@pytest.mark.parametrize(
    ("name", "row", "text", "label"),
    [
        ("paws", {"id": 1, "sentence1": "a b", "sentence2": "b a", "label": 0}, "a b\nb a", "no"),
        ("boolq", {"question": "is it", "passage": "It is.", "label": 1}, "It is.\nQuestion: is it", "yes"),
        ("anli_r2", {"premise": "p", "hypothesis": "h", "label": 0}, "p\nHypothesis: h", "entailed"),
        ("anli_r2", {"premise": "p", "hypothesis": "h", "label": 2}, "p\nHypothesis: h", "not entailed"),
        ("rte", {"premise": "p", "hypothesis": "h", "label": 1}, "p\nHypothesis: h", "not entailed"),
        ("sst2", {"sentence": "fine", "label": 1}, "fine", "positive"),
        (
            "wsc",
            {"text": "He left.", "span1_text": "Bob", "span2_text": "He", "label": 1},
            "He left.\nHe is Bob",
            "yes",
        ),
        ("cb", {"premise": "p", "hypothesis": "h", "label": 2}, "p\nHypothesis: h", "neutral"),
        ("ag_news", {"text": "A match", "label": 1}, "A match", "Sports"),
        ("imdb", {"text": "Good", "label": 1}, "Good", "positive"),
    ],
)
def test_labelled_texts_as_the_hub_has_them(name: str, row: dict[str, Any], text: str, label: str) -> None:
    found = TASKS[name].read(row)
    assert isinstance(found, Labelled)
    assert (found.text, TASKS[name].classes[found.label]) == (text, label)


def test_the_binary_form_takes_one_answer_by_the_content_alone() -> None:
    task = NamedTask("x", lambda row: None, "", "", forms=("binary", "choice"))
    asked = [Question(f"question {n}", ["a", "b", "c"], n % 3) for n in range(300)]
    made = [task.binary(one) for one in asked]
    assert made == [task.binary(one) for one in asked]
    for one, question in zip(made, asked, strict=True):
        assert one.text.endswith(f"Answer: {question.answers[question.right]}") == (one.label == 1)
    assert 110 < sum(one.label for one in made) < 190
    assert len({one.text[-1] for one in made if one.label == 0}) == 3


def test_rows_that_ask_nothing_are_left_out_and_counted() -> None:
    assert not usable(Question("q", ["a", "a "], 0))
    assert not usable(Question("q", ["a", ""], 0))
    assert not usable(Labelled("text", -1))  # as the hub hides a test set's labels
    assert usable(Question("", ["a", "b"], 1))


def written(folder: Path, name: str, split: str, lines: list[dict[str, Any]]) -> None:
    (folder / name).mkdir(exist_ok=True)
    with gzip.open(folder / name / f"{split}.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def reviews(folder: Path) -> None:
    for split, n in (("train", 120), ("validation", 40)):
        lines = [{"sentence": f"{split} film {i} is {('bad', 'good')[i % 2]}", "label": i % 2} for i in range(n)]
        written(folder, "sst2", split, lines)


def experiment(tasks: list[Any]) -> Experiment:
    return Experiment(
        name="x",
        tasks=tasks,
        weak=["majority"],
        strong=["static:wordllama"],
        seeds=1,
        split={"weak_train": 30, "transfer": 40},
    )


def test_a_named_task_goes_through_a_plan_and_its_key_is_its_rows(tmp_path: Path) -> None:
    reviews(tmp_path)
    entry = {"task": "sst2", "from": str(tmp_path / "sst2")}
    asked = experiment([entry])
    plan = prepare(asked, Store(tmp_path / "store"), Machine())
    (pool,) = {run.pool for run in plan.runs}
    again = tmp_path / "again.yaml"
    again.write_text(asked.to_yaml())
    assert prepare(Experiment.read(again), Store(tmp_path / "store"), Machine()).runs[0].pool == pool
    written(tmp_path, "sst2", "validation", [{"sentence": "other", "label": 0}, {"sentence": "another", "label": 1}])
    assert prepare(experiment([entry]), Store(tmp_path / "store"), Machine()).runs[0].pool != pool


def test_a_suite_names_its_tasks(tmp_path: Path) -> None:
    reviews(tmp_path)
    rest = [name for name in SUITES["paper22"] if name not in ("sst2", "paws")]
    asked = experiment([{"suite": "paper22", "from": str(tmp_path), "without": rest}])
    assert [(task.title, task.from_) for task in asked.tasks] == [(n, f"{tmp_path}/{n}") for n in ("sst2", "paws")]
    with pytest.raises(UsageError, match=r"paws: there is no such folder"):
        prepare(asked, Store(tmp_path / "store"), Machine())
    with pytest.raises(UsageError, match='unknown suite "paper2"'):
        experiment([{"suite": "paper2"}])
    with pytest.raises(UsageError, match='`without`: paper22 has no task "copa"'):
        experiment([{"suite": "paper22", "without": "copa"}])


def test_what_a_named_task_cannot_be_is_said(tmp_path: Path) -> None:
    reviews(tmp_path)
    with pytest.raises(UsageError, match="`form: choice`: sst2 has labelled texts alone"):
        experiment([{"task": "sst2", "form": "choice"}])
    with pytest.raises(UsageError, match="`label` has no meaning beside `task`"):
        experiment([{"task": "sst2", "label": "label"}])
    (tmp_path / "boolq").mkdir()
    (tmp_path / "boolq" / "train.jsonl").write_text('{"sentence": "x", "label": 1}\n')
    with pytest.raises(UsageError, match=r"its columns \(sentence, label\) are not those of aps/super_glue"):
        prepare(experiment([{"task": "boolq", "from": str(tmp_path / "boolq")}]), Store(tmp_path / "store"), Machine())


def test_to_add_a_task_is_one_row_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A further row, and no other line, is listed, named in an experiment, read and planned."""
    mine = NamedTask("me/mine", rows.sst2, "mine", "CC0", classes=("bad", "good"))
    monkeypatch.setattr(table, "TASKS", {**TASKS, "mine": mine})
    monkeypatch.setattr("outgrow.experiment.spec.task_entries.TASKS", table.TASKS)
    lines = [{"sentence": f"film {i}", "label": i % 2} for i in range(160)]
    written(tmp_path, "mine", "train", lines[:120])
    written(tmp_path, "mine", "validation", lines[120:])
    plan = prepare(experiment([{"task": "mine", "from": str(tmp_path / "mine")}]), Store(tmp_path / "store"), Machine())
    assert plan.runs[0].task == "mine"
    listed = CliRunner(env={"COLUMNS": "220"}).invoke(app, ["list", "tasks"]).output
    assert "me/mine" in listed
    assert "by schema" in listed
