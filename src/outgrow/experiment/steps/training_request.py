"""What one training is asked for: the task it belongs to, and how it differs from the usual one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from outgrow.core.pool import Pool
from outgrow.core.registry import find
from outgrow.execution.step import Step
from outgrow.experiment.spec.method_entries import method_spec
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.models.contract import Location
from outgrow.models.heads.probe import Probe

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


@dataclass(frozen=True)
class Terms:
    """How one training differs from the usual one; `methods.contract.Build.train` says what each means."""

    covered_by: Step | None = None
    fold: tuple[int, int] | None = None
    stop: Literal["weak", "truth"] | None = None
    rows: int | None = None  # learn the first so many rows of the part alone
    start: tuple[str, Mapping[str, Any]] | None = None
    predict_on: tuple[str, ...] = ()  # parts other than test whose predictions something reads


USUAL = Terms()


def feature_model(model: ModelSpec) -> ModelSpec:
    """The model whose frozen features are a student's: itself, or for a finetuned one a probe of its checkpoint."""
    if model.role == "features":
        return model
    options = Probe(checkpoint=model.options.checkpoint, max_length=model.options.max_length)
    return ModelSpec(model.written, "features", "probe", options, find("models", "probe"))
