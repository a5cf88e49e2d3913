"""How time and memory grow: rows that `predict` labels, heads, seeds of a run, cells of a report.

    python benchmarks/speed/growth.py [--most 1000000] [--figure growth.svg] [--json growth.json]

Each size is a process of its own, from the shell where there is a command for it: seconds from start to end, and the most
memory it held. Rows are labelled by a head on static embeddings, files are CSV; heads are solved 64 at a time as a run does;
a seed of a run trains three heads; a report has 3 seeds and 500 test examples. No size above --most is measured.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from conditions import conditions, options, report
from made_texts import sentences, words_of

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))

SIZES = {
    "rows of predict": (1_000, 10_000, 100_000, 1_000_000),
    "heads": (10, 100, 1_000, 10_000),
    "seeds of a run": (1, 10, 100, 1_000),
    "cells of a report": (10, 100, 1_000),
}
OUTGROW = [sys.executable, "-m", "outgrow"]


def measured(command: Sequence[str | Path], folder: Path) -> tuple[float, float]:
    """Seconds and the most memory, in MB, of a command. Raises CalledProcessError where it fails."""
    began = time.perf_counter()
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, list(map(str, command)), stderr=said.decode())
    return time.perf_counter() - began, used.ru_maxrss / 1024


def table(path: Path, texts: Sequence[str]) -> Path:
    """A CSV file of texts with labels drawn for them."""
    labels = np.random.default_rng(1).integers(0, 2, len(texts))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
    return path


def commands(folder: Path, what: str, size: int, texts: Sequence[str]) -> list[str | Path]:
    """What is measured; its inputs are written."""
    if what == "rows of predict":
        more = [f"{size} {text}" for text in texts]  # no text of one size is that of another
        file = table(folder / "rows.csv", [more[row % len(more)] for row in range(size)])
        return [*OUTGROW, "predict", "student", file, "-o", "out.csv", "--device", "cpu"]
    if what == "heads":
        return [sys.executable, Path(__file__).resolve(), "--heads", str(size)]
    if what == "seeds of a run":
        content = {
            "tasks": [{"file": str(folder / "texts.csv"), "text": "text", "label": "label"}],
            "weak": [{"static": "wordllama", "rows": 100}],
            "strong": ["static:wordllama"],
            "seeds": list(range(size)),
            "split": {"weak_train": 600, "transfer": 600, "test": 600},
        }
        (folder / "seeds.yaml").write_text(json.dumps(content))  # JSON is YAML
        return [*OUTGROW, "run", "seeds.yaml", "--store", f"store-{size}", "--device", "cpu"]
    from grids import grid

    weak, strong, methods = {10: (2, 5, 1), 100: (5, 5, 4), 1000: (10, 10, 10)}[size]
    run = grid(
        folder / f"cells-{size}",
        weak=[f"static:supervisor-{number}" for number in range(weak)],
        strong=[f"probe:student-{number}" for number in range(strong)],
        methods=[f"method{number}" for number in range(methods)],
        seeds=range(3),
        n=500,
    )
    return [*OUTGROW, "report", run]


def heads(count: int) -> None:
    """Solve `count` heads on 2,000 x 256 random features, each on 1,000 rows of its own."""
    from heads import problem

    from outgrow.methods.losses import Naive
    from outgrow.models.heads.solver import Solver, solve

    draw = np.random.default_rng(0)
    features = draw.normal(size=(2000, 256)).astype(np.float32)
    soft = draw.dirichlet([1, 1], 2000).astype(np.float32)
    for start in range(0, count, 64):
        rows = [np.random.default_rng(seed).permutation(2000)[:1000] for seed in range(start, min(start + 64, count))]
        solve(features, [problem(own, soft[own], Naive(), seed) for seed, own in enumerate(rows)], Solver())


def drawn(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """A figure: a panel per subject, seconds above and memory below, all axes logarithmic."""
    import altair as alt

    def panel(what: str, value: str, title: str) -> Any:
        size = alt.X("size:Q", title=what).scale(type="log").axis(format="~s", tickCount=4, grid=False)
        height = alt.Y(f"{value}:Q", title=title).scale(type="log").axis(format="~s", tickCount=4)
        values = alt.InlineData(values=[row for row in rows if row["what"] == what])
        return alt.Chart(values, width=130, height=110).mark_line(point=True, color="#3b6fb6").encode(size, height)

    subjects = list(dict.fromkeys(row["what"] for row in rows))
    above = alt.hconcat(*(panel(what, "seconds", "seconds") for what in subjects))
    below = alt.hconcat(*(panel(what, "memory_mb", "memory (MB)") for what in subjects))
    alt.vconcat(above, below, background="white").save(str(path))


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--heads", type=int, help="solve this number of heads and end: what is measured of heads")
    asked = parser.parse_args()
    if asked.heads:
        heads(asked.heads)
        return
    from outgrow.models.checkpoints.locate import resolve
    from outgrow.models.checkpoints.weight_files import folder_of

    under, rows = conditions(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = sentences(20_000, words_of(folder_of(resolve("minilm", "probe"))))
        table(folder / "texts.csv", texts[:2000])
        teach = [
            "teach",
            "texts.csv",
            "--text",
            "text",
            "--label",
            "label",
            "--student",
            "wordllama",
            "--out",
            "student",
        ]
        measured([*OUTGROW, *teach], folder)
        for what, sizes in SIZES.items():
            for size in (size for size in sizes if size <= asked.most):
                taken, memory = measured(commands(folder, what, size, texts), folder)
                rows.append({"what": what, "size": size, "seconds": taken, "memory_mb": memory})
                print(rows[-1], flush=True)
    report(rows, under, asked.json)
    if asked.figure:
        drawn(rows, asked.figure)


if __name__ == "__main__":
    main()
