"""A run folder -> accuracies, performance gap recovered and agreement, with intervals. Nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.core.files.json_file import read_json
from outgrow.core.files.sums import check_sums
from outgrow.core.text.units import plural
from outgrow.results.cells import Entry, RunToScore, Scored, cell_rows, leave_undefined, run_rows
from outgrow.results.diagnostics.controls import control_rows
from outgrow.results.diagnostics.equivalents import add_equivalents
from outgrow.results.diagnostics.no_supervisor import add_beyond
from outgrow.results.diagnostics.sensitivity import add_sensitivity
from outgrow.results.diagnostics.shares import far_from_labels
from outgrow.results.frames import flat_cell, flat_difference, flat_run, frame, html, predictions
from outgrow.results.predictions import OWN, Predictions
from outgrow.results.run_content import AGAIN, NOT_WHOLE, check_content

__all__ = ["SCHEMA", "Entry", "Results", "RunToScore"]

SCHEMA = 1


@dataclass(frozen=True, repr=False)
class Results:
    """What a run folder says: one mapping per run, one per cell (a run's seeds together), and how it was made.

    In frames, a model has one spelling, that of `outgrow show` and of every Parquet file; in `runs` and `cells`, it is as
    the YAML says it.
    """

    runs: Sequence[Mapping[str, Any]]
    cells: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any]
    notes: Sequence[str] = ()
    controls: Sequence[Mapping[str, Any]] = ()  # where the experiment asked for them
    folder: Path | None = field(default=None, compare=False)  # where they were read or written
    names: Mapping[str, str] = field(default_factory=dict)  # by entry or task: the display name that stands for it

    @classmethod
    def compute(
        cls,
        asked: Sequence[RunToScore],
        tables: Predictions,
        environment: Mapping[str, Any],
        notes: Sequence[str] = (),
        metrics: Sequence[str] = ("accuracy",),
        controls: bool = False,
        names: Mapping[str, str] | None = None,
    ) -> Results:
        """Score every run, and join the seeds of each cell. OutgrowError if models were tested on different rows."""
        scored = Scored(tables)
        runs, cells = run_rows(asked, scored, metrics), cell_rows(asked, scored, metrics)
        leave_undefined(runs, asked, cells)
        add_beyond(cells, asked, scored)
        add_equivalents(cells, asked, scored)
        add_sensitivity(cells, asked, scored)
        held = control_rows(asked, scored) if controls else []
        return cls(runs, cells, environment, [*notes, *far_from_labels(asked, scored)], held, names=names or {})

    @classmethod
    def read(cls, folder: str | Path) -> Results:
        """The results that a run left in its folder. Raises OutgrowError where there are none, or of a newer schema."""
        path = Path(folder) / "results.json"
        if not path.is_file():
            raise OutgrowError(f"{folder}: is not a run folder, it has no results.json; `outgrow run` writes one")
        check_sums(Path(folder), ["results.json"], NOT_WHOLE, AGAIN)
        content = read_json(path, "a run's results: is damaged", AGAIN)
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            found = content.get("schema") if isinstance(content, dict) else None
            raise OutgrowError(f"{path}: has schema {found}, and this version of outgrow reads schema {SCHEMA}")
        check_content(path, content)
        more = (content.get("notes", []), content.get("controls", []))
        # A run before there were further test sets names none.
        runs, cells = (
            [row if "test_set" in row else {"test_set": OWN, **row} for row in content[part]]
            for part in ("runs", "cells")
        )
        return cls(runs, cells, content["environment"], *more, Path(folder), content.get("names", {}))

    def to_json(self) -> str:
        """The text of `results.json`."""
        content = {
            "schema": SCHEMA,
            "runs": list(self.runs),
            "cells": list(self.cells),
            "notes": list(self.notes),
            **({"controls": list(self.controls)} if self.controls else {}),
            **({"names": dict(self.names)} if self.names else {}),
            "environment": dict(self.environment),
        }
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def write(self, folder: Path) -> None:
        """Write `results.parquet`, one row a run, and `results.json`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        # Every column that any run has: from_pylist would take the first row's alone.
        names = dict.fromkeys(name for run in self.runs for name in run)
        flat = [{name: flat_run(run).get(name) for name in names} for run in self.runs]
        pq.write_table(pa.Table.from_pylist(flat), folder / "results.parquet", compression="zstd")
        (folder / "results.json").write_text(self.to_json(), encoding="utf-8")

    def cells_frame(self, library: str = "pandas") -> Any:
        """One row per cell: names, and `<name>`, `<name>_low`, `<name>_high` of each interval; `library`: pandas or polars."""
        return frame([flat_cell(cell) for cell in self.cells], library)

    def runs_frame(self, library: str = "pandas") -> Any:
        """One row per run: names, seed, accuracies, PGR, and what is known of its training."""
        return frame([flat_run(run) for run in self.runs], library)

    def predictions_frame(self, library: str = "pandas") -> Any:
        """One row per run and test example: truth, and each model's class and its probability. Reads the run folder."""
        return frame(predictions(self.reading()), library)

    def compare(self, by: str = "method", against: str | None = None, library: str = "pandas") -> Any:
        """Paired differences of an axis from one of its values, with p and Holm's correction: `outgrow compare` as a frame."""
        from outgrow.results.compare import compare, reference

        reading = self.reading()
        return frame(
            [flat_difference(row) for row in compare(reading, by, against or reference(reading, by)).rows], library
        )

    def reading(self) -> Any:
        """The runs and predictions behind these results. Raises OutgrowError where they belong to no run folder."""
        from outgrow.results.run_folder import read_run

        if self.folder is None:
            raise OutgrowError("these results belong to no run folder; read one by Results.read(folder)")
        return read_run(self.folder)

    def __repr__(self) -> str:
        where = "" if self.folder is None else f", folder={str(self.folder)!r}"
        return f"Results({plural(len(self.cells), 'cell')}, {plural(len(self.runs), 'run')}{where})"

    def _repr_html_(self) -> str:
        return html(self.cells)
