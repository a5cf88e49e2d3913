"""Somebody's labels (a person's, a crowd's, an LLM's, a rule's) from a file: each found its example, as probabilities.

Several rows for one example are votes: their probabilities are averaged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, Strings
from outgrow.core.files.columns.label_columns import (
    class_probabilities,
)
from outgrow.core.files.tables import read_table
from outgrow.core.inputs.input_type import TEXT, InputType, type_with_identity
from outgrow.core.pool import Source
from outgrow.core.text.units import plural
from outgrow.models.label_sources.match_rows import Found, examples_of, no_match


@dataclass(frozen=True)
class GivenLabels:
    """The labels over a whole pool, and what people should know of them."""

    probabilities: Floats  # [n_pool, classes] float32; NaN rows where no label was given
    notes: tuple[str, ...]
    counts: Mapping[str, int]  # train, train_rows, test, test_rows, votes, blank, left_out, unmatched


def read_given(
    path: str | Path,
    folder: Path,
    *,
    label: str | None = None,
    probabilities: Sequence[str] | Mapping[str, str] | None = None,
    on: str | None = None,
    text: str | None = None,
    columns: Mapping[str, Any] | None = None,
) -> GivenLabels:
    """The labels in a file for the pool saved in `folder`. Raises UsageError with everything that is wrong."""
    from pyarrow import parquet

    rows = parquet.ParquetFile(folder / "rows.parquet").read(columns=["id", "test"])
    about = json.loads((folder / "pool.json").read_text(encoding="utf-8"))
    return given_labels(
        path,
        np.array(rows["id"].to_pylist(), dtype=np.str_),
        rows["test"].to_numpy().astype(np.bool_),
        about["classes"],
        Source.load(folder / "source.parquet"),
        label=label,
        probabilities=probabilities,
        on=on,
        columns={"text": text, **(columns or {})},
        inputs=type_with_identity(about["input_type"]) if "input_type" in about else TEXT,
    )


def given_labels(
    path: str | Path,
    ids: Strings,
    test: NDArray[np.bool_],
    classes: Sequence[str],
    source: Source,
    *,
    label: str | None = None,
    probabilities: Sequence[str] | Mapping[str, str] | None = None,
    on: str | None = None,
    columns: Mapping[str, Any] | None = None,
    inputs: InputType = TEXT,
) -> GivenLabels:
    """The labels in a file for the examples `ids [n]`, of which `test [n]` are test rows.

    A label column (default `label`) or one probability column a class (default: columns named as the classes, or
    `p_<class>`). Rows find their example by the id column `on`, by their number (`on="row"`), else by the input
    itself, which its type reads by `columns`. Raises UsageError with everything that is wrong.
    """
    problems: list[str] = []
    table = read_table(path, problems)
    if table is None:
        raise UsageError(*problems)
    places = inputs.exchangeable and on is None and probabilities is None
    column = (label or "label") if places and (label or "label") in table.columns else None
    names = [] if column is None else table.names(column, "label", problems)
    found = examples_of(table, source, on, columns or {}, problems, inputs, names)
    if places:  # the type knows which of its parts a label means
        votes = None if found is None else _of_places(found, len(classes))
    else:
        votes = class_probabilities(table, classes, label, probabilities, problems)
    if problems or votes is None or found is None:
        raise UsageError(*dict.fromkeys(problems))
    if not places and found.orders is not None:
        votes = reordered(votes, found.orders)

    place = {id_: row for row, id_ in enumerate(ids.tolist())}
    of_task = set(source.ids.tolist())
    rows = np.array([place.get(id_ or "", -1) for id_ in found.ids], dtype=np.int64)
    blank = np.isnan(votes).any(axis=1)
    matched = np.array([id_ in of_task for id_ in found.ids], dtype=np.bool_)
    if not matched.any():
        raise UsageError(no_match(table, source, on))
    if not (matched & ~blank).any():
        raise UsageError(f"{table.name}: no row that belongs to an example of the task has a label")

    used = (rows >= 0) & ~blank
    result = np.zeros((len(ids), len(classes)))
    np.add.at(result, rows[used], votes[used])
    times = np.bincount(rows[used], minlength=len(ids))
    with np.errstate(invalid="ignore"):
        result = (result / times[:, None]).astype(np.float32)
    covered = times > 0
    counts = {
        "train": int((covered & ~test).sum()),
        "train_rows": int((~test).sum()),
        "test": int((covered & test).sum()),
        "test_rows": int(test.sum()),
        "votes": int(used.sum()),
        "blank": int(blank.sum()),
        "left_out": int((matched & ~blank & (rows < 0)).sum()),
        "unmatched": int((~matched).sum()),
    }
    return GivenLabels(result, _notes(counts), counts)


def _of_places(found: Found, classes: int) -> Floats:
    """Labels that name a part of the input as probabilities `[rows, classes]`; a tie is shared, a blank one NaN."""
    votes = np.full((len(found.ids), classes), np.nan)
    for row, label in enumerate(found.labels or ()):
        if label == "":
            count = classes if found.orders is None else len(found.orders[row] or range(classes))
            votes[row] = np.arange(classes) < count
            votes[row] /= count
        elif label is not None:
            votes[row] = np.arange(classes) == int(label)
    return votes


def reordered(votes: Floats, orders: Sequence[Sequence[int] | None]) -> Floats:
    """Votes on places of the file as votes on places of the input, `[rows, classes]`."""
    moved = np.where(np.isnan(votes), votes, 0.0)
    for row, order in enumerate(orders):
        if order is not None and not np.isnan(votes[row]).any():
            moved[row, : len(order)] = votes[row, list(order)]
    return moved


def _notes(counts: Mapping[str, int]) -> tuple[str, ...]:
    covered = counts["train"] + counts["test"]
    notes = [
        f"labels cover {counts['train']} of {counts['train_rows']} training rows "
        f"and {counts['test']} of {counts['test_rows']} test rows"
    ]
    if counts["votes"] > covered:
        notes.append(f"{counts['votes']} given labels for {covered} examples were averaged as votes")
    reasons = {
        "blank": "blank, and counted as not given",
        "left_out": "of examples that are not in the pool (duplicates, balance, split)",
        "unmatched": "without an example in the task",
    }
    return (*notes, *(f"{plural(counts[key], 'given row')} {why}" for key, why in reasons.items() if counts[key]))
