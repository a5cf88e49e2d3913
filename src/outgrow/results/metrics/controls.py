"""Controls: what accuracy a model has that knows nothing of the truth, and how far one is from it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from outgrow.core.examples import Ints
from outgrow.results.statistics.crossed import Groups, crossed
from outgrow.results.statistics.intervals import Interval, Limits, interval


def chance(predicted: Ints, truth: Ints, classes: int, strata: Ints | None = None) -> float:
    """The accuracy of a model that says each class as often as this one, class numbers `[seeds, n]`, whatever the row.

    strata `[n]`: numbers of rows that allow the same classes; within each of them, where rows differ in that.
    """
    return float(np.mean([_by_shares(row, truth, classes, strata)[1] for row in predicted]))


def beyond_chance(
    predicted: Ints,
    truth: Ints,
    classes: int,
    groups: Groups = None,
    level: float = 0.99,
    strata: Ints | None = None,
) -> Interval:
    """Accuracy less chance, of class numbers `[seeds, n]`: 0 where predictions do not depend on the truth.

    With q the shares of the predictions and p those of the truth, chance is q'p, and an example's influence on it
    p[predicted] + q[true] - 2 q'p; so the crossed interval applies to contributions whose mean for a seed is accuracy - q'p.
    """
    table = np.stack([_by_shares(row, truth, classes, strata)[0] for row in predicted])[None]
    spread = crossed(table, groups)
    # Without a spread of any kind (one class predicted throughout) it is chance exactly.
    return interval(spread, 0, Limits(-math.inf, math.inf), level)


def _by_shares(predicted: Ints, truth: Ints, classes: int, strata: Ints | None) -> tuple[NDArray[np.float64], float]:
    """Contributions `[n]` whose mean is accuracy less chance, and chance, of one seed."""
    values, expected = np.zeros(len(truth)), 0.0
    for stratum in [slice(None)] if strata is None else [strata == number for number in np.unique(strata)]:
        mine, true = predicted[stratum], truth[stratum]
        q, p = (np.bincount(numbers, minlength=classes) / len(true) for numbers in (mine, true))
        values[stratum] = (mine == true) - (p[mine] + q[true] - float(q @ p))
        expected += float(q @ p) * len(true) / len(truth)
    return values, expected
