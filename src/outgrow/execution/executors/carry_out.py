"""Carrying out a work order: the steps made in this process or by several together, and put into the store."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence

from outgrow.core.errors import NO_MEMORY, OutgrowError, UsageError, foreign_code, is_out_of_memory
from outgrow.core.files import disk
from outgrow.core.registry import Member, remember
from outgrow.execution.executors.executor import Failed, Failure, Outcome, WorkOrder
from outgrow.execution.executors.torchrun import make_together
from outgrow.execution.machine import environment
from outgrow.execution.step import Context, Job
from outgrow.execution.store import Store


class Pace:
    """What work takes once it is under way: without loading a model, the first use of kernels, and what was done before a kill.

    Called with units done, of total, as a step reports its progress.
    """

    def __init__(self, begin: float, progress: Callable[[int, int], None]) -> None:
        self._begin = begin
        self._progress = progress
        self._share = 0.0  # of the work, done before `_begin`

    def __call__(self, done: int, total: int) -> None:
        if self._share == 0 and 0 < done < total:
            self._begin, self._share = time.perf_counter(), done / total
        self._progress(done, total)

    def seconds(self, end: float) -> float:
        """Of the whole work, by what it took from the first report of progress to the end."""
        return (end - self._begin) / (1 - self._share)


def carry_out(order: WorkOrder, store: Store, progress: Callable[[int, int], None]) -> Outcome:
    """Make the steps of an order, in this process or in as many as it asks for, and put them into the store, together.

    The record of each says what it was made in: versions, device and threads, and processes where they were several.
    """
    begin = time.perf_counter()
    pace = Pace(begin, progress)
    try:
        made_in = environment(order.device, order.threads)
        if order.processes > 1:
            made_in["processes"] = order.processes
        records = {item.key: {**item.record, "environment": made_in} for item in order.items}
        with store.create_all(records) as folders:
            jobs = []
            for item, folder in zip(order.items, folders, strict=True):
                parents = {role: store.folder(key).absolute() for role, key in item.parents.items()}
                jobs.append(Job(folder, item.params, parents, store.halfway(item.key)))
            (make_together if order.processes > 1 else make)(order, jobs, pace)
            end = time.perf_counter()
            for record in records.values():
                record["seconds"] = (end - begin) / len(records)
    except Exception as error:
        return Outcome(order, time.perf_counter() - begin, failure(error))
    return Outcome(order, pace.seconds(end))


def make(order: WorkOrder, jobs: Sequence[Job], progress: Callable[[int, int], None]) -> None:
    """Make the steps of an order in this process, each into its job's folder."""
    remember(order.sources)
    elsewhere = order.host != disk.this_host()
    context = Context(order.device, order.threads, order.sources, progress, order.checkpoint_every, elsewhere)
    with foreign_code("a plug-in"):
        Member(**order.kind).load().make(jobs, context)


def failure(error: Exception) -> Failure:
    """What to say of an error."""
    match error:
        case Failed():
            return error.failure
        case UsageError():
            sentences = error.problems
        case OutgrowError():
            sentences = (str(error),)
        case _ if is_out_of_memory(error):
            sentences = (NO_MEMORY,)
        case _:
            text = " ".join(str(error).split())
            sentences = (f"{type(error).__name__}: {text[:500]} (--debug shows where)",)
    trace = "".join(traceback.format_exception(error))
    return Failure(sentences, isinstance(error, UsageError), disk.is_full_disk(error), trace=trace, cause=error)
