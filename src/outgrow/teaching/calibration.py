"""A temperature for a student's probabilities, fitted on careful labels of texts that it did not learn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.core.examples import Floats, Ints, Strings
from outgrow.results.statistics.intervals import Interval, Limits, contrast

BINS = 15  # of equal width: Guo et al. 2017
RANGE = (0.05, 20.0)  # of temperatures
TEMPERATURES = np.geomspace(*RANGE, 41)  # to compare students at, each at the one that suits it best
_LEAST = 1e-30  # of a probability, before its logarithm


@dataclass(frozen=True)
class Calibration:
    """What a temperature does to a student's probabilities.

    Errors (ECE, 0 to 1) and the fall of the log loss are of careful texts that neither the student nor the temperature they
    are scored with has seen. applied: the interval of the fall is above 0, so the saved student has the temperature.
    """

    temperature: float  # fitted on all careful texts; below 1 it makes a student surer
    before: float
    after: float
    fall: Interval  # of the mean log loss
    applied: bool


def calibration(
    scored: Floats, fitted: Floats, labels: Ints, folds: Sequence[Ints], groups: Strings | None = None
) -> Calibration:
    """Fit a temperature and measure it.

    scored `[n, classes]`: probabilities by the choice that the other folds make; fitted `[n, classes]`: by the choice that is
    kept; both of students that did not learn the row. labels `[n]`, folds: positions; rows of one group vary together.
    """
    cooled = np.empty(scored.shape)
    everywhere = np.arange(len(labels))
    for fold in folds:
        others = np.setdiff1d(everywhere, fold)
        cooled[fold] = tempered(scored[fold], temperature(scored[others], labels[others]))
    losses = np.stack([_loss(scored, labels), _loss(cooled, labels)])
    fall = contrast(losses[:, None], [1, -1], groups, limits=Limits(0.0, math.inf))
    return Calibration(
        temperature(fitted, labels),
        ece(scored, labels),
        ece(cooled, labels),
        fall,
        fall.low is not None and fall.low > 0,
    )


def temperature(probabilities: Floats, labels: Ints) -> float:
    """The temperature of the least log loss on rows `[n, classes]` (Guo et al. 2017, arXiv 1706.04599, section 4.2).

    One more row that could be of any class holds it back (as Platt 1999 does), or a student without a mistake among a few
    texts would be made certain of everything.
    """
    from scipy.optimize import minimize_scalar

    if len(labels) == 0:
        return 1.0
    logs, known = _logs(probabilities), probabilities > 0
    own = logs[np.arange(len(labels)), labels].mean()
    any_class = np.where(known, logs, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    share = 1 / (len(labels) + 1)
    wanted = (1 - share) * own + share * any_class.mean()

    def loss(log_temperature: float) -> float:
        cold = np.exp(-log_temperature)
        scaled = np.where(known, logs, -np.inf) * cold
        return float(np.logaddexp.reduce(scaled, axis=1).mean() - cold * wanted)

    found = minimize_scalar(loss, bounds=tuple(np.log(RANGE)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def tempered(probabilities: Floats, by: float) -> NDArray[np.float64]:
    """Probabilities `[n, classes]` as the same logits divided by a temperature give them; classes of 0 stay at 0."""
    scaled = np.where(probabilities > 0, _logs(probabilities), -np.inf) / by
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    found: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return found


def losses_at_temperatures(probabilities: Floats, labels: Ints) -> NDArray[np.float64]:
    """The log loss of rows `[n, classes]` at each of `TEMPERATURES`, `[temperatures, n]`."""
    return np.stack([_loss(tempered(probabilities, by), labels) for by in TEMPERATURES])


def ece(probabilities: Floats, labels: Ints) -> float:
    """Expected calibration error in 15 bins of equal width (Guo et al. 2017, equation 3; Naeini et al. 2015)."""
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.clip(np.ceil(sure * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, right - sure, BINS)
    return float(np.abs(gaps).sum() / len(labels))


def _logs(probabilities: Floats) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.log(np.maximum(probabilities.astype(np.float64), _LEAST))
    return found


def _loss(probabilities: Floats, labels: Ints) -> NDArray[np.float64]:
    found: NDArray[np.float64] = -_logs(probabilities)[np.arange(len(labels)), labels]
    return found
