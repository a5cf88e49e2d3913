"""Which rows of a file to label next, and how accurate a student is by rows that were drawn so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, harden
from outgrow.core.files.columns.row_text import render
from outgrow.core.files.streams import writer
from outgrow.core.files.tables import Table, read_table
from outgrow.core.identity import content_id
from outgrow.core.inputs.input_type import TEXT
from outgrow.execution.machine import resolve_device
from outgrow.execution.progress import Display, Silent
from outgrow.models.heads.solver import Solver, predict
from outgrow.questions.measures.sampling import inclusion, margins, spread, systematic, weighted
from outgrow.teaching.saved.saved_student import Kept
from outgrow.teaching.students import HeadStudent, no_progress

RANDOM = 0.5  # the share of uniform draws: see docs/guide/label-next.md
PROBABILITY, LABEL = "drawn_with", "careful_label"  # the columns that are added
LEAST = 20  # labels, to measure by


@dataclass(frozen=True)
class Batch:
    """Rows to label next: places in the file, from 0, and the probability that each had."""

    rows: Sequence[int]
    probability: Sequence[float]
    among: int  # distinct texts that they were drawn from


@dataclass(frozen=True)
class Measured:
    """A student's accuracy over the rows that a batch was drawn from, with its 95% interval."""

    estimate: float
    low: float
    high: float
    labels: int


def next_rows(
    kept: Kept,
    pool: str | Path,
    out: str | Path | None = None,
    *,
    rows: int = 100,
    random: float = RANDOM,
    known: Sequence[str | Path] = (),
    seed: int = 0,
    threads: int | None = None,
    device: str = "auto",
    display: Display | None = None,
) -> Batch:
    """Draw rows of a file to be labelled with care, and write them with the probability of each and an empty label.

    random: the share of the draws that is uniform; the others go by how unsure the student is. known: files whose texts have a
    careful label, and are left out. Raises UsageError with everything that is wrong.
    """
    problems: list[str] = []
    table, ids, texts = _texts(kept, pool, problems)
    left_out: set[str] = set()
    for path in known:
        left_out |= set(_texts(kept, path, problems)[1])
    first = {id_: row for row, id_ in reversed(list(enumerate(ids))) if id_ not in left_out}
    places = sorted(first.values())
    if not problems and len(places) < rows:
        problems.append(
            f"{pool}: holds {len(places)} distinct texts that are not labelled, fewer than the {rows} of --rows"
        )
    if table is not None:
        problems += [
            f"{pool}: has a column {name!r} already, which is added here; rename it"
            for name in (PROBABILITY, LABEL)
            if name in table.columns
        ]
    if problems or table is None:
        raise UsageError(*dict.fromkeys(problems))
    shown = display or Silent()
    shown.begin(1)
    shown.start("rows", "reading the texts")
    probabilities, features = _opinions(kept, [texts[row] for row in places], device, threads)
    shown.finish("rows", 1, None)
    drawn_with = inclusion((1 - margins(probabilities)) ** 2, rows, random)
    drawn = systematic(drawn_with, spread(features, probabilities, seed), seed)
    batch = Batch([places[place] for place in drawn.tolist()], drawn_with[drawn].tolist(), len(places))
    if out is not None:
        columns: dict[str, Sequence[Any]] = {
            name: [values[row] for row in batch.rows] for name, values in table.columns.items()
        }
        with writer(str(out), str(pool)) as append:
            append(
                {
                    **columns,
                    PROBABILITY: [float(f"{one:.9g}") for one in batch.probability],
                    LABEL: [None] * len(batch.rows),
                }
            )
    return batch


def measure(
    kept: Kept, batch: str | Path, label: str = LABEL, *, threads: int | None = None, device: str = "auto"
) -> Measured:
    """How often the student is right over all rows that a batch was drawn from, by the labels that were filled in.

    Each label counts as the inverse of its row's probability, so that it does not matter which rows were drawn more often; the
    student must not have learned them. Raises UsageError.
    """
    problems: list[str] = []
    table, ids, texts = _texts(kept, batch, problems)
    names: list[str | None] = []
    weights: list[Any] = []
    if table is not None and table.has(label, "the careful label", problems):
        names = table.names(label, "label", problems)
        wrong = [row for row, name in enumerate(names) if name is not None and name not in kept.classes]
        if wrong:
            problems.append(
                f"{batch}: label {names[wrong[0]]!r} in {table.where(wrong)} is none of the student's classes: "
                f"{', '.join(kept.classes)}"
            )
    if table is not None and table.has(PROBABILITY, "the probability of each row", problems):
        weights = list(table.columns[PROBABILITY])
        wrong = [row for row, value in enumerate(weights) if not 0 < _number(value) <= 1]
        if wrong:
            problems.append(f"{batch}: column {PROBABILITY!r} holds no probability above 0 in {table.where(wrong)}")
    filled = [row for row, name in enumerate(names) if name is not None]
    if not problems and len(filled) < LEAST:
        problems.append(f"{batch}: {len(filled)} rows have a label, too few to measure by: label {LEAST} or more")
    if problems:
        raise UsageError(*dict.fromkeys(problems))
    probabilities, _ = _opinions(kept, [texts[row] for row in filled], device, threads)
    answers = harden(probabilities, [ids[row] for row in filled])
    right = np.array(
        [kept.classes[place] == names[row] for place, row in zip(answers.tolist(), filled, strict=True)], float
    )
    return _interval(right, np.array([_number(weights[row]) for row in filled]))


def _interval(right: Floats, probability: Floats) -> Measured:
    """Wilson's interval for the effective number of labels."""
    from outgrow.questions.measures.powered import Powered

    found = weighted(right, probability)
    n = len(right)
    low, high = Powered(found.estimate, 0.0, found.error**2 * n, 0.0, 1.0, n).share()
    return Measured(found.estimate, low, high, n)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _texts(kept: Kept, path: str | Path, problems: list[str]) -> tuple[Table | None, list[str], list[str]]:
    if kept.reading.inputs is not TEXT:
        problems.append(f"the student reads a {kept.reading.inputs.name}: only rows of texts are drawn")
        return None, [], []
    table = read_table(path, problems)
    texts = None if table is None else render(table, str(kept.reading.keys["text"]), problems)
    return table, [content_id(one) for one in texts or ()], texts or []


def _opinions(kept: Kept, texts: Sequence[str], device: str, threads: int | None) -> tuple[Floats, Floats | None]:
    """Class probabilities `[n, classes]`, and the features `[n, d]` that they are made of; None of a finetuned student."""
    place = resolve_device(device, threads)
    student = kept.student
    if isinstance(student, HeadStudent):
        values = student.model.reader(student.location, place)(texts, no_progress).values
        return predict(values, student.head, Solver(norm=student.norm)), values
    return student.reader(place)(texts, no_progress), None
