"""Overlap density: how many rows hold what the supervisor can read and what only the student can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outgrow.core.examples import Floats

BLOCK = 2048  # rows in one product


@dataclass(frozen=True)
class Overlap:
    """The shares of rows that are hard for the supervisor alone, easy alone, and both (`density`); together 1."""

    hard: float
    easy: float
    density: float


def overlap(weak: Floats, features: Floats) -> Overlap | None:
    """Which kind each row is: Shin, Cooper & Sala (2024, arXiv 2412.03881), their overlap detection.

    Probabilities `[n, classes]` of the supervisor and features `[n, d]` of the student. Hard: below the change point of the
    supervisor's margins, the likeliest class's probability less the next one's (in two classes their confidence
    |2p - 1|). Of the others, those are overlap whose largest absolute cosine with a hard row lies at its own change
    point or above: by the paper's theory, easy patterns alone are nearly orthogonal to hard ones. A change point splits the
    sorted values in two so that the squares around both means sum to the least. The authors' code counts rows that
    equal the first change point as hard; here they are not, else labels that are often certain would leave no other row.
    None where all margins are alike (hard labels), or no more than one row is not hard.
    """
    ordered = np.sort(weak.astype(np.float64), axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    first = change_point(margins)
    if first is None:
        return None
    hard = margins < first
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    of_hard, others = unit[hard], unit[~hard]
    nearest = np.concatenate(
        [np.abs(others[at : at + BLOCK] @ of_hard.T).max(axis=1) for at in range(0, len(others), BLOCK)]
    )
    second = change_point(nearest)
    if second is None:
        return None
    both = float((nearest >= second).sum() / len(weak))
    return Overlap(float(hard.mean()), 1 - float(hard.mean()) - both, both)


def change_point(values: Floats) -> float | None:
    """The first value of the upper part, where sorted values are split by least squares; None where all are equal."""
    ordered = np.sort(values.astype(np.float64))
    if len(ordered) < 2 or ordered[0] == ordered[-1]:
        return None
    moved = ordered - ordered.mean()  # sums of squares far from 0 would lose digits
    below, count = np.cumsum(moved)[:-1], np.arange(1, len(moved))
    # The squares within both parts are least where those between them, which the parts' sums give, are largest.
    between = below**2 / count + below**2 / (len(moved) - count)
    between[ordered[1:] == ordered[:-1]] = -1.0  # equal values stay together
    return float(ordered[int(between.argmax()) + 1])
