"""How long it takes to count everything from a run folder: 10,000 test rows, 10 seeds, 100 cells; and where the time goes.

    python benchmarks/speed/results.py [--profile] [--rows 10000] [--seeds 10]

Writes a folder of made-up predictions (5 supervisors, 5 students, 4 methods), then times what `outgrow show`, `--metric` for
every metric, `--agreement` and `outgrow compare` do. The writing is not timed.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from outgrow.core.identity import content_id
from outgrow.core.registry import names
from outgrow.results.cells import Entry, RunToScore, Scored, cell_rows, run_rows
from outgrow.results.compare import compare
from outgrow.results.predictions import HeldOut, ModelKey, Predictions
from outgrow.results.run_folder import read_run
from outgrow.results.run_results import Results

WEAK, STRONG, METHODS = 5, 5, 4
CURVE = (25, 50, 100, 200, 400)


def folder(path: Path, rows: int, seeds: int) -> int:
    """Write the folder; the number of cells."""
    random = np.random.default_rng(0)
    ids = np.array([content_id(row) for row in range(rows)])
    truth = random.integers(0, 2, rows)
    test = HeldOut(ids, tuple(f"text {row}" for row in range(rows)), truth, ids, ("neg", "pos"))
    hard = random.standard_normal(rows, dtype=np.float32)
    predicted: dict[ModelKey, Any] = {}

    def speak(skill: float, *names: Any) -> ModelKey:
        speaker = ModelKey("task", *names)
        if speaker not in predicted:
            score = skill + 0.7 * hard + random.standard_normal(rows, dtype=np.float32)
            right = 1 / (1 + np.exp(-2 * score))
            second = np.where(truth == 1, right, 1 - right)
            predicted[speaker] = np.column_stack([1 - second, second]).astype(np.float32)
        return speaker

    asked = []
    for w in range(WEAK):
        for s in range(STRONG):
            for m in range(METHODS):
                for seed in range(seeds):
                    speakers: dict[str, ModelKey | None] = {
                        "weak": speak(0.3 + 0.05 * w, "weak", f"w{w}", None, None, seed),
                        "student": speak(0.7 + 0.04 * m, "student", f"w{w}", f"s{s}", f"m{m}", seed),
                        "ceiling": speak(1.1 + 0.1 * s, "ceiling", None, f"s{s}", None, seed),
                    }
                    for place, size in enumerate(CURVE):
                        speak(0.2 + 0.15 * place, f"ceiling:{size}", None, f"s{s}", None, seed)
                    entries = (Entry(f"w{w}", f"w{w}"), Entry(f"s{s}", f"s{s}"), Entry(f"m{m}", f"m{m}"))
                    asked.append(RunToScore("task", *entries, seed, speakers, {"n_transfer": 900}))
    tables = Predictions({"task": test}, predicted)
    tables.write(path)
    results = Results.compute(asked[:1], tables, {})  # one run's cells stand for all: they are counted below
    counted = run_rows(asked, Scored(tables), ("accuracy",))
    written = [{**results.runs[0], **row} for row in counted]
    Results(written, results.cells, {}).write(path)
    print(f"{len(asked)} runs of {WEAK * STRONG * METHODS} cells, {len(predicted)} models on {rows} rows", flush=True)
    return WEAK * STRONG * METHODS


def everything(path: Path) -> None:
    """All that is counted, a line each: seconds passed, and of those of a processor (others may use it too)."""
    whole, busy = perf_counter(), process_time()

    def timed(name: str, call: Callable[[], Any]) -> Any:
        begin, used = perf_counter(), process_time()
        made = call()
        print(f"{perf_counter() - begin:7.2f} s  {process_time() - used:7.2f} s  {name}", flush=True)
        return made

    reading = timed("read the folder", lambda: read_run(path))
    asked, scored = reading.asked, reading.scored
    timed("runs, every metric", lambda: run_rows(asked, scored, names("metrics")))
    timed(
        "accuracy, PGR, agreement, equivalent labels and supervision, controls",
        lambda: Results.compute(asked, scored.tables, {}, controls=True),
    )
    timed("cells, every metric", lambda: cell_rows(asked, scored, names("metrics")))
    timed("compare by method", lambda: compare(reading, "method", "m0"))
    timed("compare by supervisor", lambda: compare(reading, "weak", "w0"))
    print(f"{perf_counter() - whole:7.2f} s  {process_time() - busy:7.2f} s  all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder(Path(place), options.rows, options.seeds)
        if not options.profile:
            everything(Path(place))
            return
        profile = cProfile.Profile()
        profile.runcall(everything, Path(place))
        pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
