"""Recall, precision and F1 of each class, and which class is taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outgrow.core.examples import Floats, Ints


@dataclass(frozen=True)
class ByClass:
    """One model's classes, each value the mean over seeds; NaN where no seed has one.

    recall: of a class that occurs. precision: over the seeds that predict the class. f1: of a class that occurs, 2 hits /
    (predicted + true), as scikit-learn has it. macro_f1: the mean of F1 over the classes that occur, the metric of that name.
    """

    recall: Floats  # [classes]
    precision: Floats  # [classes]
    f1: Floats  # [classes]
    macro_f1: float
    confusion: Floats  # [classes, classes] rows are the truth, columns predicted: counts, the mean over seeds


def by_class(seeds: Sequence[Ints], truth: Ints, classes: int) -> ByClass:
    """The predictions `[n]` of one or more seeds against the truth `[n]`, of class numbers below `classes`."""
    confusion = np.zeros((classes, classes))
    hits, predicted = np.zeros((2, len(seeds), classes))
    for seed, hard in enumerate(seeds):  # one matrix at a time: of 1,000 classes each takes 8 MB
        counts = np.bincount(truth * classes + hard, minlength=classes * classes).reshape(classes, classes)
        hits[seed], predicted[seed] = counts.diagonal(), counts.sum(axis=0)
        confusion += counts / len(seeds)
    true = np.bincount(truth, minlength=classes)[None] * np.ones((len(seeds), 1))
    occurs = true[0] > 0
    f1 = np.where(occurs, _mean_ratio(2 * hits, true + predicted), np.nan)
    return ByClass(
        _mean_ratio(hits, true), _mean_ratio(hits, predicted), f1, float(f1[occurs].mean()), np.asarray(confusion)
    )


def _mean_ratio(above: Floats, below: Floats) -> Floats:
    """The mean over seeds `[classes]` of ratios `[seeds, classes]`, of the seeds that have one; NaN where none has."""
    known = below > 0
    ratios = np.where(known, above / np.where(known, below, 1), 0)
    seeds = known.sum(axis=0)
    return np.where(seeds > 0, ratios.sum(axis=0) / np.maximum(seeds, 1), np.nan)
