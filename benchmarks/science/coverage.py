"""How often a 95% interval of PGR holds the truth, crossed and over seeds alone: tables of docs/reference/statistics.md.

    python benchmarks/science/coverage.py --json benchmarks/science/coverage.json     # about four minutes

Two models of a truth that is known. Probit: a model answers example i right where
    gap + seed effect + difficulty(i) + taste(model, i) + chance(model, seed, i) > 0.
Difficulty is shared by weak, student and ceiling; taste is what one model finds hard whatever its seed; chance is the
rest. The three are normal and their variances sum to one, so the expected accuracy over seeds and examples is
Phi(gap / sqrt(1 + seed variance)), and gap is chosen to make it what a setting says. Heavy: as simulated.py has it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from outgrow.results.statistics.intervals import Interval, ratio
from outgrow.results.statistics.recovery import recovery

SETTINGS = ((0.60, 0.70, 0.80), (0.70, 0.80, 0.90), (0.75, 0.78, 0.90), (0.85, 0.90, 0.93))  # weak, student, ceiling
SEEDS = (3, 5, 10)
EXPERIMENTS = 400
EXAMPLES = 1000
RESAMPLES = 1000
SEED_EFFECTS = (0.015, 0.02, 0.01)  # standard deviation of each model's accuracy over seeds
DIFFICULTY, TASTE = 0.5, 0.25  # shares of the variance; chance has the rest

Scores = NDArray[np.float32]  # [3, seeds, examples]
Ends = tuple[float, float] | None  # None: undefined
Row = dict[str, Any]


def experiments(
    accuracies: tuple[float, float, float],
    n_seeds: int,
    seed: int,
    count: int = EXPERIMENTS,
    n_examples: int = EXAMPLES,
    group_sizes: NDArray[np.int64] | None = None,
    difficulty: float = DIFFICULTY,
    taste: float = TASTE,
) -> Iterator[Scores]:
    """Scores of weak, student and ceiling in `count` simulated experiments.

    With `group_sizes` (they sum to n_examples) examples come in groups, in that order, that share difficulty and taste.
    """
    random = np.random.default_rng([seed, n_seeds, *(round(1000 * value) for value in accuracies)])
    target = ndtri(np.array(accuracies))
    slope = np.exp(-(target**2) / 2) / np.sqrt(2 * np.pi)
    spread = np.array(SEED_EFFECTS) / slope
    gap = target * np.sqrt(1 + spread**2)
    sizes = np.ones(n_examples, dtype=np.int64) if group_sizes is None else group_sizes
    groups = np.repeat(np.arange(len(sizes)), sizes)
    for _ in range(count):
        effect = spread[:, None] * random.standard_normal((3, n_seeds))
        easy = np.sqrt(difficulty) * random.standard_normal(len(sizes), dtype=np.float32)
        own = np.sqrt(taste) * random.standard_normal((3, len(sizes)), dtype=np.float32)
        score = random.standard_normal((3, n_seeds, n_examples), dtype=np.float32)
        score *= np.float32(np.sqrt(1 - difficulty - taste))
        score += ((easy + own)[:, groups])[:, None, :]
        score += (gap[:, None] + effect)[:, :, None].astype(np.float32)
        yield (score > 0).astype(np.float32)


def crossed_fieller(scores: Scores, random: np.random.Generator) -> Ends:
    return ends(recovery(*scores)["pgr"])


def seeds_only(scores: Scores, random: np.random.Generator) -> Ends:
    """Fieller with the variance over seeds alone, Student's t with S - 1: what a bar over seeds shows."""
    return ends(ratio(scores.mean(axis=2), [-1, 1, 0], [-1, 0, 1]))


def crossed_bootstrap(scores: Scores, random: np.random.Generator) -> Ends:
    """Seeds and examples redrawn independently, percentiles of the ratio of means; draws without a gap are left out."""
    _, n_seeds, n_examples = scores.shape
    seeds = random.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), RESAMPLES).astype(np.float32) / n_seeds
    rows = (
        random.multinomial(n_examples, np.full(n_examples, 1 / n_examples), RESAMPLES).astype(np.float32) / n_examples
    )
    weak, student, ceiling = ((scores @ rows.T) * seeds.T).sum(axis=1)
    above = ceiling > weak
    if np.mean(above) < 0.975:
        return None
    low, high = np.quantile((student - weak)[above] / (ceiling - weak)[above], [0.025, 0.975])
    return float(low), float(high)


