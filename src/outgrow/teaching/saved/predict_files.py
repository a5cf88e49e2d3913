"""A student's answers for every row of a file of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.answers import chosen_among
from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, Ints, harden
from outgrow.core.files.streams import ROWS, STDIN, Columns, chunks, writer
from outgrow.core.files.tables import Table
from outgrow.core.inputs.input_type import InputType
from outgrow.core.inputs.input_type import Read as Rows
from outgrow.execution.machine import resolve_device
from outgrow.execution.progress import Display, Silent
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.saved.saved_student import Kept, load
from outgrow.teaching.students import Read, no_progress


def predict_files(student: str | Path, source: str | Path, out: str | Path, **options: Any) -> int:
    """Label the rows of a file, or of a folder of pictures, by the student in a folder; how many rows there were.

    options: as `predict_file` has them. Raises UsageError and OutgrowError as it and `saved_student.load` do.
    """
    return predict_file(load(student), str(source), str(out), **options)


def predict_file(
    kept: Kept,
    source: str,
    out: str,
    *,
    inputs: str | Mapping[str, Any] | None = None,
    threads: int | None = None,
    device: str = "auto",
    display: Display | None = None,
    leave_formulas: bool = False,
    above: float | None = None,
) -> int:
    """Write each row with `label`, `p_<class>` and `margin`; how many rows there were.

    inputs: the columns to read, where they are called otherwise than those the student learned from. A student of
    choices writes the place of the best candidate in its row, and each one's probability; asked to read single texts,
    their `score`.
    The file is read twice, so that what is wrong in its last row is reported before any work; stdin cannot be. Columns of
    those names in the file itself become `input_<name>`. margin: the likeliest class's probability less the next one's.
    In CSV, a label that a spreadsheet would take for a formula gets an apostrophe in front, unless `leave_formulas`.
    above: answers whose margin is not above it are left blank (questions/abstain.py finds one).
    Raises UsageError on rows without an input, at their place.
    """
    reading, scores = _reading(kept, inputs)
    shown = display or Silent()
    total, width = 0, len(kept.classes)
    if source != STDIN:
        for table in _tables(source, reading):
            rows = _rows(table, reading)
            width = max(width, len(rows.classes or ()) if not scores else 0)
            total += len(table)
    done = 0
    with writer(out, source, () if leave_formulas else ("label",)) as append:
        read: Read | None = None
        shown.begin(1)
        shown.start("rows", "labelling")
        for table in _tables(source, reading):
            rows = _rows(table, reading)
            read = read or kept.student.reader(
                resolve_device(device, threads), scores=kept.reading.inputs.made_of is not None
            )
            if scores:
                answers: dict[str, Sequence[Any]] = {"score": _rounded(read(rows.values, no_progress))}
            elif reading.inputs.made_of is not None:
                answers = _of_places(_choices(rows, reading.inputs, width, table), read)
            else:
                probabilities = read(rows.values, no_progress)
                ids = [reading.inputs.id(value) for value in rows.values]
                answers = _answers(probabilities, harden(probabilities, ids), kept.classes, above)
            append(_beside(table, answers, shown.note))
            done += len(table)
            shown.advance("rows", done, total or done)
        shown.finish("rows", 1, None)
    return done


def _reading(kept: Kept, inputs: str | Mapping[str, Any] | None) -> tuple[Reading, bool]:
    """What to read of a row, and whether that is a single part of a student's choices. Raises UsageError."""
    own = kept.reading.inputs
    reading = kept.reading if inputs is None else Reading.of(inputs)
    scores = own.made_of is not None and reading.inputs.name == own.made_of
    if type(reading.inputs) is not type(own) and not scores:
        kinds = f"a {own.name}" + (f" or a {own.made_of}" if own.made_of else "")
        raise UsageError(f"--inputs: these are columns of a {reading.inputs.name}, and the student reads {kinds}")
    wrong = [] if scores else reading.problems(label=not reading.labels_inside)
    if wrong:
        raise UsageError(*[f"--inputs: {problem}" for problem in wrong])
    return reading, scores


