"""Texts that are nearly the same as another one, and texts that are like no other, by the features of a student's model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outgrow.core.examples import Floats, Ints
from outgrow.experiment.near_copies import ALIKE

BLOCK = 2_048  # rows in one product
MOST = 40_000  # texts that are compared with all others: the work grows by the square


@dataclass(frozen=True)
class Neighbourhood:
    """Of n texts, pairs that are nearly the same and texts without any like them."""

    pairs: Ints  # [pairs, 2], the first before the second
    cosine: Floats  # [n] of the nearest other text
    unlike: Ints  # places of texts whose nearest is far below what is usual
    compared: int  # how many of the texts were looked at


def neighbourhood(features: Floats) -> Neighbourhood:
    """All pairs among the first 40,000 of features `[n, d]`, less their mean: those of most models lie in a narrow cone.

    Unlike: the nearest cosine lies below Tukey's (1977) lower fence, the first quartile less 1.5 interquartile ranges.
    """
    compared = min(len(features), MOST)
    values = np.asarray(features[:compared], dtype=np.float32)
    values = values - values.mean(axis=0)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
    nearest = np.full(compared, -1.0)
    pairs: list[Ints] = []
    for start in range(0, compared, BLOCK):
        cosines = values[start : start + BLOCK] @ values.T
        here = np.arange(len(cosines))
        cosines[here, start + here] = -1.0
        nearest[start : start + BLOCK] = cosines.max(axis=1)
        first, second = np.nonzero(cosines >= ALIKE)
        later = second > first + start
        pairs.append(np.stack([first[later] + start, second[later]], axis=1))
    low, high = np.quantile(nearest, [0.25, 0.75]) if compared else (0.0, 0.0)
    unlike = np.flatnonzero(nearest < low - 1.5 * (high - low))
    return Neighbourhood(np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64), nearest, unlike, compared)
