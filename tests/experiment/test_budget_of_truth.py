"""True labels among weak ones: what the step leaves, what the run says, and what no budget changes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import good, outgrow
from small_experiment import asked

from outgrow import Experiment, Results, UsageError, run
from outgrow.core.pool import Pool
from outgrow.execution.machine import Machine
from outgrow.execution.step import Step, walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare

FEW = {"static": "wordllama", "rows": 4}


def budget(**more: Any) -> dict[str, Any]:
    return {**FEW, "truth": 0.25, **more}


def test_a_budget_adds_its_own_step_and_moves_no_key(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    more: dict[str, Any] = {"strong": [{"static": "wordllama", "l2": 0.1}], "controls": True}
    plain = prepare(asked(tmp_path, weak=[FEW], **more), store, Machine())
    both = prepare(asked(tmp_path, weak=[FEW, budget(placed="least_sure")], **more), store, Machine())
    keys = [{step.key for step in walk(plan.wanted)} for plan in (plain, both)]
    assert keys[0] < keys[1]
    new = [step for step in walk(both.wanted) if step.key not in keys[0]]
    # Of each of two seeds: the labels and those of the control, its student, shuffled labels with theirs, two students.
    assert sorted(step.kind for step in new) == sorted(["true_labels"] * 4 + ["shuffle"] * 2 + ["head"] * 8)
    [first] = {one.supervisor for one in both.runs if one.supervisor.kind == "true_labels" and one.seed == 0}
    assert first.params == {"share": 0.25, "placed": "least_sure", "seed": 0}
    assert first.key[:16] == "6447f90669acc0d6"


def probabilities(store: Store, step: Step) -> Any:
    return np.load(store.open(step.key) / "probabilities.npy")


@pytest.mark.parametrize("placed", ["random", "least_sure"])
def test_true_labels_stand_on_a_share_of_transfer_and_nowhere_else(tmp_path: Path, placed: str) -> None:
    store, experiment = Store(tmp_path / "store"), asked(tmp_path, weak=[FEW, budget(placed=placed)], methods=["naive"])
    run(experiment, store=store, out=tmp_path / "out")
    one = next(one for one in prepare(experiment, store, Machine()).runs if one.supervisor.kind == "true_labels")
    pool, own = Pool.load(store.open(one.pool.key)), probabilities(store, one.supervisor.parents["weak_labels"])
    transfer, labels = np.load(store.open(one.split.key) / "transfer.npy"), probabilities(store, one.supervisor)
    changed = np.flatnonzero((labels != own).any(axis=1))
    assert set(changed) <= set(transfer)
    assert len(changed) == 15  # a quarter of 60
    assert np.array_equal(labels[changed], np.eye(2)[pool.labels[changed]])
    if placed == "least_sure":
        margin = np.abs(own[:, 0] - own[:, 1])
        assert margin[changed].max() <= np.sort(margin[transfer])[15]
    results = Results.read(tmp_path / "out")
    plain, mixed = ([row for row in results.runs if row["weak"] == entry] for entry in (FEW, budget(placed=placed)))
    for before, after in zip(plain, mixed, strict=True):
        assert after["true_labels"] == 15
        assert after["own_label_accuracy"] == before["weak_label_accuracy"] <= after["weak_label_accuracy"]
        assert after["weak_accuracy"] == before["weak_accuracy"]  # the supervisor's own
        assert after["ceiling_accuracy"] == before["ceiling_accuracy"]
    right = labels[transfer].argmax(axis=1) == pool.labels[transfer]
    assert mixed[0]["weak_label_accuracy"] == pytest.approx(right.mean())
    [note] = [note for note in results.notes if "true ones" in note]
    assert note.startswith(
        f"reviews: 15 of the 60 labels of static:wordllama rows=4 truth=0.25 placed={placed} are true"
    )
    shown = " ".join(good(outgrow("show", tmp_path / "out", cwd=tmp_path)).out.split())
    assert "are true ones: they are right on" in shown


def test_a_chosen_l2_and_parameters_are_those_of_the_supervisor_beneath(tmp_path: Path) -> None:
    several = {"static": "wordllama", "l2": [0.001, 10.0]}
    weak = [several, {**several, "truth": 0.25}]
    experiment = asked(tmp_path, weak=weak, methods=["naive"])
    store = Store(tmp_path / "store")
    made = run(experiment, store=store, out=tmp_path / "o")
    plain, mixed = ([row for row in made.runs if row["weak"] == entry] for entry in weak)
    for before, after in zip(plain, mixed, strict=True):
        assert before["chosen_l2"]["weak"] == after["chosen_l2"]["weak"] in (0.001, 10.0)
        assert before["weak_parameters"] == after["weak_parameters"] == 32_000 * 256
    # The choice is read for the results, so it is made again where the store has lost it.
    own = next(one.supervisor.parents["weak_labels"] for one in prepare(experiment, store, Machine()).runs[2:])
    shutil.rmtree(store.open(own.key))
    assert run(experiment, store=store, out=tmp_path / "again").runs == made.runs


def test_the_whole_truth_teaches_what_the_ceiling_learns(tmp_path: Path) -> None:
    made = run(
        asked(tmp_path, weak=[budget(truth=1.0)], methods=["naive"]), store=tmp_path / "store", out=tmp_path / "o"
    )
    for row in made.runs:
        assert row["weak_label_accuracy"] == 1
        assert row["student_accuracy"] == row["ceiling_accuracy"]
    frame = made.predictions_frame()
    assert (frame["student_probability"] == frame["ceiling_probability"]).all()


def test_further_test_sets_ask_the_supervisor_itself(tmp_path: Path) -> None:
    asked(tmp_path)
    task = {"file": str(tmp_path / "reviews.csv"), "text": "sentence", "label": "label"}
    (tmp_path / "more.csv").write_text((tmp_path / "reviews.csv").read_text().replace("the ", "that "))
    tasks = [{**task, "also_test": [{**task, "file": str(tmp_path / "more.csv")}]}]
    weak = [FEW, budget(), [budget(), "majority"]]
    made = run(asked(tmp_path, tasks=tasks, weak=weak, methods=["naive"]), store=tmp_path / "store", out=tmp_path / "o")
    of = {(cell["test_set"], str(cell["weak"])): cell["weak_accuracy"] for cell in made.cells}
    assert of["more", str(FEW)] == of["more", str(budget())]


@pytest.mark.parametrize(
    ("weak", "sentence"),
    [
        (budget(truth=0), "budget_of_truth: truth: should be greater than 0, not 0"),
        (budget(truth=1.5), "budget_of_truth: truth: should be less than or equal to 1, not 1.5"),
        (budget(placed="least-sure"), "budget_of_truth: placed: should be 'random' or 'least_sure', not 'least-sure'"),
        ({**FEW, "placed": "random"}, 'static: unknown option "placed"'),
        ({"static": "wordllama", "truth": 0.5, "rosw": 3}, 'static: unknown option "rosw"; did you mean "rows"?'),
    ],
)
def test_what_is_no_budget_is_a_sentence(tmp_path: Path, weak: Any, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(tmp_path, weak=[weak])
    assert sentence in str(caught.value), caught.value


def test_it_is_for_supervisors_and_reads_back(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it is for entries of `weak`"):
        asked(tmp_path, strong=[budget()])
    made = asked(tmp_path, weak=[budget(), {"simulate": {"accuracy": 0.7}, "truth": 0.5}])
    (tmp_path / "again.yaml").write_text(made.to_yaml())
    assert [spec.identity for spec in Experiment.read(tmp_path / "again.yaml").weak] == [
        one.identity for one in made.weak
    ]
    assert made.weak[0].first_rows == 4
    assert made.weak[1].name == "simulate accuracy=0.7 truth=0.5"


def test_of_labels_that_are_class_names_none_is_least_sure(tmp_path: Path) -> None:
    simulated = {"simulate": {"accuracy": 0.7}, "truth": 0.5, "placed": "least_sure"}
    strong = [
        "static:wordllama",
        "majority",
    ]  # of which the second, as its own supervisor, is sure of nothing more than else
    asked_for = asked(tmp_path, weak=[simulated, budget(placed="least_sure")], strong=strong, controls=True, seeds=1)
    made = run(asked_for, store=tmp_path / "store", out=tmp_path / "out")
    [note] = [note for note in made.notes if "equally sure of every row" in note]
    assert note.startswith("reviews: true labels of simulate accuracy=0.7 truth=0.5 placed=least_sure, seed 0: ")
    assert note.endswith("the true labels are placed at random")
