"""Experiments whose truth is known, from two models: tables of right and wrong, and probabilities.

A model answers example i right, with seed s, where
    gap + seed effect + difficulty(i) + taste(model, i) + chance(model, seed, i) > 0.
Difficulty is shared by all models, taste is what one model finds hard whatever its seed, chance is the rest.

probit: all of them normal, variances .5, .25, .25. heavy: difficulty, taste and seed effects follow Student's t with 3
degrees of freedom, chance a logistic. Both put the same shares of the spread on the three.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Model = Literal["probit", "heavy"]
Scores = NDArray[np.float64]

CHANCE = 0.25
POPULATION = 400_000


def draw(model: Model, random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Normal, or Student's t with 3 degrees of freedom scaled to unit variance, `shape`."""
    values = random.standard_normal(shape, dtype=np.float32)
    if model == "heavy":
        # Over the root of a chi squared by its freedom; divided by the root of 3, the variance of such a t.
        values /= np.sqrt(2 * random.standard_gamma(1.5, shape, dtype=np.float32) / 3) * np.float32(3**0.5)
    return values


def noise(model: Model, random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Chance of unit variance: normal, or logistic."""
    if model == "probit":
        return random.standard_normal(shape, dtype=np.float32)
    even = random.random(shape, dtype=np.float32).clip(1e-7, 1 - 1e-7)
    return np.asarray(np.log(even / (1 - even)) * np.float32(3**0.5 / np.pi), dtype=np.float32)


@cache
def gap(model: Model, accuracy: float, effect: float, taste: float) -> tuple[float, float]:
    """The gap that makes the expected accuracy what it should be, and the seed effect's spread on the scale of scores."""
    random = np.random.default_rng(0)
    at_rest = _rest(model, random, taste)
    slope = _slope(at_rest, accuracy)
    spread = effect / slope
    with_seeds = at_rest + np.float32(spread) * draw(model, random, POPULATION)
    return float(-np.quantile(with_seeds, 1 - accuracy)), spread


def _rest(model: Model, random: np.random.Generator, taste: float) -> NDArray[np.float32]:
    chance = CHANCE
    found: NDArray[np.float32] = (
        np.float32((1 - taste - chance) ** 0.5) * draw(model, random, POPULATION)
        + np.float32(taste**0.5) * draw(model, random, POPULATION)
        + np.float32(chance**0.5) * noise(model, random, POPULATION)
    )
    return found


def _slope(values: NDArray[np.float32], accuracy: float) -> float:
    """How fast accuracy rises with the gap there."""
    low, high = np.quantile(values, [1 - accuracy - 0.005, 1 - accuracy + 0.005])
    return float(0.01 / (high - low))


def experiments(
    model: Model,
    accuracies: Sequence[float],
    n_seeds: int,
    n: int,
    count: int,
    *,
    seed: int = 0,
    effect: float | Sequence[float] = 0.015,
    taste: float = 0.25,
    sizes: NDArray[np.int64] | None = None,
) -> Iterator[Scores]:
    """Tables `[models, seeds, n]` of right and wrong.

    `effect`: the standard deviation of an accuracy over seeds, of all models or one per model. With `sizes` (they sum to n)
    examples come in groups, in that order, that share difficulty and taste.
    """
    random = np.random.default_rng([seed, n_seeds, n, len(accuracies), model == "heavy"])
    k = len(accuracies)
    effects = [effect] * k if isinstance(effect, float) else effect
    gaps, spreads = (
        np.array(part, dtype=np.float32)
        for part in zip(*(gap(model, a, e, taste) for a, e in zip(accuracies, effects, strict=True)), strict=True)
    )
    groups = None if sizes is None else np.repeat(np.arange(len(sizes)), sizes)
    units = n if sizes is None else len(sizes)
    for _ in range(count):
        easy = np.float32((1 - taste - CHANCE) ** 0.5) * draw(model, random, units)
        own = np.float32(taste**0.5) * draw(model, random, k, units) + easy
        if groups is not None:
            own = own[:, groups]
        moved = gaps[:, None] + spreads[:, None] * draw(model, random, k, n_seeds)
        score = own[:, None, :] + moved[:, :, None] + np.float32(CHANCE**0.5) * noise(model, random, k, n_seeds, n)
        yield (score > 0).astype(np.float64)


def probabilities(
    model: Model,
    n_seeds: int,
    n: int,
    count: int,
    *,
    skill: float,
    effect: float = 0.05,
    positives: float = 0.15,
    seed: int = 0,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Probabilities `[seeds, n, 2]` of a classifier and the truth `[n]`; `skill`: how far apart it puts the classes,
    `effect`: the standard deviation of that over seeds, as a share of it.
    """
    random = np.random.default_rng([seed, n_seeds, n, round(1000 * skill), model == "heavy"])
    for _ in range(count):
        truth = (random.random(n) < positives).astype(np.int64)
        truth[:2] = 0, 1  # AUROC needs both
        shared = np.float32(0.75**0.5) * draw(model, random, n)
        own = np.float32(0.25**0.5) * noise(model, random, n_seeds, n)
        skills = skill * (1 + effect * random.standard_normal((n_seeds, 1)))
        logits = 1.5 * (skills * (truth - 0.5) + shared + own) + np.log(positives / (1 - positives))
        second = 1 / (1 + np.exp(-logits.astype(np.float64)))
        yield np.stack([1 - second, second], axis=2), truth
