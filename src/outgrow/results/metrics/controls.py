"""Controls: what accuracy a model has that knows nothing of the truth, and how far one is from it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from outgrow.core.examples import Ints
from outgrow.results.metrics.crossed import Groups, crossed
from outgrow.results.metrics.intervals import Interval, Limits, contrast, interval


def chance(said: Ints, truth: Ints, classes: int) -> float:
    """The accuracy of a model that says each class as often as this one, class numbers `[seeds, n]`, whatever the row."""
    shares = np.bincount(truth, minlength=classes) / len(truth)
    return float(np.mean([np.bincount(row, minlength=classes) @ shares / len(row) for row in said]))


def beyond_chance(said: Ints, truth: Ints, classes: int, groups: Groups = None, level: float = 0.99) -> Interval:
    """Accuracy less chance, of class numbers `[seeds, n]`: 0 where what is said does not depend on the truth.

    With q the shares of what is said and p those of the truth, chance is q'p, and an example's influence on it
    p[said] + q[true] - 2 q'p; so the crossed interval applies to contributions whose mean for a seed is accuracy - q'p.
    """
    shares = np.bincount(truth, minlength=classes) / len(truth)
    rows = []
    for row in said:
        mine = np.bincount(row, minlength=classes) / len(row)
        rows.append((row == truth) - (shares[row] + mine[truth] - float(mine @ shares)))
    table = np.stack(rows)[None]
    spread = crossed(table, groups)
    # Without a spread of any kind (one class said throughout) it is chance exactly.
    return interval(spread, 0, Limits(-math.inf, math.inf), level)


def beyond_majority(right: NDArray[np.bool_], truth: Ints, groups: Groups = None, level: float = 0.95) -> Interval:
    """Accuracy, right or wrong `[seeds, n]`, less that of always saying the commonest class of the test rows."""
    commonest = int(np.bincount(truth).argmax())
    always = np.broadcast_to(truth == commonest, right.shape)
    return contrast(np.stack([right, always]), [1, -1], groups, level)
