"""Where student and supervisor say the same: does the student copy its supervisor's mistakes, or correct them?"""

from __future__ import annotations

import numpy as np

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints
from outgrow.results.statistics.crossed import Crossed, Groups
from outgrow.results.statistics.intervals import Interval, Limits, measured

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
    tables = {
        "same": same,
        "right": right,
        "student_right": student_right,
        "both_right": same & right,
        "wrong": wrong,
        "copied": same & wrong,
        "corrected": student_right & wrong,
        "differ": ~same,
        **({} if ceiling is None else {"by_ceiling": (ceiling == weak) & wrong}),
    }
    both = measured(np.stack(list(tables.values())), groups)

    def of(**weights: float) -> list[float]:
        return [weights.get(name, 0.0) for name in tables]

    def share(part: str, whole: str, otherwise: str) -> Interval:
        found = both.ratio(of(**{part: 1}), of(**{whole: 1}), level, otherwise)
        return _cut(found, float(tables[whole].sum(axis=1).mean()), level)

    of_student = both.contrast(of(student_right=1), level)
    copied = share("copied", "wrong", FEW_MISTAKES)
    # Linearised: the weights make an example's influence on the difference.
    rate, others = float(wrong.mean()), classes - 1
    beyond = copied
    if copied.status == "ok":
        part = float(tables["copied"].mean()) / rate
        spread = both.spread(of(copied=1 / rate, wrong=-part / rate, student_right=1 / others))
        beyond = _about(part - (1 - float(student_right.mean())) / others, spread, level)
    return {
        "agreement": both.contrast(of(same=1), level),
        "agreement_where_right": share("both_right", "right", FEW_RIGHT),
        "mistakes_copied": copied,
        "mistakes_corrected": share("corrected", "wrong", FEW_MISTAKES),
        "copied_if_independent": _scaled(of_student, -1 / others),
        "corrected_if_independent": of_student,
        "copied_beyond_independent": beyond,
        **({} if ceiling is None else {"mistakes_of_ceiling": share("by_ceiling", "wrong", FEW_MISTAKES)}),
        "misfit": both.contrast(of(differ=1), level),
        "gain": both.contrast(of(student_right=1, right=-1), level),
        "gain_per_misfit": both.ratio(of(student_right=1, right=-1), of(differ=1), level, NO_MISFIT),
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
    both = measured(np.stack([of_weak, of_student, apart]), groups, Limits(0.0, 2.0))
    return {
        "squared_misfit": both.contrast([0, 0, 1], level),
        "squared_gain": both.contrast([1, -1, 0], level),
        "misfit_residual": both.contrast([1, -1, -1], level),
    }


def _cut(found: Interval, size: float, level: float) -> Interval:
    """A share's interval within [0, 1]; size: how many rows one seed's whole holds."""
    if found.estimate is None or found.low is None or found.high is None:
        return found
    low, high = max(found.low, 0.0), min(found.high, 1.0)
    if found.estimate in (0.0, 1.0):
        # All alike is not certainty: Clopper & Pearson (1934).
        alike = ((1 - level) / 2) ** (1 / max(1.0, size))
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


def _about(estimate: float, spread: Crossed, level: float) -> Interval:
    """A difference of shares and the margin of its linearised spread."""
    if spread.covers == "nothing":
        return Interval(estimate, None, None, "ok", "nothing")
    margin = spread.margin(np.ones(1), level)
    return Interval(estimate, max(estimate - margin, -1.0), min(estimate + margin, 1.0), "ok", spread.covers)
