"""How often every interval that outgrow prints holds the truth, and how often comparisons are wrong, or see a difference.

    python benchmarks/science/comparisons.py --json benchmarks/science/comparisons.json     # forty minutes

Both models of simulated.py, whose truth is known. docs/audit.md and docs/reference/statistics.md print what comes out.
With one seed nothing is known of others, so there the seeds have no effect of their own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simulated import Model, experiments, probabilities

from outgrow.core.answers import Answers
from outgrow.core.registry import names
from outgrow.results.metrics.agreement import agreements, squared_misfit
from outgrow.results.metrics.controls import beyond_chance
from outgrow.results.metrics.scores import metric_named
from outgrow.results.predictions import HeldOut
from outgrow.results.statistics.comparison import Triple, difference, pgr_difference
from outgrow.results.statistics.equivalence import equivalent
from outgrow.results.statistics.intervals import Interval, accuracy, contrast

MODELS: tuple[Model, ...] = ("probit", "heavy")
SEEDS = (1, 3, 5, 10)
ROWS = (200, 1000)
EXPERIMENTS = 400
MANY = 2000  # experiments of five and ten seeds, which the promise is about
WEAK, STUDENT, BETTER, OTHER_WEAK, OTHER, CEILING = 0.65, 0.70, 0.75, 0.60, 0.70, 0.85
NEAR_ONE = (0.90, 0.95, 0.98)

Row = dict[str, Any]
Made = Mapping[str, tuple[Interval, float | None]]  # what: its interval, and the truth where it is known


def count(n_seeds: int) -> int:
    """How many experiments of so large a study are made."""
    return MANY if n_seeds >= 5 else EXPERIMENTS


def effect(n_seeds: int) -> float:
    """The standard deviation of an accuracy over seeds."""
    return 0.015 if n_seeds > 1 else 0.0


def of_cells(model: Model, n_seeds: int, n: int) -> Iterator[Made]:
    """What stands in a cell, in its comparisons and under --agreement, an experiment at a time."""
    accuracies = (WEAK, STUDENT, BETTER, OTHER_WEAK, OTHER, CEILING)
    for table in experiments(model, accuracies, n_seeds, n, count(n_seeds), effect=effect(n_seeds)):
        weak, student, better, other_weak, other, ceiling = table
        naive, second = Triple(weak, student, ceiling), Triple(weak, better, ceiling)
        truth = np.arange(n) % 2
        said = np.where(table > 0, truth, 1 - truth)
        agreed = agreements(said[0], said[1], truth, 2, ceiling=said[5])
        yield {
            "accuracy, .70": (accuracy(student), STUDENT),
            "gain (student - weak)": (difference(weak, student).interval, STUDENT - WEAK),
            "PGR": (naive.pgr(), (STUDENT - WEAK) / (CEILING - WEAK)),
            "difference of two methods": (difference(student, better).interval, BETTER - STUDENT),
            "difference of two PGRs, same supervisor": (pgr_difference(naive, second).interval, 0.25),
            "difference of two PGRs, two supervisors": (
                pgr_difference(Triple(other_weak, other, ceiling), second).interval,
                0.5 - 0.4,
            ),
            **{f"agreement: {key.replace('_', ' ')}": (value, None) for key, value in agreed.items() if key != "gain"},
        }


def near_one(model: Model, n_seeds: int, n: int) -> Iterator[Made]:
    """Accuracies near 1, and two equal ones' difference there."""
    for table in experiments(model, NEAR_ONE, n_seeds, n, count(n_seeds), effect=effect(n_seeds) / 3):
        yield {
            f"accuracy, {true:.2f}".replace("0.", "."): (accuracy(scores), true)
            for true, scores in zip(NEAR_ONE, table, strict=True)
        }


def of_places(model: Model, n_seeds: int, n: int) -> Iterator[Made]:
    """Equivalent labels and rungs: a student half way between two points of the curve."""
    curve = (0.60, 0.70, 0.78, 0.84)
    for table in experiments(model, (0.74, *curve), n_seeds, n, count(n_seeds), effect=effect(n_seeds)):
        found = equivalent(table[0], {float(place): scores for place, scores in enumerate(table[1:])})
        yield {"equivalent labels or rung": (Interval(found.estimate, found.low, found.high), 1.5)}


