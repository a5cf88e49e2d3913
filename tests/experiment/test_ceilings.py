"""Ceilings that are trained as their students are: by a method's procedure, from the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_experiment import asked

from outgrow import Results, run
from outgrow.core.errors import UsageError
from outgrow.execution.machine import Machine
from outgrow.execution.step import walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.experiment.planning.plan import Plan
from outgrow.experiment.spec.method_entries import method_spec
from outgrow.report.words.sentences import verdicts
from outgrow.results.run_folder import read_run

METHODS = ["naive", {"self_train": {"rounds": 2}}, {"confidence": {"alpha": [0.3, 0.6]}}]


def planned(folder: Path, **changes: Any) -> Plan:
    return prepare(asked(folder, **{"methods": METHODS, "seeds": 1, **changes}), Store(folder / "store"), Machine())


def test_methods_say_whether_they_train_further() -> None:
    further = {
        name: method_spec(name).parts.procedure.trains_further  # type: ignore[union-attr]
        for name in ("self_train", "early_stop", "generative", "lp_ft")
    }
    assert further == {"self_train": True, "early_stop": False, "generative": True, "lp_ft": True}


def test_a_self_trained_ceiling_learns_the_truth_and_then_itself(tmp_path: Path) -> None:
    usual, alike = planned(tmp_path), planned(tmp_path, ceiling="same_procedure")
    plain, trained, chosen = (run.ceiling for run in alike.runs)
    assert plain is not None
    assert trained is not None
    assert chosen == plain  # of a method that trains nothing further
    assert {run.ceiling for run in usual.runs} == {plain}
    # Two rounds of its own labels, of which the first come from the plain ceiling; its student begins with weak ones.
    before = trained.parents["weak_labels"]
    assert before.parents["weak_labels"] == plain
    assert {**before.params, "targets": "truth"} == plain.params
    student = alike.runs[1].student
    assert student.params == trained.params
    assert student.parents["weak_labels"].parents["weak_labels"].parents["weak_labels"] == alike.runs[1].supervisor
    keys = [{step.key for step in walk(plan.wanted)} for plan in (usual, alike)]
    assert keys[0] < keys[1]
    assert len(keys[1] - keys[0]) == 2


def test_what_is_more_than_the_ceiling_is_said(tmp_path: Path) -> None:
    results = run(asked(tmp_path, methods=METHODS), store=tmp_path / "store", out=tmp_path / "out")
    assert [cell.get("more_than_ceiling") for cell in results.cells] == [
        None,
        "are trained further",
        "are the best of 2 tried",
    ]
    told = verdicts(results.cells)
    assert "the ceiling does not" not in told[0]
    assert "Such students are trained further, and the ceiling does not." in told[1]
    assert sum("and their ceiling does not" in note for note in results.notes) == 2


def test_a_folder_with_both_ceilings_reads_back_to_the_same(tmp_path: Path) -> None:
    experiment = asked(
        tmp_path, methods=METHODS[:2], ceiling="same_procedure", controls=True, label_curve=True, sensitivity="l2"
    )
    results = run(experiment, store=tmp_path / "store", out=tmp_path / "out", machine=Machine(threads=1))
    assert all("more_than_ceiling" not in cell for cell in results.cells)
    assert any("its ceilings are trained as its students are" in note for note in results.notes)
    reading = read_run(tmp_path / "out")
    assert Results.compute(reading.asked, reading.scored.tables, {}, controls=True).cells == results.cells
    ceilings = [[one.models["ceiling"].method for one in reading.asked if one.seed == 0]]  # type: ignore[union-attr]
    assert ceilings == [[None, "self_train rounds=2"]]
    # The curve of true labels ends in the plain ceiling for both, and noise is of each ceiling by itself.
    worth = [cell["equivalent_labels"]["curve"] for cell in results.cells]
    assert worth[0] == worth[1]
    noise = [control["says"] for control in results.controls if control["control"] == "seed noise floor"]
    assert [" with self_train rounds=2 on " in says for says in noise] == [False, True]
    own = next(point for point in results.cells[1]["sensitivity"] if point["l2"] == 0.03)
    assert own["pgr"] == results.cells[1]["pgr"]


def test_no_other_ceiling_is_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ceiling"):
        asked(tmp_path, ceiling="best")
