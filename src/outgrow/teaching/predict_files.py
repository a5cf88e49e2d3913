"""A student's answers for every row of a file of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, harden
from outgrow.core.files.row_text import render
from outgrow.core.files.streams import STDIN, Columns, chunks, writer
from outgrow.core.files.tables import Table
from outgrow.core.identity import content_id
from outgrow.execution.machine import resolve_device
from outgrow.execution.progress import Display, Silent
from outgrow.teaching.saved_student import Kept
from outgrow.teaching.students import no_progress


def predict_file(
    kept: Kept,
    source: str,
    out: str,
    *,
    threads: int | None = None,
    device: str = "auto",
    display: Display | None = None,
    leave_formulas: bool = False,
) -> int:
    """Write each row with `label`, `p_<class>` and `margin`; how many rows there were.

    The file is read twice, so that what is wrong in its last row is said before any work; stdin cannot be. Columns of
    those names in the file itself become `input_<name>`. margin: the likeliest class's probability less the next one's.
    In CSV, a label that a spreadsheet would take for a formula gets an apostrophe in front, unless `leave_formulas`.
    Raises UsageError on rows without a text, at their place.
    """
    shown = display or Silent()
    total = 0
    if source != STDIN:
        for table in chunks(source):
            _texts(table, kept)
            total += len(table)
    done = 0
    with writer(out, source, () if leave_formulas else ("label",)) as append:
        read: Any = None
        shown.begin(1)
        shown.start("rows", "labelling")
        for table in chunks(source):
            texts = _texts(table, kept)
            read = read or kept.student.reader(resolve_device(device, threads))
            append(_answered(table, texts, read(texts, no_progress), kept.classes, shown.note))
            done += len(table)
            shown.advance("rows", done, total or done)
        shown.finish("rows", 1, None)
    return done


def _texts(table: Table, kept: Kept) -> list[str]:
    problems: list[str] = []
    texts = render(table, kept.text, problems, distinct=False)
    if problems or texts is None:
        raise UsageError(*problems)
    return texts


def _answered(
    table: Table, texts: Sequence[str], probabilities: Floats, classes: Sequence[str], note: Callable[[str], None]
) -> Columns:
    ids = [content_id(text) for text in texts]
    ordered = probabilities.copy()
    ordered.sort(axis=1)
    answers: dict[str, Sequence[Any]] = {"label": [classes[place] for place in harden(probabilities, ids).tolist()]}
    answers |= {f"p_{name}": _rounded(column) for name, column in zip(classes, probabilities.T, strict=True)}
    answers["margin"] = _rounded(ordered[:, -1] - ordered[:, -2])
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
