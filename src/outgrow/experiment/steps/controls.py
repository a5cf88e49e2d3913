"""What the controls' own kind of step does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outgrow.execution.step import Context, Job, Kind


def shuffle(jobs: Sequence[Job], context: Context) -> None:
    """Weak labels dealt anew among the rows that have one: the same labels, as often, on the wrong rows.

    Transfer and validation apart, so that neither the lesson nor a choice on validation knows anything of the truth. Any
    other row has none.
    """
    for job in jobs:
        values = np.load(job.parents["weak_labels"] / "probabilities.npy")
        shuffled = np.full_like(values, np.nan)
        for place, part in enumerate(("transfer", "validation")):
            rows = np.load(job.parents["split"] / f"{part}.npy")
            rows = rows[~np.isnan(values[rows]).any(axis=1)]
            order = np.random.default_rng([job.params["seed"], place]).permutation(len(rows))
            shuffled[rows] = values[rows[order]]
        np.save(job.folder / "probabilities.npy", shuffled)


SHUFFLE = Kind(1, shuffle)
