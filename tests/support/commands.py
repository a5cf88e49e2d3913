"""The command as a user gives it, and files for it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgrow.tasks.sentiment import sentiment

# The command, and at its end what it loaded of the libraries that only work needs.
WATCHED = """
import sys
from outgrow.cli.app import entry
try:
    entry()
finally:
    heavy = {"torch", "transformers", "datasets", "numpy", "pydantic", "polars", "pyarrow", "scipy"} & set(sys.modules)
    print("loaded:", *sorted(heavy), file=sys.stderr)
"""


FILES = ["examples.parquet", "experiment.yaml", "predictions.parquet", "results.json", "results.parquet"]


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    code: int
    out: str
    said: list[str]  # lines of stderr
    loaded: set[str]


def outgrow(*arguments: object, cwd: Path) -> Answer:
    """Give the command. A traceback is never an answer."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cwd / "cache")}
    command = [sys.executable, "-c", WATCHED, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert "Traceback" not in done.stderr, done.stderr
    *said, last = done.stderr.splitlines()
    assert last.startswith("loaded:")
    return Answer(done.returncode, done.stdout, said, set(last.removeprefix("loaded:").split()))


def good(answer: Answer, *, computes: bool = False) -> Answer:
    """It succeeded; without work it loaded no library of work."""
    assert answer.code == 0, answer.said
    if not computes:
        assert not answer.loaded & {"torch", "transformers", "datasets"}
    return answer


def bad(answer: Answer, code: int, *sentences: str) -> None:
    """It ended with a sentence a fault, each holding what is given here, in order, and printed nothing else."""
    assert answer.code == code, answer.said
    assert answer.out == ""
    assert len(answer.said) == len(sentences), answer.said
    for line, sentence in zip(answer.said, sentences, strict=True):
        assert line.startswith("outgrow: ")
        assert sentence in line, line
    assert not answer.loaded & {"torch", "transformers", "datasets"}


def table(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


ROWS = [(text, int(str(label))) for text, label in zip(sentiment().inputs, sentiment().labels, strict=True)]


SMALL = """
tasks: [{file: reviews.csv, text: text, label: label}]
weak: [{static: wordllama, rows: 40}]
strong: [static:wordllama]
methods: [naive, confidence]
seeds: 2
split: {weak_train: 60, transfer: 80, test: 80}
"""


def objects(store: Path) -> set[str]:
    return {path.name for path in store.glob("objects/*/*")}


def cells_of(folder: Path, text: str) -> list[dict[str, Any]]:
    """The cells of an experiment that is run in a folder: PGR is a number, or undefined with a reason and without one."""
    (folder / "asked.yaml").write_text(text)
    good(outgrow("run", "asked.yaml", "--store", "store", "--threads", 1, "--out", "out", cwd=folder), computes=True)
    cells: list[dict[str, Any]] = json.loads((folder / "out" / "results.json").read_text())["cells"]
    for cell in cells:
        ends = [cell["pgr"][name] for name in ("estimate", "low", "high")]
        if cell["pgr"]["status"] == "ok":
            assert cell["pgr"]["estimate"] is not None
        else:
            assert cell["pgr"]["status"].startswith("undefined: ")
            assert ends == [None, None, None]
    return cells
