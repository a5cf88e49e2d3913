"""How often the intervals that `teach` prints hold the truth where it chooses among students by the careful labels.

    python benchmarks/science/choose.py --json benchmarks/science/choose.json     # an hour

First by simulation, of the choice alone: candidates whose true accuracies are known. Then with everything, on real texts:
nothing chosen (the default, which corrects), the method and l2 (`--choose`), how much careful labels count (the usual
thing with a --method), or all of these. Each draw of a data set has other rows, mistakes and careful labels, and 4,000
texts or more that nobody was shown say what is true. These are a sample too: where intervals are compared with them, each
is wider by their own chance.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from simulated import Model
from simulated import experiments as simulations
from teach_data import Draw, cheap_labels, data_set
from teach_worlds import World, labelled, right, taught, world_of

from outgrow.core.examples import Ints
from outgrow.results.statistics.chosen import accuracy_of_choice, best_of, over_deals, scores_of_choice
from outgrow.results.statistics.intervals import Interval, accuracy
from outgrow.teaching.steps import FOLDS

MODELS: tuple[Model, ...] = ("probit", "heavy")
LABELS, TASTE = 0.70, 0.05
ONCE, BY_ITSELF = "accuracy, of one deal into ten parts", "accuracy, of the choice by itself"
SPREADS: Mapping[str, Callable[[int], list[float]]] = {
    "all alike": lambda candidates: [0.70] * candidates,
    "from .66 to .74": lambda candidates: np.linspace(0.66, 0.74, candidates).round(4).tolist(),
    "one best": lambda candidates: [*[0.66] * (candidates - 1), 0.74],
}
CANDIDATES = (2, 10, 40)

READ = "wordllama"
WORLDS = (("sst2", "class"), ("sst2", "features"), ("tweets", "weak model"), ("tweets", "length"), ("ag_news", "class"))
ROWS = 20_000  # of a data set at most
CHEAP, FEW = 1000, 100  # cheap labels; few of them beside the careful ones
SIZES = (50, 200)
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "nothing (the default)": {},
    "method and l2 (`--choose --no-mix`)": {"choose": True, "mix": False},
    "method, l2 and weight (`--choose`)": {"choose": True},
    "weight (`--method naive`)": {"method": "naive"},
    "weight (`--mix`), few cheap labels": {"mix": True, "method": "naive", "cheap": FEW},
}


def simulated(experiments_of: int) -> list[dict[str, Any]]:
    """How often the interval of a choice's accuracy, and of its gain, holds what is true of the choice that is kept.

    Candidates are models of a simulated world, with the accuracies that a list of strengths might have: all alike, from .66
    to .74, or one of .74 above others of .66. Labels are right on .70.
    """
    rows = []
    for model, n, (how, accuracies_of), candidates in product(MODELS, SIZES, SPREADS.items(), CANDIDATES):
        accuracies = accuracies_of(candidates)
        held = {"accuracy": 0, "gain": 0, ONCE: 0, BY_ITSELF: 0}
        tables = simulations(model, [*accuracies, LABELS], 1, n, experiments_of, effect=0.0, taste=TASTE)
        for number, table in enumerate(tables):
            right, labels = table[:-1, 0], table[-1, 0]
            errors = 1 - right[:, None]  # right or wrong is all that a simulated model says
            scores = scores_of_choice(right, errors, np.arange(n).astype(np.str_), number)
            pairs = np.stack([scores, np.broadcast_to(labels, scores.shape)], axis=1)
            parts = np.array_split(np.random.default_rng([5, number]).permutation(n), FOLDS)
            once = np.empty(n)
            for part in parts:
                once[part] = right[best_of(np.delete(errors, part, axis=2)), part]
            kept = best_of(errors)
            for what, found, true in (
                ("accuracy", accuracy_of_choice(scores), accuracies[kept]),
                ("gain", over_deals(pairs, [1, -1]), accuracies[kept] - LABELS),
                (ONCE, accuracy(once[None]), accuracies[kept]),
                (BY_ITSELF, accuracy(right[kept][None]), accuracies[kept]),
            ):
                held[what] += (found.low or 0.0) <= true <= (found.high or 0.0)
        cell = {"model": model, "careful": n, "candidates": candidates, "accuracies": how}
        rows.append({**cell, **{what: times / experiments_of for what, times in held.items()}})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def dealt(of: World, careful: int, cheap: int, seed: int) -> Draw:
    """The rows in a random order, dealt; the weak model learns 300 that nobody is scored by."""
    order = np.random.default_rng([4, seed]).permutation(len(of.words))
    first, second, third, unseen = np.split(order, np.cumsum([cheap, careful, 300]))
    return Draw(first, second, unseen, third)


def one(of: World, rows: Draw, labels: Ints, folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a `teach` says, and what is true."""
    truth = of.data.truth
    file = labelled(of, folder / "labels.csv", np.concatenate([rows.cheap, rows.careful]), labels)
    made = taught(of, file, labelled(of, folder / "gold.csv", rows.careful, truth), **asked)
    right_on = right(of, folder, rows.unseen)
    of_labels = (labels[rows.unseen] == truth[rows.unseen]).astype(np.float64)
    return {
        "accuracy": judged(made.student_accuracy, right_on),
        "gain": judged(made.gain, right_on - of_labels),
    }


def judged(said: Interval | None, unseen: Any) -> list[float]:
    """What is said, with its ends, what is true, and the standard error of that."""
    assert said is not None
    error = float(unseen.std(ddof=1) / np.sqrt(len(unseen)))
    return [round(float(value or 0), 4) for value in (said.estimate, said.low, said.high, unseen.mean(), error)]


def measured(draws: int) -> list[dict[str, Any]]:
    """A row for each draw, world, number of careful labels and setting."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        worlds = {
            name: world_of(data_set(name, (READ,), ROWS), Path(place) / name, READ) for name in sorted({*dict(WORLDS)})
        }
        settings = enumerate(product(range(draws), WORLDS, SIZES, SETTINGS.items()))
        for number, (draw, (name, kind), careful, (setting, asked)) in settings:
            of = worlds[name]
            rows = dealt(of, careful, asked.get("cheap", CHEAP), number)
            labels = cheap_labels(of.data, rows, kind, number)
            with tempfile.TemporaryDirectory(dir=place) as folder:
                made = one(of, rows, labels, Path(folder), {k: v for k, v in asked.items() if k != "cheap"})
            found.append({"set": name, "noise": kind, "careful": careful, "chosen": setting, "draw": draw, **made})
            print(json.dumps(found[-1]), flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--experiments", type=int, default=2000, help="simulated ones for each number")
    parser.add_argument("--draws", type=int, default=3, help="of each data set with real texts")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = {
        "experiments": given.experiments,
        "simulated": simulated(given.experiments),
        "taught": measured(given.draws),
    }
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
