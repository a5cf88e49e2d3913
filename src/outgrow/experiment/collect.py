"""A finished plan -> the tables and facts that the run folder is written from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.examples import Labels, Strings
from outgrow.core.pool import Pool
from outgrow.execution.step import Step, walk
from outgrow.experiment.planning.plan import Plan, Run, readers
from outgrow.experiment.steps.job_files import fold_of
from outgrow.results.cells import NO_LESSON, Entry, RunToScore
from outgrow.results.predictions import HeldOut, ModelKey, Predictions

Open = Callable[[Step], Path]  # a step's folder in the store, verified


def collect(plan: Plan, open_step: Open) -> tuple[list[RunToScore], Predictions, list[str]]:
    """The runs to score, their predictions on test, and what people should be told. Loads each artifact once."""
    pools = {run.task: Pool.load(open_step(run.pool)) for run in plan.runs}
    tests = {task: _test_set(pool) for task, pool in pools.items()}
    predictions: dict[ModelKey, Any] = {}
    said: dict[Step, Any] = {}
    curves: dict[ModelKey, Any] = {}

    def heard(step: Step, pool: Pool) -> Any:
        if step not in said:
            said[step] = np.load(open_step(step) / "probabilities.npy")
        return said[step]

    asked = []
    for run in plan.runs:
        pool = pools[run.task]
        speakers = _speakers(run)
        for role, step in (("weak", run.supervisor), ("student", run.student), ("ceiling", run.ceiling)):
            speaker = speakers[role]
            if step is not None and speaker is not None and speaker not in predictions:
                predictions[speaker] = heard(step, pool)[pool.test]
                if step.kind == "finetune":
                    curves[speaker] = json.loads((open_step(step) / "curve.json").read_text(encoding="utf-8"))
        for role, step in run.extras.items():
            whose = run.weak.name if role == "shuffled" else None
            speaker = ModelKey(run.task, role, whose, run.strong.name, None, run.seed)
            if speaker not in predictions:
                predictions[speaker] = heard(step, pool)[pool.test]
        transfer = np.load(open_step(run.split) / "transfer.npy")
        facts = _facts(run, pool, transfer, heard(run.supervisor, pool)[transfer], open_step)
        weak, strong, method = (Entry(spec.name, spec.written) for spec in (run.weak, run.strong, run.method))
        asked.append(RunToScore(run.task, weak, strong, method, run.seed, speakers, facts))
    return asked, Predictions(tests, predictions, curves), _notes(plan, pools, open_step)


def _speakers(run: Run) -> dict[str, ModelKey | None]:
    weak, strong, method = run.weak.name, run.strong.name, run.method.name
    # Where somebody's labels leave rows out, the ceiling learned from the covered ones: it belongs to that supervisor.
    shared = None if run.weak.partial else weak
    return {
        "weak": ModelKey(run.task, "weak", weak, None, None, run.seed),
        "student": ModelKey(run.task, "student", weak, strong, method, run.seed),
        "ceiling": None
        if run.ceiling is None
        else ModelKey(run.task, "ceiling", None if shared else weak, strong, None, run.seed),
    }


def _test_set(pool: Pool) -> HeldOut:
    rows = np.flatnonzero(pool.test)
    inputs = tuple(str(pool.inputs[row]) for row in rows.tolist())
    return HeldOut(pool.ids[rows], inputs, pool.labels[rows], pool.groups[rows], pool.classes)


def _facts(run: Run, pool: Pool, transfer: Any, weak: Any, open_step: Open) -> dict[str, Any]:
    covered = ~np.isnan(weak).any(axis=1)
    known = covered & (pool.labels[transfer] >= 0)
    rows = transfer[known]
    right = Labels(pool.ids[rows], weak[known]).hard == pool.labels[rows]
    facts: dict[str, Any] = {
        "n_transfer": int(covered.sum()),
        "n_left_out": int((~covered).sum()),
        "weak_label_accuracy": float(right.mean()) if len(rows) else None,
    }
    if not run.strong.taught:
        facts["no_ceiling"] = NO_LESSON
    student, tries = _chosen_method(run, open_step)
    facts |= tries
    chosen = {}
    for role, step in (("weak", run.supervisor), ("student", student), ("ceiling", run.ceiling)):
        if step is not None and step.kind == "choose" and len({one.params["l2"] for one in _candidates(step)}) > 1:
            chosen[role] = float(_chosen(step, open_step).params["l2"])
    stops = getattr(run.method.parts.procedure, "on", None) is not None
    if student.kind == "choose" and stops:
        facts["stopped_at"] = _chosen(student, open_step).params.get("stop", 1.0)
    elif student.kind == "finetune" and student.params["options"]["early_stop"] is not None:
        found = json.loads((open_step(student) / "facts.json").read_text(encoding="utf-8"))
        facts["stopped_at"] = found["taken_at"]
    facts |= _learned(student, pool.groups, transfer, covered, open_step)
    return {**facts, "chosen_l2": chosen} if chosen else facts


def _chosen_method(run: Run, open_step: Open) -> tuple[Step, dict[str, Any]]:
    """The student that a grid of values chose, with the choice and the number of tries; else the student."""
    if not run.method.candidates:
        return run.student, {}
    found = json.loads((open_step(run.student) / "facts.json").read_text(encoding="utf-8"))
    place = found["chosen"]
    judge = "weak labels" if run.method.select_on == "weak" else "the truth (oracle)"
    facts = {
        "chosen_method": run.method.candidates[place].name,
        "methods_tried": len(run.method.candidates),
        "method_chosen_by": judge,
    }
    return _candidates(run.student)[place], facts


def _chosen(step: Step, open_step: Open) -> Step:
    place = int(json.loads((open_step(step) / "facts.json").read_text(encoding="utf-8"))["chosen"])
    return _candidates(step)[place]


def _candidates(step: Step) -> list[Step]:
    return [parent for role, parent in sorted(step.parents.items()) if role.startswith("candidate_")]


def _learned(student: Step, groups: Strings, transfer: Any, covered: Any, open_step: Open) -> dict[str, Any]:
    """How many rows the student itself learned from, where its method leaves some out; what the labels part did."""
    leaf = _candidates(student)[0] if student.kind == "choose" else student
    facts: dict[str, Any] = {}
    made = next((step for step in walk([leaf]) if step.kind == "labels"), None)
    if made is not None:
        found = json.loads((open_step(made) / "facts.json").read_text(encoding="utf-8"))
        facts |= {"n_learned": found["kept"], "labels_changed": found["changed"], "label_accuracy": found["accuracy"]}
    if leaf.parents.get("weak_labels") != made:  # another student labelled: every row that was covered
        facts.pop("n_learned", None)
    if "fold" in leaf.params:
        facts["n_learned"] = int(np.isin(fold_of(transfer, groups, *leaf.params["fold"]), transfer[covered]).sum())
    return facts


def _notes(plan: Plan, pools: dict[str, Pool], open_step: Open) -> list[str]:
    notes = [f"{task}: {note}" for task, pool in pools.items() for note in pool.notes]
    for step in dict.fromkeys(run.supervisor for run in plan.runs if run.supervisor.kind == "given"):
        facts = json.loads((open_step(step) / "facts.json").read_text(encoding="utf-8"))
        notes += [f"{step.label}: {note}" for note in facts["notes"]]
    trained = [step for run in plan.runs for step in (run.supervisor, run.student, run.ceiling) if step is not None]
    for step in sorted(readers(trained), key=lambda step: step.label):
        path = open_step(step) / "facts.json"
        truncated = json.loads(path.read_text(encoding="utf-8")).get("truncated", 0)
        if truncated:
            notes.append(f"{step.label}: {truncated} texts are longer than the model reads, and were cut")
    return notes
