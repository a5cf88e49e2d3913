"""How often intervals over tasks hold the truth, of the tasks at hand and of those that they are drawn from.

    python benchmarks/science/over_tasks.py --json benchmarks/science/over_tasks.json     # about three minutes

The models are those of simulated.py: 5 seeds, 400 test rows a task. Supervisors have .65, ceilings .85; students have
.72 on average over tasks, normal around it (heavy: Student's t with 3 degrees of freedom) with the standard deviation
`between`, to the nearest quarter of a point.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simulated import Model, draw, experiments

from outgrow.results.statistics.comparison import Triple, average, mean_difference
from outgrow.results.statistics.intervals import Interval

TASKS = (2, 3, 5, 10)
BETWEEN = (0.0, 0.01, 0.03)
EXPERIMENTS = 300
WEAK, STUDENT, CEILING = 0.65, 0.72, 0.85


def moved(model: Model, random: np.random.Generator, between: float, count: int) -> NDArray[np.float64]:
    """True accuracies of students on `count` tasks, between .5 and .94."""
    values = STUDENT + between * draw(model, random, count).astype(np.float64)
    return np.clip(np.round(400 * values) / 400, 0.5, 0.94)


def coverage(model: Model, tasks: int, between: float) -> dict[str, Any]:
    """The shares of intervals that hold what they are about."""
    random = np.random.default_rng([tasks, round(1000 * between), model == "heavy"])
    held: dict[str, list[bool]] = {}
    for number in range(EXPERIMENTS):
        true = moved(model, random, between, tasks + 1)
        tables = [
            next(experiments(model, (WEAK, float(accuracy), CEILING), 5, 400, 1, seed=100 * number + place))
            for place, accuracy in enumerate(true[:-1])
        ]
        found = mean_difference([(table[0], table[1], None) for table in tables])
        pgr = average({str(place): Triple(*table) for place, table in enumerate(tables)})
        gain, gap = STUDENT - WEAK, CEILING - WEAK
        these = float(true[:-1].mean()) - WEAK
        told: dict[str, tuple[Interval | None, float]] = {
            "these tasks: mean gain": (found.given.interval, these),
            "these tasks: PGR, ratio of sums": (pgr.ratio_of_sums, these / gap),
            "tasks as drawn: mean gain": (found.drawn.interval, gain),
            "tasks as drawn: PGR, ratio of sums": (pgr.drawn, gain / gap),
            "the interval of these tasks, of tasks as drawn": (found.given.interval, gain),
        }
        if found.drawn.prediction is not None:
            told["a new task's gain"] = Interval(None, *found.drawn.prediction), float(true[-1]) - WEAK
        for what, (one, value) in told.items():
            if one is not None and one.low is not None and one.high is not None:
                held.setdefault(what, []).append(one.low <= value <= one.high)
    return {
        what: {"held": float(np.mean(hits)), "undefined": 1 - len(hits) / EXPERIMENTS} for what, hits in held.items()
    }


def main() -> None:
    """Measure, print, and write where --json says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=Path, help="write the table here")
    to = parser.parse_args().json
    rows: list[dict[str, Any]] = []
    models: tuple[Model, ...] = ("probit", "heavy")
    for model in models:
        for between in BETWEEN:
            for tasks in TASKS:
                rows.append({"model": model, "between": between, "tasks": tasks, **coverage(model, tasks, between)})
                print(json.dumps(rows[-1]), flush=True)
    if to:
        to.write_text(json.dumps({"experiments": EXPERIMENTS, "coverage": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
