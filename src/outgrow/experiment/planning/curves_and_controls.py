"""What an experiment asks for beside its runs, as ordinary steps: curves over labels and l2, and controls."""

from __future__ import annotations

from dataclasses import replace

from outgrow.execution.step import Step
from outgrow.experiment.planning.supervision import ceiling_step, student_step, trained_alike
from outgrow.experiment.planning.training import training_step
from outgrow.experiment.spec.method_entries import MethodSpec
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.experiment.spec.schema import Experiment
from outgrow.experiment.steps.controls import shuffled_labels
from outgrow.experiment.steps.training_request import NAIVE, TRUTH, USUAL, TaskPlan, Terms
from outgrow.experiment.steps.true_labels import true_labels_step
from outgrow.models.contract import TUNED
from outgrow.results.diagnostics.equivalents import AT_L2, CURVE
from outgrow.results.diagnostics.sensitivity import CEILING_AT, STUDENT_AT

SMALLEST = 25  # labels, where the curve begins; it doubles from there


def extras(
    asked: Experiment,
    task: TaskPlan,
    weak: ModelSpec,
    strong: ModelSpec,
    split: Step,
    weak_labels: Step,
    method: MethodSpec,
    seed: int,
    *,
    truth: bool,
) -> dict[str, Step]:
    """Steps by the role that their predictions get; `truth`: whether the truth is known on all training rows."""
    made = dict[str, Step]()
    for l2 in strengths(asked, strong):
        other = replace(strong, options=strong.able.at_strength(l2))
        made[f"{STUDENT_AT}{l2!r}"] = student_step(task, other, method, split, weak_labels, seed, partial=weak.partial)
        if truth:
            made[f"{CEILING_AT}{l2!r}"] = ceiling_step(
                task, weak, other, split, weak_labels, seed, method if trained_alike(method, asked.ceiling) else None
            )
    if asked.label_curve and truth and strong.able.cheap_ceilings:
        transfer = task.sizes["transfer"]
        own = list(strong.able.strengths)
        others = [l2 for l2 in TUNED if own and own != [l2]]
        for rows in (*curve_sizes(transfer), transfer):
            terms = Terms(rows=rows) if rows < transfer else USUAL
            if rows < transfer:  # all of them are the ceiling itself
                made[f"{CURVE}{rows}"] = training_step(task, strong, "transfer", split, TRUTH, NAIVE, seed, terms)
            for l2 in others:
                tuned = replace(strong, options=strong.able.at_strength(l2))
                made[f"{CURVE}{rows}{AT_L2}{l2!r}"] = training_step(
                    task, tuned, "transfer", split, TRUTH, NAIVE, seed, terms
                )
    if asked.controls and strong.able.learns:  # else the labels that it learned from make no difference
        shuffled = shuffled_labels(task, split, weak_labels, seed)
        made["shuffled"] = training_step(task, strong, "transfer", split, shuffled, NAIVE, seed)
        if truth and task.sizes["weak_train"]:
            # With as many rows as the cell's supervisor learned from, else the two are not the same gap.
            as_many = Terms(rows=weak.first_rows)
            labels = made["own_weak"] = training_step(task, strong, "weak_train", split, TRUTH, NAIVE, seed, as_many)
            if weak.able.budget is not None:  # and with as much truth as the cell's student gets
                labels = true_labels_step(task, weak, split, labels, seed)
            made["own_student"] = training_step(task, strong, "transfer", split, labels, NAIVE, seed)
    return made


def strengths(asked: Experiment, strong: ModelSpec) -> list[float]:
    """The l2 at which a student is tried: those asked for, and its own."""
    own = strong.able.strengths
    return sorted({*asked.sensitivity["l2"], *own}) if asked.sensitivity and own else []


def curve_sizes(transfer: int) -> list[int]:
    """25, 50, 100, … below the number of rows that the ceiling itself learns from."""
    sizes: list[int] = []
    while SMALLEST * 2 ** len(sizes) < transfer:
        sizes.append(SMALLEST * 2 ** len(sizes))
    return sizes
