"""A supervisor's labels, and what a method makes of a student with them, as steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from outgrow.execution.step import Step
from outgrow.experiment.planning.training import training_step
from outgrow.experiment.spec.method_entries import MethodSpec
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.experiment.steps.choose import choose_among
from outgrow.experiment.steps.labels import changed_labels
from outgrow.experiment.steps.training_request import NAIVE, TRUTH, TaskPlan, Terms


def supervisor_step(task: TaskPlan, weak: ModelSpec, split: Step, seed: int) -> Step:
    """The step whose predictions are a supervisor's weak labels."""
    return training_step(task, weak, "weak_train", split, TRUTH, NAIVE, seed)


def ceiling_step(
    task: TaskPlan,
    weak: ModelSpec,
    strong: ModelSpec,
    split: Step,
    weak_labels: Step,
    seed: int,
    alike: MethodSpec | None = None,
) -> Step:
    """The student's model taught the truth, by the loss of `naive`.

    Where somebody's labels leave rows of transfer out, it learns from just the rows that they cover. alike: the method by
    whose procedure it is trained; of several values of it, the one that is best on validation, by the truth.
    """
    terms = Terms(covered_by=weak_labels if weak.partial else None)
    if alike is None:
        return training_step(task, strong, "transfer", split, TRUTH, NAIVE, seed, terms)
    tried = alike.of
    if len(tried) > 1:
        terms = replace(terms, predict_on=("validation",))
    procedures = [one.parts.procedure for one in tried]
    made: dict[Step, None] = dict.fromkeys(
        procedure.procedure(_Build(TRUTH, task, strong, one, NAIVE, split, seed, terms))
        for one, procedure in zip(tried, procedures, strict=True)
        if procedure is not None
    )
    if len(made) == 1:
        return next(iter(made))
    label = f"{task.title}: ceiling {strong.name}, {alike.name}, seed {seed}: choose"
    return choose_among({"pool": task.step, "split": split}, [*made], {"targets": TRUTH, "by": "accuracy"}, label)


def trained_alike(method: MethodSpec, asked: Literal["same_procedure", "plain"] | None) -> bool:
    """Whether a method's ceilings are trained by its procedure; `asked`: what the experiment says of ceilings."""
    procedures = [one.parts.procedure for one in method.of]
    return asked != "plain" and all(
        procedure is not None and procedure.trains_further and (asked is not None or procedure.starts is not None)
        for procedure in procedures
    )


def student_step(
    task: TaskPlan,
    strong: ModelSpec,
    method: MethodSpec,
    split: Step,
    weak_labels: Step,
    seed: int,
    *,
    partial: bool = False,
    predict_on: tuple[str, ...] = (),
) -> Step:
    """A student trained on weak labels by a method: its labels, its loss, its procedure.

    partial: the labels may leave rows of transfer out. predict_on: parts besides test whose predictions something reads.
    """
    if method.candidates:
        students = [
            _student(task, strong, candidate, split, weak_labels, seed, partial, (*predict_on, "validation"))
            for candidate in method.candidates
        ]
        judges = {"pool": task.step, "split": split}
        if method.select_on == "weak":
            judges["weak_labels"] = weak_labels
        label = f"{task.title}: student {strong.name}, {method.name}, seed {seed}: choose"
        return choose_among(judges, students, {"targets": method.select_on, "by": "accuracy"}, label)
    return _student(task, strong, method, split, weak_labels, seed, partial, predict_on)


def _student(
    task: TaskPlan,
    strong: ModelSpec,
    method: MethodSpec,
    split: Step,
    weak_labels: Step,
    seed: int,
    partial: bool,
    predict_on: tuple[str, ...],
) -> Step:
    labels = weak_labels
    if method.parts.labels is not None:
        labels = changed_labels(task, method, strong, split, weak_labels, seed)
    # Where somebody's labels leave rows out, they stay out: the ceiling has not seen them either.
    covered_by = weak_labels if partial and method.parts.procedure is not None else None
    build = _Build(
        labels, task, strong, method, method, split, seed, Terms(predict_on=predict_on, covered_by=covered_by)
    )
    if method.parts.procedure is not None:
        student: Step = method.parts.procedure.procedure(build)
        return student
    return build.train(labels)


@dataclass(frozen=True)
class _Build:
    """What a procedure builds with: see `methods.contract.Build`."""

    labels: Step | Literal["truth"]
    task: TaskPlan
    strong: ModelSpec
    method: MethodSpec
    loss: MethodSpec  # the method's own; of a ceiling `naive`
    split: Step
    seed: int
    terms: Terms

    def train(
        self,
        labels: Step | Literal["truth"],
        *,
        model: int | None = None,
        fold: tuple[int, int] | None = None,
        stop: Literal["weak", "truth"] | None = None,
        start: tuple[str, Mapping[str, Any]] | None = None,
        asked: bool = False,
    ) -> Step:
        """The step of a student that learns these labels by the method's loss."""
        learner = self.strong if model is None else self.method.models[model]
        parts: Sequence[str] = ("transfer", "validation") if asked else self.terms.predict_on
        terms = replace(self.terms, fold=fold, stop=stop, start=start, predict_on=tuple(parts))
        return training_step(self.task, learner, "transfer", self.split, labels, self.loss, self.seed, terms)
