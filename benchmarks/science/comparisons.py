"""How often comparisons are wrong, and agreement's and other metrics' intervals hold: docs/reference/statistics.md's tables.

    python benchmarks/science/comparisons.py

Probit as in coverage.py (difficulty half of the variance, taste a quarter, chance a quarter), for any number of models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from outgrow.core.answers import Answers
from outgrow.core.registry import names
from outgrow.results.metrics.agreement import agreements
from outgrow.results.metrics.comparison import Triple, difference, pgr_difference
from outgrow.results.metrics.equivalence import equivalent
from outgrow.results.metrics.intervals import Interval, contrast
from outgrow.results.metrics.scores import metric_named
from outgrow.results.predictions import HeldOut

SEEDS = (3, 5, 10)
EXPERIMENTS = 400


def experiments(
    accuracies: Sequence[float], n_seeds: int, count: int, n: int = 1000, effect: float = 0.015, taste: float = 0.25
) -> Iterator[NDArray[np.float64]]:
    """Scores `[models, seeds, n]`; `effect`: the standard deviation of an accuracy over seeds."""
    random = np.random.default_rng([n_seeds, n, len(accuracies)])
    target = ndtri(np.array(accuracies))
    spread = effect / (np.exp(-(target**2) / 2) / np.sqrt(2 * np.pi))
    gap = target * np.sqrt(1 + spread**2)
    k = len(accuracies)
    for _ in range(count):
        score = np.sqrt(0.5 - taste, dtype=np.float32) * random.standard_normal((k, n_seeds, n), dtype=np.float32)
        score += np.sqrt(0.5, dtype=np.float32) * random.standard_normal(n, dtype=np.float32)
        score += np.sqrt(taste, dtype=np.float32) * random.standard_normal((k, 1, n), dtype=np.float32)
        score += (gap[:, None] + spread[:, None] * random.standard_normal((k, n_seeds)))[:, :, None].astype(np.float32)
        yield (score > 0).astype(np.float64)


def type_one() -> None:
    print("share of p < .05 where two methods are equally good; 5 seeds, accuracy .80, 2,000 experiments a line")
    print("test rows  seed effect  taste  share")
    for n in (300, 1000, 3000):
        for effect in (0.005, 0.015, 0.03):
            for taste in (0.1, 0.25):
                found = [difference(*table).p for table in experiments((0.8, 0.8), 5, 2000, n, effect, taste)]
                wrong = np.mean([p is not None and p < 0.05 for p in found])
                print(f"{n:>9,}  {effect:>11.3f}  {taste:>5.2f}  {wrong:.3f}", flush=True)


def held(intervals: Sequence[Interval], truth: float | None = None) -> float:
    """The share of defined intervals that hold the truth, by default the mean estimate over experiments."""
    defined = [i for i in intervals if i.estimate is not None and i.low is not None and i.high is not None]
    value = float(np.mean([i.estimate for i in defined])) if truth is None else truth
    return float(np.mean([i.low <= value <= i.high for i in defined]))


def coverage() -> None:
    print(f"\nshare of 95% intervals that hold the truth; {EXPERIMENTS} experiments, 1,000 test rows")
    print("what                                  3 seeds  5 seeds  10 seeds")
    lines: dict[str, list[float]] = {}
    for n_seeds in SEEDS:
        found: dict[str, list[Interval]] = {}
        for table in experiments((0.65, 0.70, 0.75, 0.60, 0.70, 0.85), n_seeds, EXPERIMENTS):
            weak, student, better, other_weak, other, ceiling = table
            said = agreed(table[[0, 1]])
            made: dict[str, Any] = {
                "difference of two methods": difference(student, better).interval,
                "PGR's difference, same supervisor": pgr_difference(
                    Triple(weak, student, ceiling), Triple(weak, better, ceiling)
                ).interval,
                "PGR's difference, two supervisors": pgr_difference(
                    Triple(other_weak, other, ceiling), Triple(weak, better, ceiling)
                ).interval,
                **{f"agreement: {key.replace('_', ' ')}": value for key, value in said.items() if "if" not in key},
            }
            for name, value in made.items():
                found.setdefault(name, []).append(value)
        truths = {
            "difference of two methods": 0.05,
            "PGR's difference, same supervisor": 0.25,
            "PGR's difference, two supervisors": 0.5 - 0.4,
        }
        for name, intervals in found.items():
            lines.setdefault(name, []).append(held(intervals, truths.get(name)))
        places = [
            equivalent(table[0], {float(place): scores for place, scores in enumerate(table[1:])})
            for table in experiments((0.74, 0.60, 0.70, 0.78, 0.84), n_seeds, EXPERIMENTS)
        ]
        lines.setdefault("equivalent labels or rung", []).append(
            float(np.mean([place.low <= 1.5 <= place.high for place in places]))
        )
        for name, value in of_metrics(n_seeds).items():
            lines.setdefault(f"metric: {name}", []).append(value)
        print(f"({n_seeds} seeds done)", flush=True)
    for name, values in lines.items():
        print(f"{name:<36}  " + "  ".join(f"{value:>7.3f}" for value in values))


def agreed(scores: NDArray[np.float64]) -> dict[str, Interval]:
    """Of two classes: what is wrong is the other class."""
    truth = np.arange(scores.shape[2]) % 2
    said = np.where(scores > 0, truth, 1 - truth)
    return agreements(said[0], said[1], truth, 2)


def of_metrics(n_seeds: int) -> dict[str, float]:
    """Three classes of unequal shares, a model surer than it should be, 500 test rows."""
    random = np.random.default_rng(n_seeds)
    found: dict[str, list[Interval]] = {name: [] for name in names("metrics")}
    for _ in range(EXPERIMENTS):
        truth = random.choice(3, 500, p=(0.2, 0.3, 0.5))
        ids = np.arange(500).astype(np.str_)
        shared = random.normal(0, 0.8, (500, 3))
        tables = []
        for _ in range(n_seeds):
            logits = (1.3 + random.normal(0, 0.1)) * np.eye(3)[truth] + shared + random.normal(0, 0.6, (500, 3))
            values = np.exp(1.8 * logits)
            values /= values.sum(axis=1, keepdims=True)
            tables.append((Answers(ids, values), HeldOut(ids, (), truth, ids, ("0", "1", "2"))))
        for name in found:
            metric = metric_named(name)
            scores = np.stack([metric.contributions(*table) for table in tables])[None]
            found[name].append(contrast(scores, [1.0], limits=metric.limits))
    return {name: held(intervals) for name, intervals in found.items()}


if __name__ == "__main__":
    type_one()
    coverage()
