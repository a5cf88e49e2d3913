"""How often a student says each class, beside its supervisor: a note where the two are far apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outgrow.results.cells import RunToScore, Scored, cells_of
from outgrow.results.metrics.intervals import contrast

FAR = 0.1  # of the test rows: half the sum of the classes' differences in share


def far_from_labels(asked: Sequence[RunToScore], scored: Scored) -> list[str]:
    """A sentence for each cell whose student's shares are far from its supervisor's on the same test rows, beyond chance.

    Far: a tenth of the rows would have to change class. Beyond chance: the crossed 99% interval of the difference in the
    class that differs most leaves out 0.
    """
    notes = []
    for runs in cells_of(asked):
        first = runs[0]
        test = scored.test(first.task)
        said = {role: [scored.hard(run.speakers[role]) for run in runs] for role in ("weak", "student")}
        if any(row is None for rows in said.values() for row in rows):
            continue
        weak, student = (np.stack(rows) for rows in said.values())  # type: ignore[arg-type]
        count = len(test.classes)
        shares = [np.bincount(rows.ravel(), minlength=count) / rows.size for rows in (weak, student)]
        apart = shares[1] - shares[0]
        most = int(np.abs(apart).argmax())
        if np.abs(apart).sum() / 2 < FAR:
            continue
        found = contrast(np.stack([student == most, weak == most]), [1, -1], scored.groups(first.task), level=0.99)
        if found.low is None or found.high is None or found.low <= 0 <= found.high:
            continue
        notes.append(
            f"{first.task}: {first.strong.name}, taught by {first.weak.name} with {first.method.name}, predicts "
            f'"{test.classes[most]}" on {shares[1][most]:.0%} of the test rows and its supervisor on {shares[0][most]:.0%}: '
            "the student's shares of the classes are far from its labels'"
        )
    return notes
