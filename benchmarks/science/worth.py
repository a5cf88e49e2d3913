"""How often the interval of what cheap labels are worth in careful ones holds the truth, on the demo's sentences.

    python benchmarks/science/worth.py            # about twenty minutes

One student learns from 800 cheap labels (the truth, flipped at random). The other sentences are the world: its accuracy
there, and that of students taught by n careful labels from there, each n with its best l2, say what the cheap labels are
worth. Then 300 careful labels are drawn from the world again and again, and each time
`outgrow teach`'s procedure gives its interval: its first ten repeats choose a size's l2 (and all forty, to compare).
"""

from __future__ import annotations

import math
import sys

import numpy as np

from outgrow.core.examples import Floats, Ints
from outgrow.methods.losses import Confidence, Naive
from outgrow.models.contract import TUNED
from outgrow.models.heads.solver import TOGETHER, Head, Problem, Solver, predict, solve
from outgrow.results.statistics.worth import best_by_others, chosen_by_others, of_parts, sizes, worth
from outgrow.tasks.sentiment import sentiment
from outgrow.teaching.options import learner, student_spec
from outgrow.teaching.steps import folds
from outgrow.teaching.students import no_progress
from outgrow.teaching.teach import CHOOSING

TRIALS, CAREFUL, CHEAP = 60, 300, 800
L2 = 0.03


def learned(features: Floats, problems: list[Problem]) -> list[Head]:
    """A head each, many in one pass."""
    heads: list[Head] = []
    for start in range(0, len(problems), TOGETHER):
        heads += solve(features, problems[start : start + TOGETHER], Solver())
    return heads


def right(features: Floats, head: Head, truth: Ints, rows: Ints) -> Floats:
    """1 where a head is right, `[rows]`."""
    found: Floats = np.asarray(predict(features[rows], head, Solver()).argmax(axis=1) == truth[rows], dtype=np.float64)
    return found


def scores(
    features: Floats, truth: Ints, rows: Ints, count: list[int], repeats: int, seed: int
) -> tuple[dict[int, Floats], dict[int, Floats]]:
    """Tables `[repeats, rows]` of who is right, of students taught by careful labels alone; NaN where learned.

    Each size has the l2 that is best on the other folds' rows, in the first repeats as in `outgrow teach`, and in all.
    """
    parts = folds(rows.astype(np.str_), seed)
    of_l2 = [_scores(features, truth, rows, count, repeats, seed, l2) for l2 in (L2, *(l2 for l2 in TUNED if l2 != L2))]
    few, all_of = {}, {}
    for size in count:
        tables = [of[size] for of in of_l2]
        best = chosen_by_others([table[:CHOOSING] for table in tables], parts)
        few[size] = of_parts([tables[number] for number in best], parts)
        all_of[size] = best_by_others(tables, parts)
    return few, all_of


def _scores(
    features: Floats, truth: Ints, rows: Ints, count: list[int], repeats: int, seed: int, l2: float
) -> dict[int, Floats]:
    orders = [np.random.default_rng([seed, repeat]).permutation(len(rows)) for repeat in range(repeats)]
    targets = np.eye(2, dtype=np.float32)[truth]
    taught = [(size, repeat) for size in count for repeat in range(repeats)]
    problems = []
    for size, repeat in taught:
        lesson = rows[orders[repeat][:size]]
        problems.append(Problem(lesson, targets[lesson], None, Naive(), l2, 0))
    tables = {size: np.full((repeats, len(rows)), np.nan) for size in count}
    for (size, repeat), head in zip(taught, learned(features, problems), strict=True):
        rest = orders[repeat][size:]
        tables[size][repeat, rest] = right(features, head, truth, rows[rest])
    return tables


def main(student: str = "wordllama") -> None:
    """Print one line a rate of flipped labels: the truth, and how often the intervals held it."""
    task = sentiment()
    labels = dict(zip(task.inputs, task.labels, strict=True))
    texts, truth = list(labels), np.array(list(labels.values()), dtype=np.int64)
    found = learner(student_spec(student))
    features = found.spec.options.features(texts, found.location, "cpu", no_progress).values
    order = np.random.default_rng(0).permutation(len(texts))
    taught, world = order[:CHEAP], order[CHEAP:]
    count = sizes(CAREFUL)
    fine = sorted({*count, 35, 70, 140, 170})
    whole, _ = scores(features, truth, world, fine, 100, 1)
    curve = [float(np.nanmean(whole[size])) for size in fine]
    draws = [np.random.default_rng([3, trial]).permutation(len(world))[:CAREFUL] for trial in range(TRIALS)]
    curves = [scores(features, truth, world[drawn], count, 40, 1000 + trial) for trial, drawn in enumerate(draws)]
    for flipped in (0.3, 0.35, 0.4):
        cheap = np.where(np.random.default_rng(2).random(CHEAP) < flipped, 1 - truth[taught], truth[taught])
        (one,) = learned(features, [Problem(taught, np.eye(2, dtype=np.float32)[cheap], None, Confidence(), L2, 0)])
        student_right = right(features, one, truth, world)
        real = float(np.exp(np.interp(student_right.mean(), curve, np.log(fine), left=-math.inf, right=math.inf)))
        for what, number in (("the first ten choose", 0), ("all choose", 1)):
            found_by = [worth(student_right[drawn], of[number]) for drawn, of in zip(draws, curves, strict=True)]
            low = np.array([interval.low for interval in found_by])
            high = np.array([interval.high for interval in found_by])
            above, below = int((low > max(real, 0.0)).sum()), int((high < real).sum())
            print(
                f"flipped {flipped:.2f}, {what}: accuracy {student_right.mean():.3f}, worth {real:.0f}; held "
                f"{TRIALS - above - below} of {TRIALS} (too low {below}, too high {above}), median ratio of the ends "
                f"{np.median(high / np.maximum(low, 25.0)):.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
