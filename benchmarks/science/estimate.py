"""How often the intervals of `outgrow estimate` hold the truth, and how much shorter they are than by careful labels alone.

    python benchmarks/science/estimate.py --json benchmarks/science/estimate.json

The cheap labels of two data sets of `teach.py`; 50 or 200 of their rows have a careful label, drawn at random again and again.
The class shares of all rows and how many cheap labels are right are known.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import product as product_of
from pathlib import Path
from typing import Any

import numpy as np
from estimate_table import table
from teach_data import cheap_labels, drawn
from teach_worlds import labelled, world

from outgrow.execution.machine import Machine
from outgrow.execution.store import Store
from outgrow.questions.estimate import estimate_files
from outgrow.questions.material import Place

WORLDS = (("sst2", "class"), ("tweets", "weak model"))
SIZES = (50, 200)


def main(draws: int) -> list[dict[str, Any]]:
    """A row a data set, number of careful labels, draw and quantity: the truth and both intervals."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in WORLDS:
            of = world(name, Path(folder) / name)
            rows = np.concatenate([(dealt := drawn(of.data, 0)).cheap, dealt.careful])
            labels, truth = cheap_labels(of.data, dealt, kind, 0), of.data.truth
            file = labelled(of, Path(folder) / f"{name}.csv", rows, labels)
            place = Place(Store(Path(folder) / "store"), Machine(device="cpu"))
            known = {f"c{number}": float((truth[rows] == number).mean()) for number in range(of.data.classes)}
            known["labels"] = float((truth[rows] == labels[rows]).mean())
            for size, draw in product_of(SIZES, range(draws)):
                careful = np.random.default_rng([3, size, draw]).permutation(rows)[:size]
                gold = labelled(of, Path(folder) / "gold.csv", careful, truth)
                made = estimate_files(file, text="text", columns=["label"], truth=gold, student=of.name, place=place)
                for one in made.found:
                    what = one.of_class or one.quantity
                    if what in known and one.alone is not None:
                        ends = [
                            round(float(value), 4) for value in (one.low, one.high, *one.alone[1:]) if value is not None
                        ]
                        cell = {"set": name, "noise": kind, "careful": size, "draw": draw, "what": what}
                        found.append(
                            {**cell, "truth": round(known[what], 4), "ends": ends, "worth": round(one.worth or 0, 1)}
                        )
            print(name, flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    cells = main(asked.draws)
    if asked.json:
        asked.json.write_text("[\n" + ",\n".join(json.dumps(cell) for cell in cells) + "\n]\n", encoding="utf-8")
    print(table(cells))
