"""How a cell's numbers move with regularisation: student, ceiling and PGR at each l2 that was tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from outgrow.results.cells import RunToScore, Scored, cells_of, intervals_of
from outgrow.results.predictions import OWN, ModelKey, ceilings_of

STUDENT_AT, CEILING_AT = "student_l2:", "ceiling_l2:"  # roles in predictions.parquet: "student_l2:0.01"


def add_sensitivity(rows: Sequence[dict[str, Any]], asked: Sequence[RunToScore], scored: Scored) -> None:
    """Give each cell whose student was tried at several l2 `sensitivity`: a mapping an l2, in their order.

    Each holds what the cell itself holds of the three models, gain and PGR, with student and ceiling at that l2 and
    the same supervisor; `strong` is the entry that asks for such a student.
    """
    tried = _tried(scored)
    for runs, row in zip(cells_of(asked), rows, strict=True):
        first = runs[0]
        if first.test_set != OWN:
            continue
        found = [
            {
                "l2": l2,
                "strong": _entry(first.strong.written, l2),
                **intervals_of([_at(run, l2, scored) for run in runs], scored),
            }
            for l2 in tried.get((first.task, first.strong.name), [])
        ]
        if found:
            row["sensitivity"] = found


def _tried(scored: Scored) -> dict[tuple[str, str], list[float]]:
    """The strengths of each task's and student's heads."""
    found: dict[tuple[str, str], set[float]] = {}
    for model_key in scored.tables.probabilities:
        if model_key.role.startswith(STUDENT_AT) and model_key.strong is not None:
            l2 = float(model_key.role.removeprefix(STUDENT_AT))
            found.setdefault((model_key.task, model_key.strong), set()).add(l2)
    return {key: sorted(values) for key, values in found.items()}


def _at(run: RunToScore, l2: float, scored: Scored) -> RunToScore:
    """The same run with another strength of its student and of its ceiling."""
    names = (run.weak.name, run.strong.name, run.method.name)
    student = ModelKey(run.task, f"{STUDENT_AT}{l2!r}", *names, run.seed)
    ceilings = ceilings_of(run.task, f"{CEILING_AT}{l2!r}", names, run.seed)
    ceiling = next((model_key for model_key in ceilings if model_key in scored.tables.probabilities), None)
    return replace(run, models={**run.models, "student": student, "ceiling": ceiling})


def _entry(written: Any, l2: float) -> Any:
    """What the YAML says of such a student."""
    if isinstance(written, str):
        kind, colon, checkpoint = written.partition(":")
        return {kind: checkpoint, "l2": l2} if colon else {kind: {"l2": l2}}
    kind, options = next(iter(written.items()))
    return {kind: {**options, "l2": l2}} if isinstance(options, Mapping) else {**written, "l2": l2}
