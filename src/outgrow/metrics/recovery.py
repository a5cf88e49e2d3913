"""How much of the gap between supervisor and ceiling a student recovers (Burns et al. 2023, arXiv 2312.09390)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgrow.core import OutgrowError
from outgrow.metrics.intervals import Interval, accuracy, ratio


def performance_gap_recovered(weak: float, student: float, ceiling: float) -> float | None:
    """PGR = (student - weak) / (ceiling - weak), of three accuracies; None where the ceiling is not above weak.

    0: no better than the supervisor; 1: as good as if taught the truth. May be negative or above 1 (Burns et al. 2023).
    """
    return (student - weak) / (ceiling - weak) if ceiling > weak else None


def recovery(
    weak: ArrayLike,
    student: ArrayLike,
    ceiling: ArrayLike,
    groups: Sequence[Any] | NDArray[Any] | None = None,
    level: float = 0.95,
) -> dict[str, Interval]:
    """The intervals of `weak_accuracy`, `student_accuracy`, `ceiling_accuracy` and `pgr`.

    Each model's scores are `[seeds, examples]`, 1 right and 0 wrong, on the same examples (`groups [examples]`: what
    belongs together); or `[seeds]`, accuracies without examples. A model with one row is the same for all seeds, as
    labels given in a file are. PGR is the ratio of means over seeds, never the mean of ratios, which is biased, and
    ruled by whichever seed has the smallest gap.
    Raises OutgrowError where the three tables do not fit together.
    """
    tables = [np.asarray(scores, dtype=np.float64) for scores in (weak, student, ceiling)]
    seeds = {len(table) for table in tables if table.ndim > 0} - {1}
    if (
        len({table.shape[1:] for table in tables}) > 1
        or len(seeds) > 1
        or any(table.ndim not in (1, 2) for table in tables)
    ):
        raise OutgrowError(
            "weak, student and ceiling need scores [seeds, examples] of the same seeds and examples "
            f"(one row: the same for all seeds); these are {[list(table.shape) for table in tables]}"
        )
    shape = (max(seeds, default=1), *tables[0].shape[1:])
    scores = np.stack([np.broadcast_to(table, shape) for table in tables])
    return {
        "weak_accuracy": accuracy(scores[0], groups, level),
        "student_accuracy": accuracy(scores[1], groups, level),
        "ceiling_accuracy": accuracy(scores[2], groups, level),
        "pgr": ratio(scores, [-1, 1, 0], [-1, 0, 1], groups, level),
    }
