"""The run folder as a run leaves it, and whether it is there already."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outgrow.core.files import disk
from outgrow.core.files.sums import is_whole, write_sums
from outgrow.core.identity import digest, digest_file
from outgrow.core.text.entry_names import display
from outgrow.experiment.planning.plan import Plan
from outgrow.experiment.spec.schema import Experiment
from outgrow.report.scene import WORK
from outgrow.results.predictions import Predictions
from outgrow.results.run_results import Results

NAMED = ("the run folder", "--out")  # what sentences about it say
REPORT = "report.html"


def identity(experiment: Experiment, planned: Plan) -> str | None:
    """SHA-256 of what decides a run folder's content: the experiment, the steps of its runs, files read, and the code.

    None where a metric comes from a file, which nothing here reads.
    """
    if any(":" in name for name in experiment.metrics):
        return None
    steps = [[run.student.key, *(step.key for step in run.wanted)] for run in planned.runs]
    return digest([experiment.to_yaml(), steps, sorted(planned.sources), _code()])


def _code() -> str:
    """The SHA-256 of this package's own files."""
    root, found = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            found.update(f"{path.relative_to(root)} {digest_file(path)}\n".encode())
    return found.hexdigest()


def holds(out: Path, asked_for: str | None) -> bool:
    """Whether a folder is what a run of this `identity` would write, each file as it was written."""
    try:
        found = json.loads((out / WORK).read_bytes())["identity"]
    except (OSError, ValueError, KeyError, TypeError):
        return False  # it is written again
    if asked_for is None or found != asked_for or not (out / REPORT).is_file():
        return False
    return is_whole(out, (WORK, "results.json", "predictions.parquet"))


def replaced(out: Path, experiment: Experiment) -> str | None:
    """A note where a folder holds another experiment's results, which this one's will replace: what of it this one lacks."""
    import yaml

    try:
        earlier = yaml.safe_load((out / "experiment.yaml").read_text(encoding="utf-8"))
        now = yaml.safe_load(experiment.to_yaml())
        gone = [
            f"{part}: {entry['name'] if part == 'tasks' else display(entry)}"
            for part in ("tasks", "weak", "strong", "methods")
            for entry in earlier[part]
            if entry not in now[part]
        ]
        gone += [f"seed: {seed}" for seed in earlier["seeds"] if seed not in now["seeds"]]
        gone += [f"split: {part} {rows}" for part, rows in earlier["split"].items() if rows != now["split"].get(part)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return None  # it holds none that can be read
    if not gone:
        return None
    more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
    return (
        f"{out} holds the results of another experiment, with {', '.join(gone[:3])}{more}; this run replaces them "
        "(what was computed stays in the store; --out keeps both)"
    )


def write(out: Path, experiment: Experiment, tables: Predictions, results: Results, work: Mapping[str, Any]) -> None:
    """The run folder's files, each whole or absent; results.json comes last, when all others belong to it.

    On a full disk, what an earlier run left there stays.
    """
    with disk.sentences(out, *NAMED):
        disk.sweep(out, ".new-")
        new = disk.temporary(out, ".new-")
        new.mkdir()
        try:
            (new / "experiment.yaml").write_text(experiment.to_yaml(), encoding="utf-8")
            (new / WORK).write_text(json.dumps(work) + "\n", encoding="utf-8")
            tables.write(new)
            results.write(new)
            write_sums(new, disk.flush_tree(new))
            (out / "results.json").unlink(missing_ok=True)
            for name in ("curves.parquet", REPORT):  # not every run has curves; the report comes after the results
                (out / name).unlink(missing_ok=True)
            for name in sorted(path.name for path in new.iterdir() if path.name != "results.json"):
                os.replace(new / name, out / name)
            os.replace(new / "results.json", out / "results.json")
        finally:
            disk.remove(new)