def ends(interval: Interval) -> Ends:
    return None if interval.low is None or interval.high is None else (interval.low, interval.high)


@dataclass(frozen=True)
class Coverage:
    """The share of intervals that hold the truth and their mean width, among those defined; the share undefined."""

    held: float
    width: float
    undefined: float


def coverage(results: Sequence[Ends], truth: float) -> Coverage:
    defined = [result for result in results if result is not None]
    return Coverage(
        float(np.mean([low <= truth <= high for low, high in defined])),
        float(np.mean([high - low for low, high in defined])),
        1 - len(defined) / len(results),
    )


def settings_table() -> list[Row]:
    """Every setting of accuracies and seeds in both models; redrawing seeds and rows in the probit one."""
    from simulated import experiments as heavy  # beside this file

    print(f"{EXPERIMENTS} experiments a cell, {EXAMPLES} test examples; 95% intervals of PGR")
    rows: list[Row] = []
    for model in ("probit", "heavy"):
        for accuracies in SETTINGS:
            weak, student, ceiling = accuracies
            truth = (student - weak) / (ceiling - weak)
            for n_seeds in SEEDS:
                simulated = list(
                    experiments(accuracies, n_seeds, seed=0)
                    if model == "probit"
                    else heavy("heavy", accuracies, n_seeds, EXAMPLES, EXPERIMENTS, effect=SEED_EFFECTS)
                )
                row: Row = {"model": model, "accuracies": accuracies, "seeds": n_seeds}
                ways: dict[str, Callable[..., Ends]] = {
                    "crossed_fieller": crossed_fieller,
                    "crossed_bootstrap": crossed_bootstrap,
                    "seeds_only": seeds_only,
                }
                for name, interval in ways.items():
                    if name != "crossed_bootstrap" or model == "probit":
                        random = np.random.default_rng([0, n_seeds])
                        found = coverage([interval(scores, random) for scores in simulated], truth)
                        row[name] = asdict(found)
                rows.append(said(row))
    return rows


def sources_table() -> list[Row]:
    """What a difficulty that the three models share, or do not, does to PGR's intervals."""
    random = np.random.default_rng(0)
    rows = []
    for difficulty, taste in ((0.25, 0.5), (0.5, 0.25), (0.75, 0.0), (0.5, 0.0), (0.0, 0.0)):
        simulated = list(experiments((0.7, 0.8, 0.9), 10, 0, difficulty=difficulty, taste=taste))
        row: Row = {"difficulty": difficulty, "taste": taste, "chance": round(1 - difficulty - taste, 2)}
        for interval in (crossed_fieller, seeds_only):
            row[interval.__name__] = coverage([interval(x, random) for x in simulated], 0.5).held
        rows.append(said(row))
    return rows


def groups_table() -> list[Row]:
    """Rows in groups that share difficulty and taste; equal sizes, and sizes as unequal as a lognormal's (sigma 1)."""
    rows = []
    for n_groups, sigma in ((250, 0), (50, 0), (50, 1), (20, 0), (20, 1)):
        sizes = np.random.default_rng(0).lognormal(0, sigma, n_groups)
        sizes = np.maximum(1, np.round(sizes / sizes.sum() * EXAMPLES)).astype(np.int64)
        groups = np.repeat(np.arange(n_groups), sizes)
        simulated = list(experiments((0.7, 0.8, 0.9), 5, 0, n_examples=len(groups), group_sizes=sizes))
        row: Row = {"groups": n_groups, "largest": int(sizes.max())}
        for by, names in (("by group", groups), ("by row", None)):
            found = [recovery(scores[0], scores[1], scores[2], names) for scores in simulated]
            truth = {"weak_accuracy": 0.7, "student_accuracy": 0.8, "ceiling_accuracy": 0.9, "pgr": 0.5}
            shares = {key: coverage([ends(x[key]) for x in found], value).held for key, value in truth.items()}
            row[f"accuracies {by}"] = min(share for key, share in shares.items() if key != "pgr")
            row[f"pgr {by}"] = shares["pgr"]
        rows.append(said(row))
    return rows


def said(row: Row) -> Row:
    """The row, printed as soon as it is known."""
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    """Measure, print, and write where --json says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=Path, help="write the tables here")
    to = parser.parse_args().json
    found = {
        "experiments": EXPERIMENTS,
        "examples": EXAMPLES,
        "settings": settings_table(),
        "sources": sources_table(),
        "groups": groups_table(),
    }
    if to:
        to.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
