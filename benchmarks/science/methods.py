"""Every method of heads against naive over seven real tasks: docs/guide/methods.md's table, in about 15 minutes on two cores.

    python benchmarks/science/methods.py ../shared/data     # writes benchmarks/science/methods.json, then docs/guide/methods.md
    python benchmarks/science/methods.py                    # docs/guide/methods.md alone, from the docstrings and methods.json

Supervisor: heads on wordllama's static embeddings, taught 300 rows; student: heads on MiniLM's frozen features; 10 seeds.
Of each task 2,600 rows (CoLA and CR more, since balancing takes some), the first by a hash: 400 weak_train, 650 transfer,
200 validation, 600 test. Seeds and sizes were fixed before anything was looked at.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from outgrow.core.text.entry_names import display
from outgrow.execution.machine import Machine
from outgrow.experiment.pipeline import run
from outgrow.experiment.spec.schema import Experiment
from outgrow.results.compare import compare
from outgrow.results.run_folder import read_run

HERE = Path(__file__).parent
FOUND = HERE / "methods.json"
TASKS: dict[str, tuple[str, str, str, int, bool]] = {  # name: file, text, label, rows, balanced
    "sst2": ("sst2/train", "{text}", "label", 2600, True),
    "cr": ("cr/train", "{text}", "label", 3775, True),
    "cola": ("cola/train", "{sentence}", "label", 3500, True),
    "tweet_sentiment": ("tweet_sentiment/validation", "{text}", "label", 2000, False),  # 3 classes, one of them rare
    "ag_news": ("ag_news/test", "{title}. {description}", "label", 2600, True),  # 4 classes
    "ethics_justice": ("ethics_justice/train", "{scenario}", "label", 2600, True),
    "sciq": ("sciq/train", "{txt}", "gt_label", 2600, True),
}
SPLIT = {"weak_train": 400, "transfer": 650, "validation": 200, "test": 600}
METHODS: list[Any] = [
    "naive",
    {"naive": {"hard": True}},
    "confidence",
    {"confidence": {"alpha": [0.25, 0.5, 0.75]}},
    "entropy",
    "product",
    "window",
    "reverse_kl",
    "balance",
    "filter",
    {"filter": {"by": "knn"}},
    {"filter": {"by": "logistic"}},
    "relabel",
    {"relabel": {"by": "logistic"}},
    "self_train",
    {"bootstrap": {"through": [{"probe": "minilm", "layer": 2}]}},
    {"bootstrap": {"through": [{"probe": "minilm", "layer": 2}], "fresh": False}},
    "early_stop",
    {"early_stop": {"on": "truth"}},
    ["filter", "confidence"],
]


def sample(data: Path, name: str, folder: Path) -> dict[str, Any]:
    """The task on some of its rows, the same ones on every machine."""
    file, text, label, rows, balance = TASKS[name]
    with gzip.open(data / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
        full = [line for line in lines if text != "{text}" or json.loads(line)["text"].strip()]  # CR has empty texts
    kept = sorted(full, key=lambda line: hashlib.sha256(line.strip().encode()).hexdigest())[:rows]
    (folder / f"{name}.jsonl").write_text("".join(f"{row.strip()}\n" for row in kept), encoding="utf-8")
    return {"name": name, "file": str(folder / f"{name}.jsonl"), "text": text, "label": label, "balance": balance}


def measure(data: Path, folder: Path) -> dict[str, Any]:
    """The comparison of every method with naive, task by task and over tasks, as the page needs it."""
    experiment = Experiment(
        name="methods",
        tasks=[sample(data, name, folder) for name in TASKS],
        weak=[{"static": "wordllama", "rows": 300}],
        strong=["probe:minilm"],
        methods=METHODS,
        seeds=10,
        split=SPLIT,
    )
    done = run(experiment, store=folder / "store", out=folder / "run", machine=Machine(jobs=2, threads=1))
    content = compare(read_run(folder / "run"), "method", "naive").content()
    accuracies = ("weak_accuracy", "student_accuracy", "ceiling_accuracy", "pgr")
    tasks: dict[str, Any] = {
        cell["task"]: {name: cell[name] for name in accuracies} for cell in done.cells if cell["method"] == "naive"
    }
    differences: dict[str, Any] = {display(method): {} for method in METHODS[1:]}
    for row in content["comparisons"]:
        differences[display(row["method"])][row["task"]] = row["difference"]
    across = content["across_tasks"]
    over_tasks = {display(row["method"]): row["difference"] for row in across if "difference" in row}
    pgr = {display(row["method"]): row for row in across if "pgr_ratio_of_sums" in row}
    return {"tasks": tasks, "differences": differences, "over_tasks": over_tasks, "pgr": pgr}


def main() -> None:
    """Measure where data are given, then write the page."""
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(folder)
            place.mkdir(parents=True, exist_ok=True)
            FOUND.write_text(json.dumps(measure(Path(sys.argv[1]), place), indent=1) + "\n")
    sys.path.insert(0, str(HERE))
    from methods_page import write

    write(FOUND, HERE.parents[1] / "docs" / "guide" / "methods.md")


if __name__ == "__main__":
    main()
