"""Steps of frozen features and of linear heads on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from outgrow.core.pool import Pool
from outgrow.execution.step import Context, Job, Kind, Step
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.experiment.steps.choose import choose_among
from outgrow.experiment.steps.job_files import lesson, member, method_of, save, truncated, weights_of
from outgrow.experiment.steps.models.checkpoint import READING, with_checkpoints
from outgrow.experiment.steps.training_request import STOPS, TRUTH, TaskPlan, Training


def features(jobs: Sequence[Job], context: Context) -> None:
    """One pass of a frozen model over every row of the pool."""
    for job, location in with_checkpoints(jobs, context):
        model = member(job.params["model"], "models", context).load()
        made = model(checkpoint=location.name, **job.params["options"]).features(
            Pool.load(job.parents["pool"]).readings, location, context.device, context.progress
        )
        np.save(job.folder / "features.npy", made.values)
        facts = {"truncated": made.truncated, "tokens": made.tokens, "padding": made.padding}
        (job.folder / "facts.json").write_text(json.dumps(facts))


def heads(jobs: Sequence[Job], context: Context) -> None:
    """Linear heads on the same features, solved together; each leaves its weights and its predictions."""
    from safetensors.numpy import save_file

    from outgrow.models.heads.choices import predict_choices, solve_choices
    from outgrow.models.heads.joint_losses import Objective
    from outgrow.models.heads.solver import Among, Problem, Solver, predict_all, solve

    pool = Pool.load(jobs[0].parents["pool"])
    values = np.load(jobs[0].parents["features"] / "features.npy", mmap_mode="r")
    solver = Solver(**jobs[0].params["solver"])
    problems = []
    for job in jobs:
        rows, targets = lesson(job)
        method: Objective = method_of(job.params["method"], context, targets)
        if pool.allowed is not None and pool.parts is None:
            method = Among(method, pool.allowed[rows])
        problems.append(
            Problem(
                rows,
                targets,
                weights_of(job, rows),
                method,
                job.params["l2"],
                job.params["seed"],
                job.params.get("stop", 1.0),
            )
        )
    if pool.parts is None:
        made = solve(values, problems, solver, context.device, context.progress)
        answers = predict_all(values, made, solver)
    else:
        made = solve_choices(values, pool.parts.places, problems, solver, context.device, context.progress)
        answers = [predict_choices(values, pool.parts.places, head, solver) for head in made]
    for job, head, probabilities in zip(jobs, made, answers, strict=True):
        save_file({"weight": head.weight, "bias": head.bias}, job.folder / "head.safetensors")
        save(job.folder, probabilities, pool.allowed)


def head_answers(jobs: Sequence[Job], context: Context) -> None:
    """What a trained head gives the rows of another pool, from its own model's features of them."""
    from safetensors.numpy import load_file

    from outgrow.models.heads.choices import predict_choices
    from outgrow.models.heads.solver import Head, Solver, predict_all

    for job in jobs:
        pool = Pool.load(job.parents["pool"])
        values = np.load(job.parents["features"] / "features.npy", mmap_mode="r")
        solver = Solver(**job.params["solver"])
        weights = load_file(job.parents["trained"] / "head.safetensors")
        head = Head(weights["weight"], weights["bias"])
        if pool.parts is None:
            [probabilities] = predict_all(values, [head], solver)
        else:
            probabilities = predict_choices(values, pool.parts.places, head, solver)
        save(job.folder, probabilities, pool.allowed)


TYPICAL_WIDTH = 512  # of features, for the estimate of a head's work before there are any


def _plan(asked: Training) -> Step:
    """A head for each strength of regularisation and each point of stopping, and the choice among them."""
    task, model, terms, label, options = asked.task, asked.model, asked.terms, asked.label, asked.model.options
    parents = {**asked.parents, "features": features_step(task, model)}
    solver = {"steps": options.steps, "lr": options.lr} | ({"norm": None} if options.linear else {})
    params = {**asked.params, "rows": terms.rows or options.rows, "solver": solver}
    learned = min(task.sizes[asked.part], terms.rows or options.rows or task.sizes[asked.part])
    work = 4.0 * learned * TYPICAL_WIDTH * len(task.pool.classes) * options.steps
    strengths = options.l2 if isinstance(options.l2, list) else [options.l2]
    heads = [
        Step("head", {**params, **ended, "l2": l2}, parents, label=label, flops=work)
        for l2 in strengths
        for ended in ([{}] if terms.stop is None else [{"stop": share} if share < 1 else {} for share in STOPS])
    ]
    if len(heads) == 1:
        return heads[0]
    # The same rule for all: the smallest loss on validation, by the labels that the head itself learned from.
    judges = {role: parent for role, parent in parents.items() if role != "features"}
    targets = TRUTH if terms.stop == TRUTH else params["targets"]
    what = "the end" if terms.stop and len(strengths) == 1 else "l2 and the end" if terms.stop else "l2"
    return choose_among(judges, heads, {"targets": targets}, f"{label}: choose {what}")


def features_step(task: TaskPlan, model: ModelSpec) -> Step:
    """The frozen features of every row of the pool: one pass a model and pool, whatever is learned on them."""
    location = task.locations[model.name]
    params = {
        "model": dict(model.member.identity),
        "fingerprint": location.fingerprint,
        "options": model.options.identity(),
    }
    tokens = float(task.pool.sizes.sum()) / 4 + 2 * len(task.pool)
    label = f"{task.title}: features of {model.options.checkpoint}"
    flops, memory = 2.0 * location.parameters * tokens, float(READING) * location.parameters
    return Step("features", params, {"pool": task.step}, label=label, flops=flops, memory=memory)


def _answer(trained: Step, pool: Step) -> Step:
    """The model's features of the other pool's rows, and the head on them."""
    read = trained.parents["features"]
    features = Step(read.kind, read.params, {"pool": pool}, label=f"{pool.label}: {read.label}", memory=read.memory)
    parents = {"pool": pool, "features": features, "trained": trained}
    return Step("head_answers", {"solver": trained.params["solver"]}, parents, label=f"{pool.label}: {trained.label}")


def _same_pass(step: Step) -> Any:
    """Heads on the same features are solved together, where solver and classes are the same too."""
    return [step.parents["features"].key, step.params["solver"], step.params["classes"]]


FEATURES = Kind(1, features, efficiency=0.5, notes=truncated)
HEAD = Kind(2, heads, together=64, company=_same_pass, efficiency=0.1, plan=_plan, answer=_answer)
HEAD_ANSWERS = Kind(1, head_answers)
