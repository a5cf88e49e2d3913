"""Metrics of one model on one test set, each as contributions of the examples, so that one interval code serves all.

`contributions(probabilities [n, classes], hard [n], truth [n])` are n numbers whose **mean is the metric, exactly**. For
a mean over examples (accuracy, log loss, Brier) they are the examples' own values. For the others they are the metric
plus each example's empirical influence on it (the infinitesimal jackknife's pseudo-values: Jaeckel 1972; Efron 1982,
chapter 6): the variance of their mean is that of the metric, to first order. So a table `[models, seeds, examples]` of
contributions goes where a table of right and wrong goes (metrics/intervals.py), groups included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints
from outgrow.results.metrics.intervals import UNIT, Limits

BINS = 15  # of the calibration error, as in Guo et al. 2017 (arXiv 1706.04599)
SMALLEST = float(np.finfo(np.float32).eps)  # a probability below is taken as this: stored values are float32

Contributions = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A metric: its name in YAML and tables, which way is better, and the values that it can take."""

    name: str
    title: str
    contributions: Callable[[Floats, Ints, Ints], Contributions]
    higher_is_better: bool = True
    limits: Limits = UNIT
    needs_two_classes: bool = False  # present in the test rows

    def undefined(self, truth: Ints) -> str | None:
        """Why it has no value on these test rows, or None."""
        if self.needs_two_classes and len(np.unique(truth)) < 2:
            return "undefined: the test rows have one class"
        return None


def accuracy(probabilities: Floats, hard: Ints, truth: Ints) -> Contributions:
    """1 where the predicted class is the true one, 0 elsewhere."""
    return np.asarray(hard == truth, dtype=np.float64)


def balanced_accuracy(probabilities: Floats, hard: Ints, truth: Ints) -> Contributions:
    """The mean over the classes that occur of each one's accuracy (recall), as influences."""
    right = (hard == truth).astype(np.float64)
    counts = np.bincount(truth, minlength=probabilities.shape[1])
    present = counts > 0
    recall = np.bincount(truth, right, minlength=len(counts))[present] / counts[present]
    place = np.cumsum(present) - 1
    mine = place[truth]
    weight = len(truth) / (len(recall) * counts[truth])
    return np.asarray(recall.mean() + weight * (right - recall[mine]))


def auroc(probabilities: Floats, hard: Ints, truth: Ints) -> Contributions:
    """The area under the ROC curve: how often the positive of a pair gets the higher probability, a tie half.

    Two classes: of the second one. More: the mean over the classes that occur, each against the rest. An example's
    influence is its DeLong component (DeLong, DeLong & Clarke-Pearson 1988).
    """
    present = np.flatnonzero(np.bincount(truth, minlength=probabilities.shape[1]))
    if len(present) < 2:
        raise OutgrowError("AUROC needs test rows of two classes or more; these have one")
    classes = [1] if probabilities.shape[1] == 2 else present.tolist()
    return np.asarray(np.mean([_one_auroc(probabilities[:, c], truth == c) for c in classes], axis=0))


def _one_auroc(score: Floats, positive: NDArray[np.bool_]) -> Contributions:
    n_positive = int(positive.sum())
    n_negative = len(score) - n_positive
    order = np.argsort(score, kind="stable")
    ranked = score[order]
    new = np.concatenate([[True], ranked[1:] != ranked[:-1]])
    run = np.cumsum(new) - 1  # which run of equal scores a place belongs to
    starts = np.flatnonzero(new)
    positives = np.add.reduceat(positive[order].astype(np.float64), starts)
    sizes = np.diff(np.concatenate([starts, [len(score)]]))
    negatives = sizes - positives
    below = np.cumsum(negatives) - negatives / 2  # negatives under a run, and half of those in it
    above = n_positive - np.cumsum(positives) + positives / 2
    component = np.empty(len(score))
    component[order] = np.where(positive[order], below[run] / n_negative, above[run] / n_positive)
    area = component[positive].mean()
    weight = np.where(positive, len(score) / n_positive, len(score) / n_negative)
    # Influences of the positives and of the negatives each sum to nothing, so that the mean is the area.
    return np.asarray(area + weight * (component - area))


def log_loss(probabilities: Floats, hard: Ints, truth: Ints) -> Contributions:
    """Minus the natural logarithm of the true class's probability, in nats; below 1.2e-7 counted as 1.2e-7."""
    of_truth = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return np.asarray(-np.log(np.clip(of_truth, SMALLEST, 1.0)))


def brier(probabilities: Floats, hard: Ints, truth: Ints) -> Contributions:
    """Brier (1950): the squared distance to the true class; of two classes half of it, which is the usual (p - y)²."""
    distance = probabilities.astype(np.float64)
    distance[np.arange(len(truth)), truth] -= 1
    return np.asarray((distance**2).sum(axis=1) / (2 if probabilities.shape[1] == 2 else 1))


def ece(probabilities: Floats, hard: Ints, truth: Ints) -> Contributions:
    """Expected calibration error: |confidence - accuracy| in 15 bins of equal mass, averaged (Nixon et al. 2019).

    Equal confidences are never parted: they go where their middle rank belongs. An influence is the example's own
    confidence - accuracy with the sign of its bin's, the bins held where they are.
    """
    n = len(truth)
    confidence = probabilities[np.arange(n), hard].astype(np.float64)
    excess = confidence - (hard == truth)
    order = np.argsort(confidence, kind="stable")
    ranked = confidence[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    ends = np.concatenate([starts[1:], [n]])
    middle = np.repeat((starts + ends) / 2, ends - starts)
    bins = np.empty(n, dtype=np.int64)
    bins[order] = (middle * BINS / n).astype(np.int64)
    sign = np.sign(np.bincount(bins, excess, minlength=BINS + 1))
    return np.asarray(sign[bins] * excess)


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", accuracy),
        Metric("balanced_accuracy", "balanced accuracy", balanced_accuracy),
        Metric("auroc", "AUROC", auroc, needs_two_classes=True),
        Metric("log_loss", "log loss", log_loss, higher_is_better=False, limits=(0.0, math.inf)),
        Metric("brier", "Brier score", brier, higher_is_better=False, limits=(0.0, 2.0)),
        Metric("ece", "calibration error", ece, higher_is_better=False),
    )
}
ACCURACY = METRICS["accuracy"]


def score(metric: Metric, probabilities: Floats, hard: Ints, truth: Ints) -> float:
    """The metric's value: the mean of its contributions."""
    return float(metric.contributions(probabilities, hard, truth).mean())