def of_metrics(model: Model, n_seeds: int, n: int) -> Iterator[Made]:
    """Every metric of a classifier of two classes, 30% of the second; AUROC of a good one; supervisor and student in squares.

    The student is another such classifier, less sure of itself.
    """
    ids = np.arange(n).astype(np.str_)
    spread = 0.05 if n_seeds > 1 else 0.0
    tables = (
        probabilities(model, 2 * n_seeds, n, count(n_seeds), skill=skill, effect=spread, positives=0.3, seed=seed)
        for skill, seed in ((1.5, 0), (2.7, 1))
    )
    for (both, truth), (good, its_truth) in zip(*tables, strict=True):
        plain, other = both[:n_seeds], both[n_seeds:]
        made: dict[str, tuple[Interval, float | None]] = {}
        for values, true, chosen, note in (
            (plain, truth, [*names("metrics")], ""),
            (good[:n_seeds], its_truth, ["auroc"], ", near 1"),
        ):
            held_out = HeldOut(ids, (), true, ids, ("0", "1"))
            for name in chosen:
                metric = metric_named(name)
                scores = np.stack([metric.contributions(Answers(ids, one), held_out) for one in values])[None]
                made[f"metric: {metric.title}{note}"] = contrast(scores, [1.0], limits=metric.limits), None
        softer = np.sqrt(other) / np.sqrt(other).sum(axis=2, keepdims=True)
        squares = squared_misfit(plain, softer, truth)
        yield made | {f"agreement: {key.replace('_', ' ')}": (value, None) for key, value in squares.items()}


def of_chance(model: Model, n_seeds: int, n: int) -> Iterator[Made]:
    """Accuracy less chance where what is said has nothing to do with the truth: the shuffled control, at its 99%."""
    random = np.random.default_rng([n_seeds, n])
    for table in experiments(model, (0.7,), n_seeds, n, count(n_seeds), effect=effect(n_seeds)):
        truth = (random.random(n) < 0.4).astype(np.int64)
        yield {"shuffled control (99%)": (beyond_chance(table[0].astype(np.int64), truth, 2), 0.0)}


def coverage() -> list[Row]:
    """A row a kind of interval, model, number of seeds and of test rows: how many of the defined ones hold the truth."""
    rows: list[Row] = []
    for model in MODELS:
        for n in ROWS:
            for n_seeds in SEEDS:
                for kind in (of_cells, near_one, of_places, of_metrics, of_chance):
                    found: dict[str, list[tuple[Interval, float | None]]] = {}
                    for made in kind(model, n_seeds, n):
                        for what, pair in made.items():
                            found.setdefault(what, []).append(pair)
                    rows += [
                        {"what": what, "model": model, "rows": n, "seeds": n_seeds, **share(pairs)}
                        for what, pairs in found.items()
                    ]
                print(f"{model}, {n} rows, {n_seeds} seeds", flush=True)
                for row in rows[-40:]:
                    if (row["model"], row["rows"], row["seeds"]) == (model, n, n_seeds):
                        print(f"  {row['what']:<45} {row['held']:.3f}", flush=True)
    return rows


def share(pairs: Sequence[tuple[Interval, float | None]]) -> Row:
    """How many defined intervals hold the truth, by default the mean estimate; how many are undefined or marked small."""
    defined = [(i, true) for i, true in pairs if i.estimate is not None and i.low is not None and i.high is not None]
    mean = float(np.mean([i.estimate for i, _ in defined]))
    held = [i.low <= (mean if true is None else true) <= i.high for i, true in defined]  # type: ignore[operator]
    return {
        "held": float(np.mean(held)),
        "undefined": 1 - len(defined) / len(pairs),
        "small": float(np.mean([i.small for i, _ in defined])),
    }


def below(tables: Iterator[NDArray[np.float64]]) -> float:
    """How often two models' paired difference has p < .05."""
    found = [difference(*table).p for table in tables]
    return float(np.mean([p is not None and p < 0.05 for p in found]))


def type_one() -> list[Row]:
    """How often p < .05 comes out where two methods are equally good: 5 seeds, accuracy .80."""
    rows: list[Row] = []
    for model in MODELS:
        for n in (300, 1000, 3000):
            for of_seeds in (0.005, 0.015, 0.03):
                for taste in (0.1, 0.25):
                    tables = experiments(model, (0.8, 0.8), 5, n, 2000, effect=of_seeds, taste=taste)
                    row = {"model": model, "rows": n, "effect": of_seeds, "taste": taste, "share": below(tables)}
                    rows.append(row)
                    print(row, flush=True)
    return rows


def power() -> list[Row]:
    """How often p < .05 comes out where one method is better: accuracies .80, and .80 and 1, 2 or 4 points."""
    rows: list[Row] = []
    for model in MODELS:
        for points in (1, 2, 4):
            for n in ROWS:
                for n_seeds in (3, 5, 10):
                    tables = experiments(model, (0.8, 0.8 + points / 100), n_seeds, n, EXPERIMENTS)
                    rows.append({"model": model, "points": points, "rows": n, "seeds": n_seeds, "share": below(tables)})
                    print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure, print, and write where --json says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=Path, help="write the tables here")
    to = parser.parse_args().json
    found = {
        "experiments": {"usual": EXPERIMENTS, "five or ten seeds": MANY},
        "power": power(),
        "coverage": coverage(),
        "type_one": type_one(),
    }
    if to:
        to.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
