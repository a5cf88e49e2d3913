"""Where student and supervisor say the same: does the student copy its supervisor's mistakes, or correct them?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints
from outgrow.results.statistics.crossed import Groups, crossed
from outgrow.results.statistics.intervals import Interval, Limits, contrast, ratio

FEW_MISTAKES = "undefined: the supervisor makes too few mistakes"
FEW_RIGHT = "undefined: the supervisor is right too rarely"
NO_MISFIT = "undefined: student and supervisor do not differ"


def agreement(first: Ints, second: Ints) -> float:
    """The share of rows where two hard predictions, class numbers `[n]` in the same order, are equal.

    Raises OutgrowError where the two differ in length or hold no rows.
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.ndim != 1 or first.shape != second.shape or first.size == 0:
        raise OutgrowError(
            f"agreement compares two lists of class numbers of the same rows, at least one; "
            f"these have shapes {list(first.shape)} and {list(second.shape)}"
        )
    return float((first == second).mean())


def agreements(
    weak: Ints,
    student: Ints,
    truth: Ints,
    classes: float,
    groups: Groups = None,
    level: float = 0.95,
    ceiling: Ints | None = None,
) -> dict[str, Interval]:
    """Crossed intervals of how student and supervisor agree; class numbers `[seeds, n]` of both, truth `[n]`.

    `agreement`: the share of rows where they say the same; `agreement_where_right`: of the rows where the supervisor is
    right. `mistakes_copied`: of its mistakes, the share where the student makes the same one (agreement where it is
    wrong); `mistakes_corrected`: where the student is right. With more than two classes the rest are other mistakes.

    `copied_if_independent` and `corrected_if_independent` are these shares for two models of these accuracies with
    independent errors: corrected is the student's accuracy, copied (1 - accuracy) / (classes - 1). **For more than two
    classes that assumes wrong answers spread evenly over the wrong classes**; where some are easily confused, two
    independent models copy more than that. `copied_beyond_independent` is the difference, linearised. Rows that all models
    find hard make errors dependent without any copying: `mistakes_of_ceiling`, where a ceiling `[seeds, n]` is given, is the
    share of the same mistakes that it makes, having never seen them.

    `misfit`: the share of rows where they differ; `gain`: student minus supervisor in accuracy; `gain_per_misfit`:
    their ratio (Charikar, Pabbaraju & Shiragur 2024, arXiv 2405.15116: the misfit predicts the gain).
    Ratios have Fieller's interval, cut to [0, 1] where they are shares.
    Raises OutgrowError where the tables do not fit together.
    """
    weak, student = np.asarray(weak), np.asarray(student)
    if weak.ndim != 2 or weak.shape != student.shape or truth.shape != weak.shape[1:] or not weak.size:
        raise OutgrowError(
            "agreement needs class numbers [seeds, n] of supervisor and student and the truth [n] of the same rows; "
            f"these have shapes {list(weak.shape)}, {list(student.shape)} and {list(truth.shape)}"
        )
    same, right, student_right = weak == student, weak == truth, student == truth
    wrong = ~right
    copied = _share(same & wrong, wrong, groups, level, FEW_MISTAKES)
    alike = {} if ceiling is None else {"mistakes_of_ceiling": (ceiling == weak) & wrong}
    return {
        "agreement": contrast(same[None], [1], groups, level),
        "agreement_where_right": _share(same & right, right, groups, level, FEW_RIGHT),
        "mistakes_copied": copied,
        "mistakes_corrected": _share(student_right & wrong, wrong, groups, level, FEW_MISTAKES),
        "copied_if_independent": _scaled(contrast(student_right[None], [1], groups, level), -1 / (classes - 1)),
        "corrected_if_independent": contrast(student_right[None], [1], groups, level),
        "copied_beyond_independent": _beyond(same & wrong, wrong, student_right, classes, groups, level)
        if copied.status == "ok"
        else copied,
        **{key: _share(part, wrong, groups, level, FEW_MISTAKES) for key, part in alike.items()},
        "misfit": contrast(~same[None], [1], groups, level),
        "gain": contrast(np.stack([student_right, right]), [1, -1], groups, level),
        "gain_per_misfit": ratio(
            np.stack([student_right, right, ~same]), [1, -1, 0], [0, 0, 1], groups, level, otherwise=NO_MISFIT
        ),
    }


