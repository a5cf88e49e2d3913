"""What the steps that make or change weak labels do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.answers import within
from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import Floats, Labels
from outgrow.core.inputs.choice import Choice
from outgrow.core.inputs.input_type import TEXT, input_type
from outgrow.core.pool import Pool
from outgrow.execution.step import Context, Job, Kind, Step
from outgrow.experiment.spec.method_entries import MethodSpec
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.experiment.steps.also_test import answers_of
from outgrow.experiment.steps.job_files import PARTS, facts, member, save
from outgrow.experiment.steps.models.heads import features_step
from outgrow.experiment.steps.training_request import TaskPlan, Training, feature_model
from outgrow.methods.contract import Rows
from outgrow.models.heads.choices import side_by_side
from outgrow.models.label_sources import aggregate as joining
from outgrow.models.label_sources.options import Simulate
from outgrow.models.label_sources.simulate import simulate as simulated


def labels(jobs: Sequence[Job], context: Context) -> None:
    """The weak labels of transfer as a method changes them; those of all other rows as they are."""
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        weak = np.load(job.parents["weak_labels"] / "probabilities.npy")
        transfer = np.load(job.parents["split"] / "transfer.npy")
        rows = transfer[~np.isnan(weak[transfer]).any(axis=1)]
        if not len(rows):
            raise OutgrowError("none of the rows of transfer has a weak label")
        features = None
        if "features" in job.parents:
            features = np.load(job.parents["features"] / "features.npy", mmap_mode="r")
            # Where classes are texts, or are written after one, features are of candidates.
            parts = (Pool.load(job.parents["contrasts"]) if "contrasts" in job.parents else data).parts
            features = features[rows] if parts is None else side_by_side(features, parts.places[rows])
        [identity] = job.params["method"]
        method = member(identity["member"], "methods", context).load()(**identity["options"])
        before = weak[rows]
        allowed = None if data.allowed is None else data.allowed[rows]
        known = Rows(data.ids[rows], data.groups[rows], job.params["seed"], features, allowed)
        after = within(np.asarray(method.labels(before.copy(), known), dtype=np.float32), allowed)
        _check(after, before, identity["member"]["name"])
        kept = ~np.isnan(after).any(axis=1)
        hard = [Labels(data.ids[rows][kept], values[kept]).hard for values in (before, after)]
        truth = data.labels[rows][kept]
        extra: dict[str, Any] = {
            "kept": int(kept.sum()),
            "changed": int((hard[0] != hard[1]).sum()),
            "accuracy": float((hard[1] == truth)[truth >= 0].mean()) if (truth >= 0).any() else None,
        }
        weak[rows] = after
        save(job.folder, weak, **extra)


def contrasts(jobs: Sequence[Job], context: Context) -> None:
    """The rows of a pool of texts as choices between their classes: each text with each class's name after it."""
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        values = [Choice(text, data.classes) for text in data.inputs]
        replace(data, inputs=values, input_type=input_type("choice"), allowed=None, notes=()).save(job.folder)


def changed_labels(
    task: TaskPlan, method: MethodSpec, student: ModelSpec, split: Step, weak_labels: Step, seed: int
) -> Step:
    """The weak labels as the `labels` part of a method leaves them; it sees the student's features where it asks to."""
    params = {"method": [dict(method.identities["labels"])], "seed": seed}
    parents = {"pool": task.step, "split": split, "weak_labels": weak_labels}
    changes = method.parts.labels
    if changes is not None and changes.reads_contrasts and task.pool.parts is None:
        if task.pool.input_type is not TEXT:
            raise UsageError(
                f"{task.title}: {method.name} reads each text with a class's name after it, and the inputs here are of type "
                f"{task.pool.input_type.name}"
            )
        parents["contrasts"] = Step(
            "contrasts", {}, {"pool": task.step}, label=f"{task.title}: each text with each class"
        )
        parents["features"] = features_step(replace(task, step=parents["contrasts"]), feature_model(student))
    elif changes is not None and (changes.reads_features or changes.reads_contrasts):
        parents["features"] = features_step(task, feature_model(student))
    return Step("labels", params, parents, label=f"{task.title}: labels of {method.name}, seed {seed}")


