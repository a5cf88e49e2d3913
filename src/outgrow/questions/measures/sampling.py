"""Which rows to label next: drawn with known probabilities, more often where a student is unsure, and spread over all kinds.

Systematic sampling with unequal probabilities along an order in which like rows stand together (Madow 1949, *On the theory of
systematic sampling, II*): every row is drawn with exactly its probability, and no stretch of the order is left out. Means
over all rows are then estimated without bias by inverse probabilities (Horvitz & Thompson 1952).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from outgrow.core.examples import Floats, Ints

CLUSTERS = 50  # of like rows, at most
KMEANS_ROWS = 20_000  # that the clusters are fitted to


def margins(probabilities: Floats) -> Floats:
    """The likeliest class's probability less the next one's, `[n]`."""
    ordered = np.sort(probabilities, axis=1)
    found: Floats = (ordered[:, -1] - ordered[:, -2]).astype(np.float64)
    return found


def inclusion(unsure: Floats, rows: int, random: float) -> Floats:
    """The probability that each row is among `rows` drawn ones, `[n]`: a share `random` of the draws is uniform, the rest goes
    by `unsure [n]`, 0 or more. None above 1; they sum to `rows`.
    """
    n = len(unsure)
    if rows >= n:
        return np.ones(n)
    total = float(unsure.sum())
    uniform = np.full(n, 1 / n)
    weight = random * uniform + (1 - random) * (unsure / total if total > 0 else uniform)
    found, free = np.zeros(n), np.ones(n, dtype=np.bool_)
    while True:  # those that reach 1 are certain, and the others share what is left
        left = rows - int((~free).sum())
        found[free] = left * weight[free] / weight[free].sum()
        over = free & (found >= 1)
        if not over.any():
            return found
        found[over] = 1.0
        free &= ~over


def spread(features: Floats | None, probabilities: Floats, seed: int) -> Ints:
    """An order of all rows in which like ones stand together: by cluster of the features, and inside by margin."""
    if features is None:
        return np.lexsort((margins(probabilities), probabilities.argmax(axis=1)))
    from sklearn.cluster import MiniBatchKMeans

    values = np.asarray(features, dtype=np.float32)
    values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
    count = int(min(CLUSTERS, max(1, math.isqrt(len(values)))))
    fitted = np.random.default_rng(seed).permutation(len(values))[:KMEANS_ROWS]
    model = MiniBatchKMeans(count, random_state=seed, n_init=1, batch_size=1024).fit(values[fitted])
    # Clusters in the order of their mean's first principal direction, so that neighbours in the order are alike too.
    centres = model.cluster_centers_ - model.cluster_centers_.mean(axis=0)
    direction = np.linalg.svd(centres, full_matrices=False)[2][0]
    place = np.argsort(np.argsort(centres @ direction, kind="stable"), kind="stable")
    return np.lexsort((margins(probabilities), place[model.predict(values)]))


def systematic(probability: Floats, order: Ints, seed: int) -> Ints:
    """Rows drawn along an order, each with its probability; as many as these sum to."""
    ends = np.cumsum(probability[order])
    count = round(float(ends[-1]))
    ends *= count / ends[-1]
    start = np.random.default_rng(seed).random()
    places = np.minimum(np.searchsorted(ends, start + np.arange(count), side="right"), len(order) - 1)
    found: Ints = np.sort(order[np.unique(places)])
    return found


@dataclass(frozen=True)
class Weighted:
    """A mean by inverse probabilities with its standard error."""

    estimate: float
    error: float


def weighted(values: Floats, probability: Floats) -> Weighted:
    """The mean over all rows of values `[n]` of drawn ones, by Hajek's (1971) ratio; the error takes draws as independent."""
    weight = 1 / probability
    mean = float((weight * values).sum() / weight.sum())
    away = weight * (values - mean)
    n = len(values)
    return Weighted(mean, float(np.sqrt(n / max(n - 1, 1) * (away**2).sum())) / float(weight.sum()))
