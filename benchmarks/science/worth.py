"""How often the interval of 'worth so many careful labels' holds the truth, on the demo's sentences.

    python benchmarks/science/worth.py            # about five minutes

One student learns from 800 cheap labels (the truth, flipped at random). The other sentences are the world: its accuracy
there, and that of students taught by n careful labels from there, say what the cheap labels are worth. Then 300 careful
labels are drawn from the world again and again, and each time `outgrow teach`'s procedure gives its interval.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from outgrow.core.examples import Floats, Ints
from outgrow.methods.losses import Confidence, Naive
from outgrow.results.metrics.worth import sizes, worth
from outgrow.tasks.sentiment import sentiment
from outgrow.teaching.options import learner, student_spec
from outgrow.teaching.students import Bench, Lesson

TRIALS, CAREFUL, CHEAP = 100, 300, 800


def scores(bench: Bench, truth: Ints, rows: Ints, count: list[int], repeats: int, seed: int) -> dict[int, Floats]:
    """Tables `[repeats, rows]` of who is right, of students taught by careful labels alone; NaN where learned."""
    orders = [np.random.default_rng([seed, repeat]).permutation(len(rows)) for repeat in range(repeats)]
    lessons = [
        Lesson(rows[order[:size]], np.eye(2, dtype=np.float32)[truth[rows[order[:size]]]], Naive(), None, 0)
        for size in count
        for order in orders
    ]
    students = iter(bench.learn(lessons))
    tables = {size: np.full((repeats, len(rows)), np.nan) for size in count}
    for size in count:
        for repeat, order in enumerate(orders):
            rest = order[size:]
            tables[size][repeat, rest] = bench.ask(next(students), rows[rest]).argmax(axis=1) == truth[rows[rest]]
    return tables


def main(student: str = "wordllama") -> None:
    """Print one line a rate of flipped labels: the truth, and how often the intervals held it."""
    task = sentiment()
    labels = dict(zip(task.inputs, task.labels, strict=True))
    texts, truth = list(labels), np.array(list(labels.values()), dtype=np.int64)
    bench = learner(student_spec(student)).read(texts, "cpu")
    order = np.random.default_rng(0).permutation(len(texts))
    taught, world = order[:CHEAP], order[CHEAP:]
    count = sizes(CAREFUL)
    fine = sorted({*count, 35, 70, 140, 170})
    whole = scores(bench, truth, world, fine, 400, 1)
    curve = [float(np.nanmean(whole[size])) for size in fine]
    for flipped in (0.3, 0.35, 0.4):
        cheap = np.where(np.random.default_rng(2).random(CHEAP) < flipped, 1 - truth[taught], truth[taught])
        lesson = Lesson(taught, np.eye(2, dtype=np.float32)[cheap], Confidence(), None, 0)
        (one,) = bench.learn([lesson])
        right: Floats = (bench.ask(one, world).argmax(axis=1) == truth[world]).astype(np.float64)
        real = float(np.exp(np.interp(right.mean(), curve, np.log(fine), left=-math.inf, right=math.inf)))
        held, below, above, widths = 0, 0, 0, []
        for trial in range(TRIALS):
            drawn = np.random.default_rng([3, trial]).permutation(len(world))[:CAREFUL]
            found = worth(right[drawn], scores(bench, truth, world[drawn], count, 40, 1000 + trial))
            held += found.low <= max(real, 0.0) <= found.high
            below += found.high < real
            above += found.low > real
            widths.append(found.high / max(found.low, 25.0) if found.high < math.inf else math.inf)
        print(
            f"flipped {flipped:.2f}: accuracy {right.mean():.3f}, worth {real:.0f}; held {held / TRIALS:.3f} "
            f"(too low {below}, too high {above} of {TRIALS}), median ratio of the ends {np.median(widths):.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
