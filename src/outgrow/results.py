"""A run folder -> accuracies, performance gap recovered and agreement, with intervals. Nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core import Ints, OutgrowError
from outgrow.metrics.agreement import agreement
from outgrow.metrics.intervals import Interval, accuracy
from outgrow.metrics.recovery import performance_gap_recovered, recovery
from outgrow.predictions import HeldOut, Predictions, Speaker

SCHEMA = 1
NO_TRUTH = "undefined: no truth on transfer"
NOT_COVERED = "undefined: weak labels do not cover test"


@dataclass(frozen=True)
class Entry:
    """A supervisor, student or method: its name in tables, and what the YAML says."""

    name: str
    written: Any


@dataclass(frozen=True)
class Asked:
    """One run to be scored, and what is known of it beside its predictions."""

    task: str
    weak: Entry
    strong: Entry
    method: Entry
    seed: int
    speakers: Mapping[str, Speaker | None]  # weak, student, ceiling; None: there is no such model
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Results:
    """What a run folder says: one mapping a run, one a cell (a run's seeds together), and how it was made."""

    runs: Sequence[Mapping[str, Any]]
    cells: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any]
    notes: Sequence[str] = ()

    @classmethod
    def compute(
        cls, asked: Sequence[Asked], tables: Predictions, environment: Mapping[str, Any], notes: Sequence[str] = ()
    ) -> Results:
        """Score every run, and join the seeds of each cell. OutgrowError if models were tested on different rows."""
        hard = {speaker: tables.hard(speaker) for speaker in tables.said}
        runs = [_run(run, tables.tests[run.task], hard) for run in asked]
        together: dict[tuple[str, str, str, str], list[Asked]] = {}
        for run in asked:
            together.setdefault((run.task, run.weak.name, run.strong.name, run.method.name), []).append(run)
        cells = [_cell(members, tables.tests[members[0].task], hard) for members in together.values()]
        return cls(runs, cells, environment, notes)

    @classmethod
    def read(cls, folder: str | Path) -> Results:
        """The results that a run left in its folder. Raises OutgrowError where there are none, or of a newer schema."""
        path = Path(folder) / "results.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise OutgrowError(
                f"{folder}: is no run folder, it has no results.json; `outgrow run` writes one"
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise OutgrowError(
                f"{path}: is damaged; run the same experiment again, the store still has the work"
            ) from None
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            found = content.get("schema") if isinstance(content, dict) else None
            raise OutgrowError(f"{path}: has schema {found}, and this version of outgrow reads schema {SCHEMA}")
        return cls(content["runs"], content["cells"], content["environment"], content.get("notes", []))

    def to_json(self) -> str:
        """The text of `results.json`."""
        content = {
            "schema": SCHEMA,
            "runs": list(self.runs),
            "cells": list(self.cells),
            "notes": list(self.notes),
            "environment": dict(self.environment),
        }
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def write(self, folder: Path) -> None:
        """Write `results.parquet`, one row a run, and `results.json`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        flat = [
            {
                key: value if isinstance(value, str | int | float | None) else json.dumps(value)
                for key, value in run.items()
            }
            for run in self.runs
        ]
        pq.write_table(pa.Table.from_pylist(flat), folder / "results.parquet", compression="zstd")
        (folder / "results.json").write_text(self.to_json(), encoding="utf-8")


Hard = Mapping[Speaker, Ints | None]


def _said(run: Asked, role: str, hard: Hard) -> Ints | None:
    speaker = run.speakers[role]
    return None if speaker is None else hard[speaker]


def _run(run: Asked, test: HeldOut, hard: Hard) -> dict[str, Any]:
    said = {role: _said(run, role, hard) for role in ("weak", "student", "ceiling")}
    scores = {role: None if guess is None else float((guess == test.truth).mean()) for role, guess in said.items()}
    weak, student, ceiling = scores["weak"], scores["student"], scores["ceiling"]
    known = weak is not None and student is not None and ceiling is not None
    return {
        "task": run.task,
        "weak": run.weak.written,
        "strong": run.strong.written,
        "method": run.method.written,
        "seed": run.seed,
        "weak_accuracy": weak,
        "student_accuracy": student,
        "ceiling_accuracy": ceiling,
        "pgr": performance_gap_recovered(weak, student, ceiling) if known else None,  # type: ignore[arg-type]
        "agreement": None if weak is None else agreement(said["student"], said["weak"]),  # type: ignore[arg-type]
        "n_test": len(test.ids),
        **run.facts,
    }


def _cell(runs: Sequence[Asked], test: HeldOut, hard: Hard) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for role in ("weak", "student", "ceiling"):
        said = [_said(run, role, hard) for run in runs]
        tables[role] = None if any(guess is None for guess in said) else np.stack(said) == test.truth  # type: ignore[arg-type]
    first = runs[0]
    cell: dict[str, Any] = {
        "task": first.task,
        "weak": first.weak.written,
        "strong": first.strong.written,
        "method": first.method.written,
        "seeds": [run.seed for run in runs],
        "n_test": len(test.ids),
    }
    reason = NOT_COVERED if tables["weak"] is None else NO_TRUTH if tables["ceiling"] is None else None
    if reason is None:
        intervals = recovery(tables["weak"], tables["student"], tables["ceiling"], test.groups)
    else:
        intervals = {
            f"{role}_accuracy": Interval(None, None, None, _missing(role))
            if table is None
            else accuracy(table, test.groups)
            for role, table in tables.items()
        }
        intervals["pgr"] = Interval(None, None, None, reason)
    for name, interval in intervals.items():
        cell[name] = {
            "estimate": interval.estimate,
            "low": interval.low,
            "high": interval.high,
            "status": interval.status,
        }
    cell["covers"] = intervals["student_accuracy"].covers
    return cell


def _missing(role: str) -> str:
    return NOT_COVERED if role == "weak" else NO_TRUTH
