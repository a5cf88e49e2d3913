"""How often a student predicts each class, beside its labels: a note where the two are far apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outgrow.core.examples import Ints
from outgrow.results.cells import RunToScore, Scored, cells_of, on_own
from outgrow.results.statistics.crossed import Groups
from outgrow.results.statistics.intervals import contrast

TRUE_LABELS = "true_labels"  # of a run's facts: how many of its student's labels are true ones
FAR = 0.1  # of the rows: half the sum of the classes' differences in share


@dataclass(frozen=True)
class Apart:
    """The class that the student predicts too often most of all, and its share there and in the labels."""

    number: int
    student: float
    labels: float


def far_apart(student: Ints, labels: Ints, classes: int, groups: Groups = None) -> Apart | None:
    """Class numbers `[seeds, n]` of both on the same rows; None where their shares are near, or apart by chance.

    Far: a tenth of the rows would have to change class. Beyond chance: the crossed 99% interval of the difference in the
    class that is predicted too often most of all leaves out 0.
    """
    shares = [np.bincount(numbers.ravel(), minlength=classes) / numbers.size for numbers in (student, labels)]
    apart = shares[0] - shares[1]
    most = int(apart.argmax())
    if np.abs(apart).sum() / 2 < FAR:
        return None
    found = contrast(np.stack([student == most, labels == most]), [1, -1], groups, level=0.99)
    if found.low is None or found.high is None or found.low <= 0 <= found.high:
        return None
    return Apart(most, float(shares[0][most]), float(shares[1][most]))


def far_from_labels(asked: Sequence[RunToScore], scored: Scored) -> list[str]:
    """A sentence for each cell whose student's shares are far from its supervisor's on the same test rows."""
    notes = []
    for runs in cells_of(on_own(asked)):
        first = runs[0]
        if TRUE_LABELS in first.facts:  # its labels are not what its supervisor says of the test rows
            continue
        test = scored.test(first.task)
        predicted = {role: [scored.hard(run.models[role]) for run in runs] for role in ("student", "weak")}
        if any(row is None for rows in predicted.values() for row in rows):
            continue
        student, weak = (np.stack(rows) for rows in predicted.values())  # type: ignore[arg-type]
        found = far_apart(student, weak, len(test.classes), scored.groups(first.task))
        if found is not None:
            notes.append(
                f"{first.task}: {first.strong.name}, taught by {first.weak.name} with {first.method.name}, predicts "
                f'"{test.classes[found.number]}" on {found.student:.0%} of the test rows and its supervisor on '
                f"{found.labels:.0%}: the student's shares of the classes are far from its labels'"
            )
    return notes
