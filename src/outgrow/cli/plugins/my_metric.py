"""My metric: by how much the true class leads the likeliest wrong one, or trails it."""

from __future__ import annotations

from typing import Any

import numpy as np

from outgrow import Limits, Metric


def lead(answers: Any, rows: Any) -> Any:
    """The true class's probability minus that of the likeliest other one, one value per row in [-1, 1]."""
    places = np.arange(len(rows.truth))
    others = answers.probabilities.astype(np.float64)
    of_truth = others[places, rows.truth].copy()
    others[places, rows.truth] = -np.inf
    return of_truth - others.max(axis=1)


my_metric = Metric("my_metric", "my metric", lead, limits=Limits(-1.0, 1.0))
