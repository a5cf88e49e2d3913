"""What the paper's grid would cost: 22 tasks, seven model sizes, every pair of a supervisor and a student at least as large.

Nothing is trained and nothing downloaded: seven checkpoints of the Pythia suite's sizes are empty (sparse) files, the
tasks made-up texts of about 120 tokens: 10,000 rows for the supervisor, 10,000 for the student, 5,000 for the test.

    python benchmarks/speed/paper_grid.py [h100]
"""

from __future__ import annotations

import csv
import json
import struct
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from outgrow.execution.machine import Machine
from outgrow.execution.step import walk
from outgrow.execution.store import Store
from outgrow.execution.throughput import PaperRates
from outgrow.experiment.pipeline import prepare
from outgrow.experiment.spec.schema import Experiment

SIZES = {"70m": 70e6, "160m": 162e6, "410m": 405e6, "1b": 1.01e9, "1.4b": 1.41e9, "2.8b": 2.78e9, "6.9b": 6.86e9}
TASKS, ROWS, WORDS = 22, 25_000, 96


def checkpoint(folder: Path, parameters: int) -> Path:
    """A checkpoint's folder whose weights are all zeros that take no room on the disk."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt_neox", "architectures": ["GPTNeoXForCausalLM"]}))
    (folder / "tokenizer.json").write_text("{}")
    header = {"w": {"dtype": "U8", "shape": [parameters], "data_offsets": [0, parameters]}}
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + parameters)
    return folder


def table(path: Path, task: int) -> Path:
    """A task's rows, each a text of its own."""
    filler = " ".join(["word"] * WORDS)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows([f"task {task} row {row} {filler}", ("good", "bad")[row % 2]] for row in range(ROWS))
    return path


def main(accelerator: str = "h100") -> None:
    """Print GPU hours by kind of step and by size of student."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        models = [
            {"finetune": str(checkpoint(folder / name, int(count))), "epochs": 2, "precision": "bf16"}
            for name, count in SIZES.items()
        ]
        tasks = [{"file": str(table(folder / f"{n}.csv", n)), "text": "text", "label": "label"} for n in range(TASKS)]
        asked = Experiment.model_validate(
            {
                "name": "paper",
                "tasks": tasks,
                "weak": models,
                "strong": models,
                "methods": ["naive"],
                "seeds": [0],
                "split": {"weak_train": 10_000, "transfer": 10_000, "test": 5_000},
            }
        )
        planned = prepare(asked, Store(folder / "store"), Machine())
        order = [spec.name for spec in asked.strong]
        runs = [run for run in planned.runs if order.index(run.weak.name) <= order.index(run.strong.name)]
        rates = PaperRates(accelerator)
        hours: dict[str, float] = defaultdict(float)
        students: dict[str, float] = defaultdict(float)
        steps = set(walk(step for run in runs for step in run.wanted))
        for step in steps:
            hours[step.kind] += rates.seconds([step], "", 1) / 3600
        for run in runs:
            students[run.strong.name] += rates.seconds([run.student], "", 1) / 3600
    print(f"{len(runs)} pairs, {len(steps)} steps, {sum(step.flops for step in steps):.3g} FLOPs")
    for kind, time in sorted(hours.items(), key=lambda item: -item[1]):
        if time:
            print(f"{kind:10} {time:8.1f} GPU hours on {accelerator}")
    for (name, count), time in zip(SIZES.items(), students.values(), strict=True):
        print(f"students of {name:5} ({count / 1e9:.2f}e9 parameters) {time:8.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
