"""What the controls' own kind of step does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outgrow.core.answers import Allowed
from outgrow.core.examples import Ints
from outgrow.core.pool import Pool
from outgrow.execution.step import Context, Job, Kind, Step
from outgrow.experiment.steps.training_request import TaskPlan


def shuffle(jobs: Sequence[Job], context: Context) -> None:
    """Weak labels permuted among the rows that have one: the same labels, as often, on the wrong rows.

    Transfer and validation apart, so that neither the lesson nor a choice on validation knows anything of the truth. Any
    other row has none. Rows exchange labels only with rows that allow the same classes.
    """
    for job in jobs:
        allowed = Pool.load(job.parents["pool"]).allowed if "pool" in job.parents else None
        values = np.load(job.parents["weak_labels"] / "probabilities.npy")
        shuffled = np.full_like(values, np.nan)
        for place, part in enumerate(("transfer", "validation")):
            rows = np.load(job.parents["split"] / f"{part}.npy")
            rows = rows[~np.isnan(values[rows]).any(axis=1)]
            random = np.random.default_rng([job.params["seed"], place])
            for alike in [rows] if allowed is None else _alike(rows, allowed[rows]):
                shuffled[alike] = values[alike[random.permutation(len(alike))]]
        np.save(job.folder / "probabilities.npy", shuffled)


def _alike(rows: Ints, allowed: Allowed) -> list[Ints]:
    """The rows by which classes they allow."""
    _, numbers = np.unique(allowed, axis=0, return_inverse=True)
    return [rows[numbers == number] for number in range(int(numbers.max(initial=-1)) + 1)]


def shuffled_labels(task: TaskPlan, split: Step, weak_labels: Step, seed: int) -> Step:
    """The step of weak labels on the wrong rows; where rows allow some classes only, it reads which from the pool."""
    parents = {"split": split, "weak_labels": weak_labels}
    parents |= {} if task.pool.allowed is None else {"pool": task.step}
    return Step("shuffle", {"seed": seed}, parents, label=f"{task.title}: shuffled labels, seed {seed}")


SHUFFLE = Kind(1, shuffle)