def _check(after: Floats, before: Floats, name: str) -> None:
    if after.shape != before.shape:
        raise OutgrowError(f"{name}: labels returned shape {list(after.shape)} for labels of {list(before.shape)}")
    absent = np.isnan(after).any(axis=1)
    if absent.all():
        raise OutgrowError(f"{name}: leaves none of {len(before)} weak labels to learn from")
    there = after[~absent]
    if (there < 0).any() or not np.allclose(there.sum(axis=1), 1, atol=1e-3):
        raise OutgrowError(f"{name}: labels returned rows that are not probabilities: at least 0, summing to one")


def join(jobs: Sequence[Job], context: Context) -> None:
    """Several supervisors' labels as one supervisor's."""
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        voters = _voters(job, "voter_")
        ids, asked = data.ids, np.arange(len(data))
        if "asked" in job.parents:  # the voters' habits are of the pool, and the rows of another
            data = Pool.load(job.parents["asked"])
            voters = [np.concatenate(both) for both in zip(voters, _voters(job, "asked_"), strict=True)]
            ids, asked = np.concatenate([ids, data.ids]), len(ids) + np.arange(len(data))
        transfer = np.load(job.parents["split"] / "transfer.npy")
        made = joining.join(voters, ids, transfer, job.params["by"])
        save(
            job.folder,
            made.probabilities[asked],
            data.allowed,
            **({"accuracies": list(made.accuracies)} if made.accuracies else {}),
        )


def _voters(job: Job, role: str) -> list[Floats]:
    return [np.load(path / "probabilities.npy") for name, path in sorted(job.parents.items()) if name.startswith(role)]


def simulate(jobs: Sequence[Job], context: Context) -> None:
    """The truth with chosen mistakes, in each split of its own; without a split, in the test rows."""
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        options = {key: value for key, value in job.params.items() if key != "seed"}
        opinion = None
        if "by" in job.parents:
            opinion = np.load(job.parents["by"] / "probabilities.npy")
            options["by"] = "known"
        dealt = PARTS if "split" in job.parents else ()
        parts = [np.load(job.parents["split"] / f"{part}.npy") for part in dealt] + [np.flatnonzero(data.test)]
        asked = Simulate.model_validate(options)
        made = simulated(data.labels, data.classes, data.sizes, parts, asked, job.params["seed"], opinion, data.allowed)
        save(job.folder, made)


def _plan_join(asked: Training) -> Step:
    """The voters' own steps, and one that joins their labels."""
    task, model = asked.task, asked.model
    voters = {f"voter_{place:02}": replace(asked, model=voter).plan() for place, voter in enumerate(model.beneath)}
    label = f"{task.title}: join {model.name}, seed {asked.seed}"
    usual = joining.usual_rule(len(voters), hard=all(voter.able.hard for voter in model.beneath))
    return Step(
        "join", {"by": model.options.by or usual}, {"pool": task.step, "split": asked.split, **voters}, label=label
    )


def _plan_simulate(asked: Training) -> Step:
    """The mistakes, and beneath them a model that finds rows hard or easy."""
    task, model = asked.task, asked.model
    judges = dict(zip(["by"], (replace(asked, model=judge).plan() for judge in model.beneath), strict=False))
    params = {**model.options.model_dump(mode="json", exclude={"by"}), "seed": asked.seed}
    label = f"{task.title}: {model.name}, seed {asked.seed}"
    return Step("simulate", params, {"pool": task.step, "split": asked.split, **judges}, label=label)


def _answer_join(trained: Step, pool: Step) -> Step:
    """The voters' answers to the other pool's rows, joined as those of transfer are."""
    voters = {role: step for role, step in trained.parents.items() if role.startswith("voter_")}
    asked = {f"asked_{role}": answers_of(step, pool) for role, step in voters.items()}
    label = f"{pool.label}: {trained.label}"
    return Step("join", trained.params, {**trained.parents, "asked": pool, **asked}, label=label)


def _answer_simulate(trained: Step, pool: Step) -> Step:
    """The truth of the other pool's rows with mistakes of the same kind."""
    judges = {"by": answers_of(trained.parents["by"], pool)} if "by" in trained.parents else {}
    return Step("simulate", trained.params, {"pool": pool, **judges}, label=f"{pool.label}: {trained.label}")


def _changed(folder: Path) -> dict[str, Any]:
    found = facts(folder)
    return {"n_learned": found["kept"], "labels_changed": found["changed"], "label_accuracy": found["accuracy"]}


CONTRASTS = Kind(1, contrasts, exact=True)
LABELS = Kind(1, labels, labels=_changed)
JOIN = Kind(2, join, plan=_plan_join, answer=_answer_join)
SIMULATE = Kind(1, simulate, plan=_plan_simulate, answer=_answer_simulate)
