"""Input types and metrics of one's own, each a class or object in a file: through check, run, show and report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import folder
from typer.testing import CliRunner

from outgrow import Experiment, OutgrowError, RawTask, UsageError, run
from outgrow.cli.app import app
from outgrow.cli.check_plugin import check
from outgrow.core.inputs.input_type import TEXT, cut, shown, texts_of, type_of_class
from outgrow.core.pool import Pool
from outgrow.core.registry import BUILT_IN, find
from outgrow.execution.machine import Machine
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.report import page
from outgrow.report.scene import read
from outgrow.results.predictions import Predictions
from outgrow.results.run_folder import with_metric
from outgrow.tasks.pool import build_pool

PLUGIN = Path(__file__).parents[2] / "examples" / "plugins" / "number_lists.py"
METRIC = PLUGIN.with_name("my_metric.py")


def experiment(**changes: Any) -> Experiment:
    whole = {
        "name": "points",
        "tasks": [f"{PLUGIN}:clouds"],
        "weak": [{f"{PLUGIN}:Centres": {"columns": 1}}, "majority"],
        "strong": [{f"{PLUGIN}:Centres": {"columns": 4}}],
        "seeds": 2,
        "split": {"weak_train": 60, "transfer": 120, "test": 200},
    }
    return Experiment(**{**whole, **changes})


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_type_of_its_own_runs_with_the_tasks_and_models_that_name_it(tmp_path: Path, jobs: int) -> None:
    results = run(experiment(), store=tmp_path / "store", out=tmp_path / "run", machine=Machine(jobs=jobs))
    cell = results.cells[0]
    # Known: means of one unit apart in each of four columns give 69.1% by one column and 84.1% by all.
    assert cell["weak_accuracy"]["estimate"] == pytest.approx(0.69, abs=0.1)
    assert cell["ceiling_accuracy"]["estimate"] == pytest.approx(0.84, abs=0.1)
    assert cell["student_accuracy"]["estimate"] > cell["weak_accuracy"]["estimate"]
    test = Predictions.read(tmp_path / "run").tests[results.runs[0]["task"]]
    assert test.input_type == "numbers"
    assert len(test.inputs[0].split()) == 4
    page.write(read([tmp_path / "run"]), tmp_path / "again.html")
    assert test.inputs[0] in (tmp_path / "again.html").read_text()


def test_a_metric_of_its_own_goes_through_run_show_and_report(tmp_path: Path) -> None:
    results = run(experiment(metrics=[f"{METRIC}:my_metric"]), store=tmp_path / "store", out=tmp_path / "run")
    tables = Predictions.read(tmp_path / "run")
    student = next(key for key in tables.probabilities if key.role == "student")
    values, test = tables.probabilities[student], tables.tests[student.task]
    expected = np.mean([row[truth] - row[1 - truth] for row, truth in zip(values, test.truth, strict=True)])
    assert results.runs[0]["student_my_metric"] == pytest.approx(expected, abs=1e-6)
    assert results.cells[0]["pgr_my_metric"]["status"] == "ok"
    shown = CliRunner().invoke(app, ["show", str(tmp_path / "run"), "--metric", f"{METRIC}:my_metric"])
    assert shown.exit_code == 0
    assert "my metric" in shown.output
    # A run that did not ask for it has it too, computed from its predictions.
    run(experiment(), store=tmp_path / "store", out=tmp_path / "plain")
    again = with_metric(tmp_path / "plain", f"{METRIC}:my_metric")
    assert again.cells[0]["student_my_metric"] == results.cells[0]["student_my_metric"]
    page.write(read([tmp_path / "run"]), tmp_path / "again.html")
    assert check(f"{METRIC}:my_metric")[0] == "ok: 2 classes: one finite number per row"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("margin = 3", "is not a metric: an outgrow.Metric(name, title, contributions)"),
        ("margin = Metric('accuracy', 'x', lambda a, r: r.truth)", "is called 'accuracy' like a built-in metric"),
        ("margin = Metric('m', 'x', lambda a, r: r.truth[:3])", "the metric m returned values of shape [3]"),
        ("margin = Metric('m', 'x', lambda a, r: r.truth / 0)", "or some that are not finite"),
    ],
)
def test_what_is_no_metric_is_one_sentence(tmp_path: Path, lines: str, sentence: str) -> None:
    (tmp_path / "bad.py").write_text(f"from outgrow import Metric\n{lines}\n")
    place = folder(tmp_path / "run", {"a": {"weak": 0.6, "naive": 0.7, "ceiling": 0.8}})
    with np.errstate(all="ignore"), pytest.raises(OutgrowError) as error:
        with_metric(place, f"{tmp_path / 'bad.py'}:margin")
    assert sentence in str(error.value)


def test_a_model_that_cannot_read_a_tasks_inputs_is_named_while_planning(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        prepare(experiment(strong=["static:wordllama"]), Store(tmp_path / "store"), Machine())
    assert error.value.problems == ("clouds: its inputs are of type numbers, and static:wordllama reads text",)
    with pytest.raises(UsageError) as error:
        prepare(experiment(tasks=["sentiment"]), Store(tmp_path / "store"), Machine())
    assert [problem.partition(" reads ")[2] for problem in error.value.problems] == ["numbers", "numbers"]


def test_the_example_keeps_its_contracts() -> None:
    assert "ok: every input is of type numbers" in check(f"{PLUGIN}:clouds")


def test_a_pool_of_another_type_is_read_back_with_its_type(tmp_path: Path) -> None:
    raw = find("tasks", f"{PLUGIN}:clouds").load()(rows=40)
    pool = build_pool(raw, test_rows=10, balance=False)
    pool.save(tmp_path)
    again = Pool.load(tmp_path)
    assert again.input_type.name == "numbers"
    assert list(again.inputs) == list(pool.inputs)
    assert again.sizes.tolist() == [len(json.dumps(value)) for value in pool.inputs]


def test_rows_may_allow_some_classes_only(tmp_path: Path) -> None:
    inputs = [f"text {row}" for row in range(6)]
    allowed = [[True, True, row % 2 == 0] for row in range(6)]
    raw = RawTask(inputs, list("abcaba"), classes=("a", "b", "c"), allowed=allowed)
    pool = build_pool(raw, test_rows=2, balance=False)
    pool.save(tmp_path)
    found = dict(zip(pool.inputs, Pool.load(tmp_path).allowed.tolist(), strict=True))  # type: ignore[union-attr]
    assert found == dict(zip(inputs, allowed, strict=True))
    with pytest.raises(UsageError, match="the label of input 4 is 'c', which the row does not allow"):
        build_pool(
            RawTask(inputs, list("abccba"), classes=("a", "b", "c"), allowed=allowed), test_rows=2, balance=False
        )
    with pytest.raises(UsageError, match="input 2 occurs before and allows other classes there"):
        build_pool(
            RawTask(["x", "x"], list("ab"), classes=("a", "b", "c"), allowed=allowed[:2]), test_rows=1, balance=False
        )


@pytest.mark.parametrize(
    ("inputs", "end"),
    [
        ([3, "b"], "input 1 is of type int, not a text"),
        (["a", " \n"], "input 2 is empty"),
        (["a", "", ""], "input 2 is empty, and 1 more inputs are wrong in this way"),
    ],
)
def test_an_input_that_is_none_of_its_type_is_named(inputs: list[Any], end: str) -> None:
    with pytest.raises(UsageError) as error:
        build_pool(RawTask(inputs, ["0"] * len(inputs)), test_rows=1, balance=False, name="mine")
    assert error.value.problems == (f"mine: the inputs are of type text, and {end}",)


def test_built_in_types_are_registered_by_the_name_they_have() -> None:
    assert {name: find("inputs", name).load().name for name in BUILT_IN["inputs"]} == {n: n for n in BUILT_IN["inputs"]}
    assert type_of_class("text") is TEXT


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("\ufeffﬁne  day\r\n", "fine day"),
        ("Ｆｕｌｌ", "full"),
    ],
)
def test_texts_that_people_would_call_the_same_have_one_normal_form(one: str, other: str) -> None:
    assert TEXT.normal_form(one) == TEXT.normal_form(other)
    assert TEXT.id(one) != TEXT.id(other)


def test_previews_are_shown_in_a_line_and_cut() -> None:
    pair = {"text": "which?", "parts": [{"name": "A", "text": "first\nanswer"}, {"name": "B", "text": "second"}]}
    assert shown(pair) == "which? | first answer | second"
    assert shown("x" * 100, 10) == "x" * 9 + "…"
    assert texts_of(cut(pair, 3)) == ["whi […]", "fir […]", "sec […]"]
