"""Metrics of one model on one test set, each as contributions of the examples, so that one interval code serves all.

`contributions(answers, rows)` are n numbers whose **mean is the metric, exactly**: `answers` has the model's
probabilities `[n, classes]` and hard predictions `[n]`, `rows` the truth, ids, groups, classes and inputs. For
a mean over examples (accuracy, log loss, Brier) they are the examples' own values. For the others they are the metric
plus each example's empirical influence on it (the infinitesimal jackknife's pseudo-values: Jaeckel 1972; Efron 1982,
chapter 6): the variance of their mean is that of the metric, to first order. So a table `[models, seeds, examples]` of
contributions goes where a table of right and wrong goes (statistics/intervals.py), groups included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.core.answers import Allowed, Answers
from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats
from outgrow.core.registry import BUILT_IN, find
from outgrow.results.predictions import HeldOut
from outgrow.results.statistics.intervals import UNIT, Limits

BINS = 15  # of the calibration error, as in Guo et al. 2017 (arXiv 1706.04599)
SMALLEST = float(np.finfo(np.float32).eps)  # a probability below is taken as this: stored values are float32

Contributions = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A metric: its name in YAML and tables, which way is better, and the values that it can take."""

    name: str
    title: str
    contributions: Callable[[Answers, HeldOut], Contributions]
    higher_is_better: bool = True
    limits: Limits = UNIT
    needs_two_classes: bool = False  # present in the test rows

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.contributions.__doc__)  # what lists say of it
        object.__setattr__(self, "limits", Limits(*self.limits))  # a plain pair means a linear scale

    def undefined(self, rows: HeldOut) -> str | None:
        """Why it has no value on these test rows, or None."""
        if self.needs_two_classes and len(np.unique(rows.truth)) < 2:
            return "undefined: the test rows have one class"
        return None


def accuracy(answers: Answers, rows: HeldOut) -> Contributions:
    """1 where the predicted class is the true one, 0 elsewhere."""
    return np.asarray(answers.hard == rows.truth, dtype=np.float64)


def balanced_accuracy(answers: Answers, rows: HeldOut) -> Contributions:
    """The mean over the classes that occur of each one's accuracy (recall), as influences."""
    truth = rows.truth
    right = (answers.hard == truth).astype(np.float64)
    counts = np.bincount(truth, minlength=answers.probabilities.shape[1])
    present = counts > 0
    recall = np.bincount(truth, right, minlength=len(counts))[present] / counts[present]
    place = np.cumsum(present) - 1
    mine = place[truth]
    weight = len(truth) / (len(recall) * counts[truth])
    return np.asarray(recall.mean() + weight * (right - recall[mine]))


def macro_f1(answers: Answers, rows: HeldOut) -> Contributions:
    """The mean over the classes that occur of F1 = 2 hits / (predicted + true), as influences of that ratio."""
    hard, truth = answers.hard, rows.truth
    values = np.zeros(len(truth))
    present = np.unique(truth)
    for c in present:
        hits, size = 2.0 * ((hard == c) & (truth == c)), (hard == c) + 1.0 * (truth == c)
        f1 = hits.mean() / size.mean()
        values += (f1 + (hits - f1 * size) / size.mean()) / len(present)
    return values


def auroc(answers: Answers, rows: HeldOut) -> Contributions:
    """The area under the ROC curve: how often the positive of a pair gets the higher probability, a tie half.

    Two classes: of the second one. More: the mean over the classes that occur, each against the rest, among the rows that
    allow it. An example's influence is its DeLong component (DeLong, DeLong & Clarke-Pearson 1988).
    """
    probabilities, truth, allowed = answers.probabilities, rows.truth, answers.allowed
    present = np.flatnonzero(np.bincount(truth, minlength=probabilities.shape[1]))
    if len(present) < 2:
        raise OutgrowError("AUROC needs test rows of two classes or more; these have one")
    classes = [1] if probabilities.shape[1] == 2 else present.tolist()
    areas = []
    for c in classes:
        there = slice(None) if allowed is None else allowed[:, c]
        score, positive = probabilities[there, c], (truth == c)[there]
        if allowed is None or (positive.any() and not positive.all()):
            area = _one_auroc(score, positive)
            areas.append(area if allowed is None else _spread(area, allowed[:, c]))
    if not areas:
        raise OutgrowError("AUROC needs a class that some test rows have and others, which allow it, have not")
    return np.asarray(np.mean(areas, axis=0))


