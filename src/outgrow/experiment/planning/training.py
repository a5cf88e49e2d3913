"""One model trained on a part of a task, as a step."""

from __future__ import annotations

from typing import Literal

from outgrow.execution.step import Step
from outgrow.experiment.spec.method_entries import MethodSpec
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.experiment.steps.training_request import USUAL, TaskPlan, Terms, Training


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
    return Training(task, model, part, split, labels, method, seed, terms).plan()
