"""The step of a budget of truth: a supervisor's labels, those of some rows of transfer replaced by true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.examples import Labels
from outgrow.core.pool import Pool
from outgrow.execution.step import Context, Job, Kind, Step
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.experiment.steps.also_test import answers_of
from outgrow.experiment.steps.job_files import facts, save
from outgrow.experiment.steps.training_request import TaskPlan, Training
from outgrow.models.label_sources.true_labels import margins, placed_rows


def replace_some(jobs: Sequence[Job], context: Context) -> None:
    """The labels of transfer with true ones among them; those of all other rows, test rows too, as they are."""
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        labels = np.load(job.parents["weak_labels"] / "probabilities.npy")
        transfer = np.load(job.parents["split"] / "transfer.npy")
        own, truth, ids = labels[transfer], data.labels[transfer], data.ids[transfer]
        rows = transfer[placed_rows(own, truth, ids, **job.params)]
        covered = ~np.isnan(own).any(axis=1)
        known = (truth >= 0) & covered
        right = Labels(ids[known], own[known]).hard == truth[known]
        labels[rows] = data.truth(rows).probabilities
        save(
            job.folder,
            labels,
            true_labels=len(rows),
            own_label_accuracy=float(right.mean()),
            nothing_to_go_by=job.params["placed"] == "least_sure" and len(np.unique(margins(own[covered]))) == 1,
        )


def true_labels_step(task: TaskPlan, weak: ModelSpec, split: Step, weak_labels: Step, seed: int) -> Step:
    """The step by which a supervisor with a budget of truth changes labels: its own model's, or others in a control."""
    params = {**(weak.able.budget or {}), "seed": seed}
    parents = {"pool": task.step, "split": split, "weak_labels": weak_labels}
    return Step("true_labels", params, parents, label=f"{task.title}: true labels of {weak.name}, seed {seed}")


def _plan(asked: Training) -> Step:
    """The supervisor beneath, and its labels with true ones among them."""
    [supervisor] = asked.model.beneath
    own = replace(asked, model=supervisor).plan()
    return true_labels_step(asked.task, asked.model, asked.split, own, asked.seed)


def _answer(trained: Step, pool: Step) -> Step:
    """To rows of another pool it answers what the supervisor beneath does: true labels are of transfer alone."""
    return answers_of(trained.parents["weak_labels"], pool)


def _facts(step: Step, folder: Path) -> Mapping[str, Any]:
    return facts(folder)


def _notes(folder: Path) -> list[str]:
    if not facts(folder)["nothing_to_go_by"]:
        return []
    return [
        "`placed: least_sure`, and the supervisor is equally sure of every row, as with labels that are class names: the true "
        "labels are placed at random"
    ]


TRUE_LABELS = Kind(1, replace_some, exact=True, plan=_plan, answer=_answer, facts=_facts, notes=_notes)
