"""The overlap density of a run's transfer rows, by its supervisor's labels and its student's features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.pool import Pool
from outgrow.execution.step import Step
from outgrow.experiment.planning.plan import Run
from outgrow.experiment.steps.choose import candidates
from outgrow.results.cells import OVERLAP
from outgrow.results.metrics.overlap import Overlap, overlap

MOST = 4_000  # rows looked at: each is compared with every hard one


class Overlaps:
    """Overlap densities, each computed once: methods share them."""

    def __init__(self, open_step: Callable[[Step], Path]) -> None:
        self._open = open_step
        self._known: dict[tuple[Step, Step, Step], Overlap | None] = {}

    def facts(self, run: Run, pool: Pool, transfer: Any, weak: Any) -> dict[str, float]:
        """Weak labels `[transfer rows, classes]`. Nothing where the student has no features of whole rows."""
        student = (candidates(run.student) or [run.student])[0]
        features = student.parents.get("features")
        if features is None or pool.parts is not None:
            return {}
        key = run.supervisor, features, run.split
        if key not in self._known:
            covered = np.flatnonzero(~np.isnan(weak).any(axis=1))[:MOST]
            values = np.load(self._open(features) / "features.npy", mmap_mode="r")
            self._known[key] = overlap(weak[covered], np.asarray(values[transfer[covered]], dtype=np.float32))
        found = self._known[key]
        return {} if found is None else {OVERLAP: found.density}
