"""From which margin on a student's answers can be trusted: abstention with a guarantee from careful labels.

Selection with guaranteed risk (Geifman & El-Yaniv 2017, arXiv 1705.08500, algorithm 1): of thresholds on a grid the lowest
one above which Clopper & Pearson's (1934) upper bound of the share of wrong answers is small enough; the chance to be
mistaken is shared among all thresholds that are tried (Bonferroni).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, harden
from outgrow.core.files.tables import read_table
from outgrow.core.inputs.input_type import TEXT
from outgrow.execution.machine import resolve_device
from outgrow.questions.measures.sampling import margins
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.saved.saved_student import Kept
from outgrow.teaching.students import no_progress

TRIED = 8  # thresholds at most
LEVEL = 0.95


@dataclass(frozen=True)
class Abstention:
    """Answers with a margin above `margin` are wrong on at most `wrong` of rows like the careful ones, with 95% confidence."""

    margin: float
    wrong: float
    answered: int  # careful rows above it
    mistakes: int  # of these
    careful: int


def abstention(margin: Floats, right: Floats, wrong: float, level: float = LEVEL) -> Abstention | None:
    """The lowest threshold that the careful rows' margins `[n]` and answers `[n]` (1: right) allow; None: there is none."""
    from scipy.special import bdtr

    n = len(margin)
    least = math.ceil(math.log((1 - level) / TRIED) / math.log1p(-wrong))  # rows without a mistake that would do
    if least > n:
        return None
    order = np.sort(margin)[::-1]
    counts = sorted({round(one) for one in np.geomspace(least, n, TRIED)}, reverse=True)
    for count in counts:
        edge = float(order[count]) if count < n else -1.0  # rows strictly above it are like any rows above it
        above = margin > edge
        answered, mistakes = int(above.sum()), int((right[above] == 0).sum())
        # So few mistakes would be rarer than this if more than `wrong` of the answers were wrong.
        if answered and float(bdtr(mistakes, answered, wrong)) <= (1 - level) / TRIED:
            return Abstention(edge, wrong, answered, mistakes, n)
    return None


def from_file(
    kept: Kept,
    careful: str | Path,
    wrong: float,
    *,
    inputs: str | None = None,
    label: str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Abstention:
    """The threshold by a file of careful labels of texts that the student did not learn.

    Raises UsageError with everything that is wrong, and where the labels are too few or the student is wrong too often.
    """
    problems: list[str] = []
    if kept.reading.inputs is not TEXT:
        raise UsageError(
            f"--abstain: the student reads a {kept.reading.inputs.name}: only answers on texts are left out"
        )
    table = read_table(careful, problems)
    column = label or "label"
    names: list[str | None] = []
    read = None
    if table is not None:
        names = table.names(column, "label", problems) if table.has(column, "the careful label", problems) else []
        reading = kept.reading if inputs is None else Reading.of(inputs)
        read = reading.rows(table, [None] * len(table), problems, distinct=False)
        strange = [row for row, name in enumerate(names) if name is not None and name not in kept.classes]
        if strange:
            problems.append(
                f"{careful}: label {names[strange[0]]!r} in {table.where(strange)} is none of the student's classes: "
                f"{', '.join(kept.classes)}"
            )
    if problems or read is None:
        raise UsageError(*dict.fromkeys(problems))
    rows = [row for row, name in enumerate(names) if name is not None]
    texts = [read.values[row] for row in rows]
    if not texts:
        raise UsageError(f"{careful}: no row has a careful label")
    answers = kept.student.reader(resolve_device(device, threads))(texts, no_progress)
    hard = harden(answers, [kept.reading.inputs.id(text) for text in texts]).tolist()
    right = np.array([kept.classes[one] == names[row] for one, row in zip(hard, rows, strict=True)], dtype=np.float64)
    found = abstention(margins(answers), right, wrong)
    if found is not None:
        return found
    needed = math.ceil(math.log((1 - LEVEL) / TRIED) / math.log1p(-wrong))
    if len(texts) < needed:
        raise UsageError(
            f"{careful}: {len(texts)} careful labels cannot show that at most {wrong:.1%} are wrong; label {needed} or more, "
            "or allow more by --abstain"
        )
    raise UsageError(
        f"{careful}: the student is wrong on more than {wrong:.1%} of these even where it is surest, as far as {len(texts)} "
        "labels can show; label more, allow more by --abstain, or teach a better student"
    )
