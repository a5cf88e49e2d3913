"""One model trained, as a step: dealt rows, frozen features, heads, finetuned models."""

from __future__ import annotations

from typing import Any, Literal

from outgrow.execution.step import Step
from outgrow.experiment.spec.method_entries import MethodSpec
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.experiment.steps.finetune import _finetune
from outgrow.experiment.steps.heads import _heads
from outgrow.experiment.steps.prompt import _prompt
from outgrow.experiment.steps.training_request import TRUTH, USUAL, TaskPlan, Terms


def split_step(task: TaskPlan, seed: int) -> Step:
    """The seed's weak_train, transfer and validation rows; test is the pool's own."""
    params = {"seed": seed, **task.sizes}
    return Step("split", params, {"pool": task.step}, label=f"{task.title}: deal seed {seed}")


def training_step(
    task: TaskPlan,
    model: ModelSpec,
    part: str,
    split: Step,
    labels: Step | Literal["truth"],
    method: MethodSpec,
    seed: int,
    terms: Terms = USUAL,
) -> Step:
    """A model that learned a part of the data from the truth or from weak labels, with its predictions on every row."""
    parents = {"pool": task.step, "split": split}
    if isinstance(labels, Step):
        parents["weak_labels"] = labels
    if terms.covered_by is not None:
        parents["covered_by"] = terms.covered_by
    role = "supervisor" if part == "weak_train" else "ceiling" if labels == TRUTH else "student"
    label = f"{task.title}: {role} {model.name}, {method.name}, seed {seed}"
    params: dict[str, Any] = {
        "part": part,
        "targets": TRUTH if labels == TRUTH else "weak",
        "method": method.loss,
        "seed": seed,
        "classes": len(task.pool.classes),
    }
    if terms.fold is not None:
        params["fold"] = list(terms.fold)
        label += f", part {terms.fold[0] + 1} of {terms.fold[1]}"
    if terms.rows is not None:
        label += f", {terms.rows} rows"
    if model.role == "custom":
        params["model"] = model.identity
        return Step("custom", params, parents, label=label)
    if model.role == "prompt":
        return _prompt(task, model, params, parents, role, terms)
    if model.role == "finetune":
        return _finetune(task, model, params, parents, role, label, terms)
    return _heads(task, model, params, parents, label, terms)
