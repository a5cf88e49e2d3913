"""How much of the gap between supervisor and ceiling a student recovers (Burns et al. 2023, arXiv 2312.09390)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from outgrow.core.errors import OutgrowError
from outgrow.results.metrics.scores import ACCURACY, Metric
from outgrow.results.statistics.crossed import Groups
from outgrow.results.statistics.intervals import NOT_ABOVE, UNIT, Interval, Limits, Measured, measured

NOT_BETTER = "undefined: ceiling not better than weak"


def performance_gap_recovered(weak: float, student: float, ceiling: float) -> float | None:
    """PGR = (student - weak) / (ceiling - weak), of three accuracies; None where the ceiling is not above weak.

    0: no better than the supervisor; 1: as good as if taught the truth. May be negative or above 1 (Burns et al. 2023).
    """
    return (student - weak) / (ceiling - weak) if ceiling > weak else None


def three_models(
    weak: ArrayLike, student: ArrayLike, ceiling: ArrayLike, groups: Groups = None, limits: Limits = UNIT
) -> Measured:
    """Supervisor, student and ceiling in this order, as `recovery` takes them; raises as it does."""
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
    return measured(scores, groups, limits)


def recovery(
    weak: ArrayLike,
    student: ArrayLike,
    ceiling: ArrayLike,
    groups: Groups = None,
    level: float = 0.95,
    metric: Metric = ACCURACY,
) -> dict[str, Interval]:
    """The intervals of `weak_accuracy`, `student_accuracy`, `ceiling_accuracy` and `pgr`; of another metric `pgr_<name>`.

    Each model's scores are `[seeds, examples]`, 1 right and 0 wrong, on the same examples (`groups [examples]`: what
    belongs together); or `[seeds]`, accuracies without examples. A model with one row is the same for all seeds, as
    labels given in a file are. PGR is the ratio of means over seeds, never the mean of ratios, which is biased, and
    ruled by whichever seed has the smallest gap. Of a metric where less is better (log loss, Brier, calibration error) it is
    (weak - student) / (weak - ceiling): 1 still means as good as taught the truth, and it is undefined unless the ceiling is
    better.
    Raises OutgrowError where the three tables do not fit together.
    """
    return recovery_of(three_models(weak, student, ceiling, groups, metric.limits), level, metric)


def recovery_of(models: Measured, level: float = 0.95, metric: Metric = ACCURACY) -> dict[str, Interval]:
    """`recovery` of supervisor, student and ceiling, measured in this order."""
    otherwise = NOT_ABOVE if metric.higher_is_better else NOT_BETTER
    found = {
        f"{role}_{metric.name}": models.contrast(only, level)
        for role, only in zip(("weak", "student", "ceiling"), np.eye(3), strict=True)
    }
    gap = [-1, 0, 1] if metric.higher_is_better else [1, 0, -1]
    found[pgr_key(metric)] = models.ratio(gain_of(metric), gap, level, otherwise)
    return found


def gain_of(metric: Metric) -> list[int]:
    """The weights of supervisor, student and ceiling whose sum is how much better the student is than its supervisor."""
    return [-1, 1, 0] if metric.higher_is_better else [1, -1, 0]


def gain_key(metric: Metric) -> str:
    """What results call the student's gain over its supervisor: `gain` of accuracy, else `gain_<name>`."""
    return "gain" if metric is ACCURACY else f"gain_{metric.name}"


def pgr_key(metric: Metric) -> str:
    """What results call the metric's PGR: `pgr` of accuracy, else `pgr_<name>`."""
    return "pgr" if metric is ACCURACY else f"pgr_{metric.name}"
