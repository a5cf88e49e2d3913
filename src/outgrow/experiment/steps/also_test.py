"""A further test set of a task: its rows as a pool, and what the task's models answer to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.pool import Pool
from outgrow.core.text.units import plural
from outgrow.execution.step import Context, Job, Kind, Step, kind_of


def keep_further(jobs: Sequence[Job], context: Context) -> None:
    """The test rows of another pool, in a task's classes, without those that are among the task's training rows."""
    for job in jobs:
        made = further_rows(Pool.load(job.parents["pool"]), Pool.load(job.parents["other"]), job.params["name"])
        made.save(job.folder)


def further_rows(task: Pool, other: Pool, name: str) -> Pool:
    """The rows of `other` that test `task`'s models: all its test rows but those in the normal form of a training row.

    Raises UsageError where input types or classes differ, or no row is left; its sentences begin with `name`.
    """
    if other.input_type.name != task.input_type.name:
        raise UsageError(
            f"{name}: its inputs are of type {other.input_type.name}, and the task's of type {task.input_type.name}"
        )
    order = _order_of_classes(task, other, name)
    form = task.input_type.normal_form
    learned = {form(task.inputs[row]) for row in np.flatnonzero(~task.test).tolist()}
    rows = np.flatnonzero(other.test)
    kept = np.array([row for row in rows.tolist() if form(other.inputs[row]) not in learned], dtype=np.int64)
    if not len(kept):
        raise UsageError(f"{name}: all of its {plural(len(rows), 'test row')} are among the task's training rows")
    notes = list(other.notes)
    if len(kept) < len(rows):
        notes.append(f"{plural(len(rows) - len(kept), 'test row')} left out: in the task's training rows too")
    allowed = None
    if other.allowed is not None:
        allowed = np.zeros((len(kept), len(task.classes)), dtype=np.bool_)
        allowed[:, order] = other.allowed[kept]
    return replace(
        other,
        ids=other.ids[kept],
        inputs=[other.inputs[row] for row in kept.tolist()],
        labels=order[other.labels[kept]],
        classes=task.classes,
        groups=other.groups[kept],
        test=np.ones(len(kept), dtype=np.bool_),
        notes=tuple(notes),
        allowed=allowed,
    )


def _order_of_classes(task: Pool, other: Pool, name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Of each class of `other`, its number in the task; of classes that are places, the task has as many or more."""
    differ = (
        set(other.classes) - set(task.classes) if task.input_type.exchangeable else {*other.classes} ^ {*task.classes}
    )
    if differ:
        what = "candidates in a row" if task.input_type.exchangeable else "classes"
        raise UsageError(
            f"{name}: its {what} are {', '.join(other.classes)}, and the task's are {', '.join(task.classes)}; a further "
            f"test set has the task's own"
        )
    return np.array([task.classes.index(one) for one in other.classes], dtype=np.int64)


def answers_of(trained: Step, pool: Step) -> Step:
    """What a trained model answers to the rows of a further test set: a step of its own, beside the training.

    Raises OutgrowError for a step kind that does not say how it answers other rows.
    """
    answer = kind_of(trained.kind).answer
    if answer is None:
        raise OutgrowError(
            f"{trained.label}: its step kind {trained.kind} does not say how a trained model answers other rows "
            "(`Kind.answer`), which `also_test` needs"
        )
    return answer(trained, pool)


FURTHER_ROWS = Kind(1, keep_further, exact=True)