def _tables(source: str, reading: Reading) -> Iterator[Table]:
    """The rows of a file, some at a time; of a folder, where the type has such, one row for each input in it."""
    if not (reading.inputs.folders and source != STDIN and Path(source).is_dir()):
        yield from chunks(source)
        return
    problems: list[str] = []
    table = reading.inputs.within(source, reading.keys, problems)
    if problems or table is None:
        raise UsageError(*problems)
    for start in range(0, len(table), ROWS):
        part = slice(start, start + ROWS)
        columns = {name: values[part] for name, values in table.columns.items()}
        yield Table(table.name, columns, table.places[part], table.unit)


def _rows(table: Table, reading: Reading) -> Rows:
    problems: list[str] = []
    found = reading.rows(table, [None] * len(table), problems, distinct=False)
    if problems or found is None:
        raise UsageError(*problems)
    return found


@dataclass(frozen=True)
class _Choices:
    """Rows whose classes are parts: the distinct parts, where they are, and the order that the file has them in."""

    ids: Sequence[str]
    parts: Sequence[Any]
    places: Ints  # [n, k], -1 where a row has fewer
    orders: Sequence[Sequence[int]]


def _choices(rows: Rows, inputs: InputType, width: int, table: Table) -> _Choices:
    found: dict[Any, int] = {}
    places = np.full((len(rows.values), width), -1, dtype=np.int64)
    for row, value in enumerate(rows.values):
        parts = inputs.parts(value)
        if len(parts) > width:
            raise UsageError(f"{table.name}, {table.where([row])}: has {len(parts)} candidates, earlier rows {width}")
        places[row, : len(parts)] = [found.setdefault(part, len(found)) for part in parts]
    orders = rows.orders or [range(width)] * len(places)
    return _Choices([inputs.id(value) for value in rows.values], list(found), places, orders)


def _of_places(choices: _Choices, read: Read) -> dict[str, Sequence[Any]]:
    """Answers about places, which are those of the file."""
    ours = chosen_among(read(choices.parts, no_progress), choices.places)
    best = harden(ours, choices.ids)
    theirs = np.zeros_like(ours)
    for row, order in enumerate(choices.orders):
        theirs[row, list(order)] = ours[row, : len(order)]
    hard = np.array([order[place] for order, place in zip(choices.orders, best.tolist(), strict=True)], dtype=np.int64)
    return _answers(theirs, hard, [str(place) for place in range(ours.shape[1])])


def _answers(
    probabilities: Floats, hard: Ints, classes: Sequence[str], above: float | None = None
) -> dict[str, Sequence[Any]]:
    ordered = probabilities.copy()
    ordered.sort(axis=1)
    sure = (ordered[:, -1] - ordered[:, -2] > (-1 if above is None else above)).tolist()
    names = [classes[place] if known else "" for place, known in zip(hard.tolist(), sure, strict=True)]
    answers: dict[str, Sequence[Any]] = {"label": names}
    answers |= {f"p_{name}": _rounded(column) for name, column in zip(classes, probabilities.T, strict=True)}
    answers["margin"] = _rounded(ordered[:, -1] - ordered[:, -2])
    return answers


def _beside(table: Table, answers: Mapping[str, Sequence[Any]], note: Callable[[str], None]) -> Columns:
    """The table's own columns and the answers; a column of a name that an answer has is renamed."""
    columns: dict[str, Sequence[Any]] = {}
    for name, values in table.columns.items():
        kept_as = name
        while kept_as in answers or (kept_as != name and kept_as in table.columns):
            kept_as = f"input_{kept_as}"
        if kept_as != name:
            note(f"column {name!r} of {table.name} is kept as {kept_as!r}, beside the student's own {name!r}")
        columns[kept_as] = values
    return {**columns, **answers}


def _rounded(values: Floats) -> list[float]:
    """Seven digits: what float32 holds."""
    return [float(f"{value:.7g}") for value in values.tolist()]
