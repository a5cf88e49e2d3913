"""The step that chooses among trained models on validation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Labels
from outgrow.core.pool import Pool
from outgrow.execution.step import Context, Job, Kind, Step
from outgrow.experiment.steps.also_test import answers_of
from outgrow.experiment.steps.job_files import save, targets_of


def choose(jobs: Sequence[Job], context: Context) -> None:
    """The candidate with the smallest loss (or the best accuracy) on validation, by the weak labels or the truth."""
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        rows = np.load(job.parents["split"] / "validation.npy")
        targets = targets_of(job, data, rows)
        known = ~np.isnan(targets).any(axis=1)
        if not known.any():
            raise OutgrowError(f"none of the {len(rows)} rows of validation has a label to choose by")
        candidates = [path for role, path in sorted(job.parents.items()) if role.startswith("candidate_")]
        predictions = [np.load(path / "probabilities.npy") for path in candidates]
        losses = [
            float(-(targets[known] * np.log(np.maximum(p[rows][known], 1e-12))).sum(axis=1).mean()) for p in predictions
        ]
        facts: dict[str, Any] = {"losses": losses}
        order = losses
        if job.params.get("by") == "accuracy":  # of methods, whose losses differ: by what they predict, not how surely
            ids = data.ids[rows][known]
            wanted = Labels(ids, targets[known]).hard
            facts["accuracies"] = [float((Labels(ids, p[rows][known]).hard == wanted).mean()) for p in predictions]
            order = [-accuracy for accuracy in facts["accuracies"]]
        best = min(range(len(predictions)), key=lambda place: (order[place], losses[place], place))
        save(job.folder, predictions[best], chosen=best, **facts)


def chosen_answers(jobs: Sequence[Job], context: Context) -> None:
    """Of the candidates' answers to another pool's rows, those of the candidate that was chosen."""
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        place = json.loads((job.parents["choice"] / "facts.json").read_text(encoding="utf-8"))["chosen"]
        answers = [path for role, path in sorted(job.parents.items()) if role.startswith("candidate_")]
        save(job.folder, np.load(answers[place] / "probabilities.npy"), data.allowed)


def choose_among(judges: Mapping[str, Step], candidates: Sequence[Step], params: Mapping[str, Any], label: str) -> Step:
    """The best of several trained models on validation; judges: the steps that say what is right there."""
    width = max(2, len(str(len(candidates) - 1)))
    roles = {f"candidate_{place:0{width}}": step for place, step in enumerate(candidates)}
    return Step("choose", params, {**judges, **roles}, label=label)


def candidates(step: Step) -> list[Step]:
    """The steps that a choice is among, in order; none for any other step."""
    return [parent for role, parent in sorted(step.parents.items()) if role.startswith("candidate_")]


def chosen(step: Step, folder: Path) -> int:
    """Which candidate the result of a choice is."""
    return int(json.loads((folder / "facts.json").read_text(encoding="utf-8"))["chosen"])


def _decided(step: Step, folder: Path) -> dict[str, Any]:
    """What the candidates differ in, of a head's own options, and what was taken."""
    tried = candidates(step)
    taken = tried[chosen(step, folder)]
    facts: dict[str, Any] = {}
    if len({one.params.get("l2") for one in tried}) > 1:
        facts["l2"] = float(taken.params["l2"])
    if len({one.params.get("stop") for one in tried}) > 1:
        facts["stopped_at"] = taken.params.get("stop", 1.0)
    return facts


def _answer(trained: Step, pool: Step) -> Step:
    """What every candidate answers, and of these the chosen one's."""
    answers = {
        role: answers_of(trained.parents[role], pool) for role in trained.parents if role.startswith("candidate_")
    }
    parents = {"pool": pool, "choice": trained, **answers}
    return Step("chosen_answers", {}, parents, label=f"{pool.label}: {trained.label}")


CHOOSE = Kind(1, choose, facts=_decided, answer=_answer)
CHOSEN_ANSWERS = Kind(1, chosen_answers, exact=True)