def squared_misfit(
    weak: Floats, student: Floats, truth: Ints, groups: Groups = None, level: float = 0.95
) -> dict[str, Interval]:
    """Charikar et al.'s (2024) two sides in squared distance: `squared_gain` is about `squared_misfit`, or more.

    Probabilities `[seeds, n, classes]` of both. Distances are halved for two classes, as Brier scores are: the gain is
    then the supervisor's Brier score minus the student's. `misfit_residual` is gain minus misfit: their theorem 1 says that
    it is 0 or more, for squared loss, a convex class of heads that holds the truth, and a student trained to the end. Where
    these do not hold, it may lie below 0: then the student has left its supervisor where it should not have.
    """
    classes = weak.shape[2]
    half = 2 if classes == 2 else 1
    certain = np.eye(classes)[truth]
    apart, of_weak, of_student = (
        ((a - b).astype(np.float64) ** 2).sum(axis=2) / half
        for a, b in ((student, weak), (weak, certain[None]), (student, certain[None]))
    )
    return {
        "squared_misfit": contrast(apart[None], [1], groups, level, Limits(0.0, 2.0)),
        "squared_gain": contrast(np.stack([of_weak, of_student]), [1, -1], groups, level, Limits(0.0, 2.0)),
        "misfit_residual": contrast(
            np.stack([of_weak, of_student, apart]), [1, -1, -1], groups, level, Limits(0.0, 2.0)
        ),
    }


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_], groups: Groups, level: float, otherwise: str) -> Interval:
    """What share of `whole` is `part`, both `[seeds, n]`: Fieller's interval, cut to [0, 1]."""
    found = ratio(np.stack([part, whole]), [1, 0], [0, 1], groups, level, otherwise=otherwise)
    if found.estimate is None or found.low is None or found.high is None:
        return found
    low, high = max(found.low, 0.0), min(found.high, 1.0)
    if found.estimate in (0.0, 1.0):
        # All alike is not certainty: Clopper & Pearson (1934), for as many rows as one seed's whole holds.
        alike = ((1 - level) / 2) ** (1 / max(1.0, whole.sum(axis=1).mean()))
        low, high = (alike, 1.0) if found.estimate == 1 else (0.0, 1 - alike)
    return Interval(found.estimate, low, high, found.status, found.covers, found.small)


def _scaled(accuracy: Interval, factor: float) -> Interval:
    """(1 - accuracy) * -factor, for a negative factor."""
    low, high = accuracy.low, accuracy.high
    return Interval(
        None if accuracy.estimate is None else (accuracy.estimate - 1) * factor,
        None if high is None else (high - 1) * factor,
        None if low is None else (low - 1) * factor,
        accuracy.status,
        accuracy.covers,
    )


def _beyond(
    copied: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    right: NDArray[np.bool_],
    classes: float,
    groups: Groups,
    level: float,
) -> Interval:
    """The share copied minus that of independent errors; each example's influence on it in place of its value."""
    share, rate = copied.mean() / wrong.mean(), wrong.mean()
    estimate = share - (1 - right.mean()) / (classes - 1)
    influence = (copied - share * wrong) / rate + (right - right.mean()) / (classes - 1)
    spread = crossed((estimate + influence)[None], groups)
    if spread.covers == "nothing":
        return Interval(float(estimate), None, None, "ok", "nothing")
    margin = spread.margin(np.ones(1), level)
    low, high = max(estimate - margin, -1.0), min(estimate + margin, 1.0)
    return Interval(float(estimate), float(low), float(high), "ok", spread.covers)
