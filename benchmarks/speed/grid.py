"""A grid of 180 cells of heads, the same again, and the plan of 10,000 steps: what outgrow costs beside the computing.

    python benchmarks/speed/grid.py [--seeds 2] [--rows 600] [--json grid.json]

Limits: the grid 1.2 times its features and heads alone, by the seconds that the store noted for these steps; a finished
experiment again 1.5 s from the shell; a plan of 10,000 steps 2 s.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from conditions import conditions, options, report, seconds
from made_texts import sentences, words_of

from outgrow.execution.machine import Machine
from outgrow.execution.step import walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.experiment.spec.schema import Experiment
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.weight_files import folder_of

WEAK = [{"static": "wordllama", "rows": rows} for rows in (20, 30, 50, 70, 100)]
STRONG = [{"probe": "minilm", "layer": layer} for layer in (4, 5, 6)]
METHODS = [{"naive": {"hard": hard}} for hard in (False, True)] + [
    {"confidence": {"alpha": share / 10}} for share in range(1, 11)
]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=600)
    asked = parser.parse_args()
    under = conditions()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = measured(folder, table(folder, asked.rows), asked.rows, asked.seeds)
    report(rows, under, asked.json)


def table(folder: Path, count: int) -> Path:
    """Texts and labels drawn for them."""
    texts = sentences(count, words_of(folder_of(resolve("minilm", "probe"))))
    labels = np.random.default_rng(1).integers(0, 2, count)
    with (folder / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
    return folder / "texts.csv"


def measured(folder: Path, file: Path, count: int, seeds: int) -> list[dict[str, Any]]:
    part = count // 5
    content = {
        "tasks": [{"file": str(file), "text": "text", "label": "label"}],
        "weak": WEAK,
        "strong": STRONG,
        "methods": METHODS,
        "seeds": list(range(seeds)),
        "split": {"weak_train": part, "transfer": part, "test": part},
    }
    (folder / "grid.yaml").write_text(json.dumps(content))  # JSON is YAML
    command = [sys.executable, "-m", "outgrow", "run", "grid.yaml", "--store", "store", "--device", "cpu"]
    run = partial(subprocess.run, command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    first, again = seconds(run), seconds(run, times=3)
    store, experiment = Store(folder / "store"), Experiment(name="grid", **content)
    plan = prepare(experiment, store, Machine())
    spent = {
        kind: sum(store.meta(step.key)["seconds"] for step in walk(plan.wanted) if step.kind == kind)
        for kind in ("features", "head")
    }
    cells = len(plan.runs) // seeds
    rows = [
        {"row": f"{cells} cells, {seeds} seeds", "seconds": first, "ratio": first / sum(spent.values()), "limit": 1.2},
        *({"row": f"of these: {kind}", "seconds": value} for kind, value in spent.items()),
        {"row": "the same again, from the shell", "seconds": again, "limit": 1.5},
    ]
    wide = experiment.model_copy(update={"seeds": list(range(10_000 // (cells + len(WEAK) + len(STRONG) + 1)))})
    spent_planning = seconds(partial(prepare, wide, store, Machine()), times=3)
    steps = len(list(walk(prepare(wide, store, Machine()).wanted)))
    rows.append({"row": f"a plan of {steps:,} steps", "seconds": spent_planning, "limit": 2.0})
    return rows


if __name__ == "__main__":
    main()
