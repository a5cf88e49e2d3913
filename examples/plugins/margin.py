"""A metric of its own: by how much the true class leads the likeliest wrong one, or trails it."""

import numpy as np

from outgrow import Metric


def lead(answers, rows):
    """The true class's probability minus that of the likeliest other one, in [-1, 1]."""
    places = np.arange(len(rows.truth))
    others = answers.probabilities.astype(np.float64)
    of_truth = others[places, rows.truth].copy()
    others[places, rows.truth] = -np.inf
    return of_truth - others.max(axis=1)


margin = Metric("margin", "margin of the truth", lead, limits=(-1.0, 1.0))
