"""How often the intervals that `teach` prints hold the truth: of the student that is kept, and of its gain over its labels.

    python benchmarks/science/choose.py --json benchmarks/science/choose.json

What a student's choice costs its interval is the question: of its method and l2 (`--choose`), of how much careful labels
count (the usual thing with a --method), of both, or of nothing (the default, which corrects). A world is a data set with
cheap labels; each draw has other rows, mistakes and careful labels, and some 4,000 texts or more that nobody was shown
say what is true. These are a sample too: where intervals are compared with them, each is wider by their own chance.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from teach import World, world_of, write
from teach_data import Draw, cheap_labels, data_set

from outgrow.core.examples import Ints
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.store import Store
from outgrow.results.metrics.intervals import Interval
from outgrow.teaching.dataset import Dataset
from outgrow.teaching.label_form import Form
from outgrow.teaching.options import learning
from outgrow.teaching.reading import Reading
from outgrow.teaching.steps import dataset_step
from outgrow.teaching.students import no_progress, trained
from outgrow.teaching.teach import Laboratory, teach, usual

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


def dealt(of: World, careful: int, cheap: int, seed: int) -> Draw:
    """The rows in a random order, dealt; the weak model learns 300 that nobody is scored by."""
    order = np.random.default_rng([4, seed]).permutation(len(of.words))
    first, second, third, unseen = np.split(order, np.cumsum([cheap, careful, 300]))
    return Draw(first, second, unseen, third)


def one(of: World, rows: Draw, labels: Ints, folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a `teach` says, and what is true."""
    truth, words = of.data.truth, of.words
    file = write(folder / "labels.csv", [(words[row], labels[row]) for row in [*rows.cheap, *rows.careful]])
    gold = write(folder / "gold.csv", [(words[row], truth[row]) for row in rows.careful])
    sources: dict[str, Any] = {}
    pool = dataset_step(file, Reading.of("text"), Form.of(["label"]), gold, "label", sources)
    method, choose, mix = asked.get("method"), asked.get("choose", False), asked.get("mix")
    found, choices = learning(of.name, method, careful=True, choose=choose, mix=mix)
    laboratory = Laboratory(Store(folder / "store"), Machine(device="cpu"), {**sources, **found.sources}, Silent())
    if method is None and not choose:
        choices = usual(found, choices, Dataset.load(*laboratory.made([pool])), careful=True)
    taught = teach(pool, found, choices, laboratory, worth=False)
    step = laboratory.trained(taught.student)
    student = trained(found.spec, found.location, step.params, laboratory.opened(step))
    answers = student.reader("cpu")([words[row] for row in rows.unseen], no_progress).argmax(axis=1)
    right = (answers == truth[rows.unseen]).astype(np.float64)
    of_labels = (labels[rows.unseen] == truth[rows.unseen]).astype(np.float64)
    return {
        "accuracy": judged(taught.report.student_accuracy, right),
        "gain": judged(taught.report.gain, right - of_labels),
    }


def judged(said: Interval | None, unseen: Any) -> list[float]:
    """What is said, with its ends, what is true, and the standard error of that."""
    assert said is not None
    error = float(unseen.std(ddof=1) / np.sqrt(len(unseen)))
    return [round(float(value or 0), 4) for value in (said.estimate, said.low, said.high, unseen.mean(), error)]


def main(draws: int) -> list[dict[str, Any]]:
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
                made = one(of, rows, labels, Path(folder), asked)
            found.append({"set": name, "noise": kind, "careful": careful, "chosen": setting, "draw": draw, **made})
            print(json.dumps(found[-1]), flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    cells = main(given.draws)
    if given.json:
        given.json.write_text("[\n" + ",\n".join(json.dumps(cell) for cell in cells) + "\n]\n", encoding="utf-8")