def _spread(values: Contributions, there: Allowed) -> Contributions:
    """Contributions of the rows that are `there [n]` as those of all n: the others change nothing."""
    mean = values.mean()
    spread = np.full(len(there), mean)
    spread[there] += (values - mean) * len(there) / len(values)
    return spread


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


def log_loss(answers: Answers, rows: HeldOut) -> Contributions:
    """Minus the natural logarithm of the true class's probability, in nats; below 1.2e-7 counted as 1.2e-7."""
    of_truth = answers.probabilities[np.arange(len(rows.truth)), rows.truth].astype(np.float64)
    return np.asarray(-np.log(np.clip(of_truth, SMALLEST, 1.0)))


def brier(answers: Answers, rows: HeldOut) -> Contributions:
    """Brier (1950): the squared distance to the true class; of two classes half of it, which is the usual (p - y)²."""
    distance = answers.probabilities.astype(np.float64)
    distance[np.arange(len(rows.truth)), rows.truth] -= 1
    classes = distance.shape[1] if answers.allowed is None else answers.allowed.sum(axis=1)
    return np.asarray((distance**2).sum(axis=1) / np.where(np.equal(classes, 2), 2, 1))


def ece(answers: Answers, rows: HeldOut) -> Contributions:
    """Expected calibration error: |confidence - accuracy| in 15 bins of equal mass, averaged (Nixon et al. 2019).

    Equal confidences are never parted: they go where their middle rank belongs. An influence is the example's own
    confidence - accuracy with the sign of its bin's, the bins held where they are.
    """
    n, hard = len(rows.truth), answers.hard
    confidence = answers.probabilities[np.arange(n), hard].astype(np.float64)
    excess = confidence - (hard == rows.truth)
    order = np.argsort(confidence, kind="stable")
    ranked = confidence[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    ends = np.concatenate([starts[1:], [n]])
    middle = np.repeat((starts + ends) / 2, ends - starts)
    bins = np.empty(n, dtype=np.int64)
    bins[order] = (middle * BINS / n).astype(np.int64)
    sign = np.sign(np.bincount(bins, excess, minlength=BINS + 1))
    return np.asarray(sign[bins] * excess)


ACCURACY = Metric("accuracy", "accuracy", accuracy)
BALANCED_ACCURACY = Metric("balanced_accuracy", "balanced accuracy", balanced_accuracy)
MACRO_F1 = Metric("macro_f1", "macro F1", macro_f1)
AUROC = Metric("auroc", "AUROC", auroc, limits=Limits(0.0, 1.0, "logit"), needs_two_classes=True)
LOG_LOSS = Metric("log_loss", "log loss", log_loss, higher_is_better=False, limits=Limits(0.0, math.inf, "log"))
BRIER = Metric("brier", "Brier score", brier, higher_is_better=False, limits=Limits(0.0, 2.0, "log"))
ECE = Metric("ece", "calibration error", ece, higher_is_better=False, limits=Limits(0.0, 1.0))


def metric_named(name: str) -> Metric:
    """The metric of this name: built in, from a package's entry points, or `path/to/file.py:Name`.

    Raises UsageError where there is none, OutgrowError where it is not a metric.
    """
    found = find("metrics", name)
    metric = found.load()
    if not isinstance(metric, Metric):
        raise OutgrowError(f"{found.target}: is not a metric: an outgrow.Metric(name, title, contributions)")
    if metric.name in BUILT_IN["metrics"] and metric.name != name:
        raise OutgrowError(f"{found.target}: is called {metric.name!r} like a built-in metric; give it another name")
    return metric


def score(metric: Metric, answers: Answers, rows: HeldOut) -> float:
    """The metric's value: the mean of its contributions."""
    return float(metric.contributions(answers, rows).mean())
