"""What one training is asked for: the task it belongs to, and how it differs from the usual one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from outgrow.core.errors import OutgrowError
from outgrow.core.pool import Pool
from outgrow.execution.step import Step, kind_of
from outgrow.experiment.spec.method_entries import MethodSpec, method_spec
from outgrow.experiment.spec.model_entries import ModelSpec, model_spec
from outgrow.models.contract import Location

TRUTH: Literal["truth"] = "truth"
NAIVE = method_spec("naive")
STOPS = tuple((place + 1) / 10 for place in range(10))  # shares of a head's training at which early stopping looks


@dataclass(frozen=True)
class TaskPlan:
    """What every training of one task is planned from, whether an experiment asks for it or something else."""

    title: str
    pool: Pool
    step: Step  # the pool's
    sizes: Mapping[str, int]  # rows of weak_train, transfer and validation
    locations: Mapping[str, Location]  # model entry -> checkpoint
    given: Mapping[str, Step] = field(default_factory=dict)  # supervisor entry -> the step that reads its labels
    order: Step | None = None  # how difficult each row is
    easiest: Mapping[str, float] = field(
        default_factory=dict
    )  # part -> the share of easiest rows that it is dealt from
    also_test: Mapping[str, Step] = field(default_factory=dict)  # name -> the pool of a further test set


@dataclass(frozen=True)
class Terms:
    """How one training differs from the usual one; `methods.contract.Build.train` says what each means."""

    covered_by: Step | None = None
    fold: tuple[int, int] | None = None
    stop: Literal["weak", "truth"] | None = None
    rows: int | None = None  # learn only the first `rows` rows of the part
    start: tuple[str, Mapping[str, Any]] | None = None
    predict_on: tuple[str, ...] = ()  # parts other than test whose predictions something reads


USUAL = Terms()


@dataclass(frozen=True)
class Training:
    """One training that is to be planned: which model learns which part of a task, from what, by which method."""

    task: TaskPlan
    model: ModelSpec
    part: str  # weak_train or transfer
    split: Step
    labels: Step | Literal["truth"]
    method: MethodSpec
    seed: int
    terms: Terms = USUAL

    @property
    def role(self) -> str:
        """What the trained model is for."""
        return "supervisor" if self.part == "weak_train" else "ceiling" if self.labels == TRUTH else "student"

    @property
    def label(self) -> str:
        """What the progress display shows."""
        label = f"{self.task.title}: {self.role} {self.model.name}, {self.method.name}, seed {self.seed}"
        if self.terms.fold is not None:
            label += f", part {self.terms.fold[0] + 1} of {self.terms.fold[1]}"
        return label if self.terms.rows is None else f"{label}, {self.terms.rows} rows"

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that every training has."""
        params: dict[str, Any] = {
            "part": self.part,
            "targets": TRUTH if self.labels == TRUTH else "weak",
            "method": self.method.loss,
            "seed": self.seed,
            "classes": len(self.task.pool.classes),
        }
        return params if self.terms.fold is None else {**params, "fold": list(self.terms.fold)}

    @property
    def parents(self) -> dict[str, Step]:
        """The steps that every training reads."""
        parents = {"pool": self.task.step, "split": self.split}
        if isinstance(self.labels, Step):
            parents["weak_labels"] = self.labels
        return parents if self.terms.covered_by is None else {**parents, "covered_by": self.terms.covered_by}

    @property
    def reads(self) -> list[str]:
        """The parts whose predictions something reads, where a model predicts no other rows."""
        parts = {"transfer", "validation"} if self.role == "supervisor" else set(self.terms.predict_on)
        return [part for part in ("transfer", "validation", "test") if part in parts or part == "test"]

    def plan(self) -> Step:
        """The step whose predictions are the trained model's, as the model's step kind plans it."""
        plan = kind_of(self.model.able.step).plan
        if plan is None:
            raise OutgrowError(f"{self.model.name}: its step kind {self.model.able.step} plans no training")
        return plan(self)


def feature_model(model: ModelSpec) -> ModelSpec:
    """The model whose frozen features are a student's: itself, or one of the same checkpoint."""
    if model.able.has_features:
        return model
    return replace(model_spec(model.able.frozen, student=True), written=model.written, names=model.names)
