"""Where steps are made: in this process, or in worker processes that are told what to do in JSON and end with it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files import disk
from outgrow.core.registry import Member, remember
from outgrow.execution.step import Context, Job
from outgrow.execution.store import Store

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)


@dataclass(frozen=True)
class WorkItem:
    """One step to make: JSON values only. `record` goes into artifact.json."""

    key: str
    params: Mapping[str, Any]
    parents: Mapping[str, str]  # role -> folder
    record: Mapping[str, Any]


@dataclass(frozen=True)
class WorkOrder:
    """Steps of one kind to make together, and what they may use: JSON values only."""

    kind: Mapping[str, Any]  # where their kind is found: see `registry.Member`
    items: tuple[WorkItem, ...]
    device: str
    threads: int
    sources: Mapping[str, str]
    checkpoint_every: float | None = None  # see `steps.Context`
    torch: bool = False  # whether to load torch first, so that it has its number of threads from the start

    @property
    def name(self) -> str:
        """What progress and outcome are reported under: the first step's key."""
        return self.items[0].key


@dataclass(frozen=True)
class Failure:
    """Why an order failed, in words that can travel between processes."""

    sentences: tuple[str, ...]
    usage: bool = False  # the user's input is at fault: exit code 2
    full: bool = False  # the disk is full: nothing else can be kept either
    died: bool = False  # the process ended
    trace: str = ""
    cause: BaseException | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Outcome:
    """An order that has ended: seconds of work, and why it failed if it did."""

    order: WorkOrder
    seconds: float
    failure: Failure | None = None


@dataclass(frozen=True)
class Reports:
    """What a lane says while it works."""

    progress: Callable[[str, int, int], None]  # the order's name, units done, of total
    warn: Callable[[str], None]


class Executor(Protocol):
    """A place where orders are carried out."""

    def free(self) -> bool:
        """Whether another order can be taken now."""

    def start(self, order: WorkOrder) -> None:
        """Take an order."""

    def wait(self) -> list[Outcome]:
        """The orders that have ended, at least one."""

    def close(self, *, now: bool) -> None:
        """End, at once and in the middle of orders if `now`."""


def carry_out(order: WorkOrder, store: Store, progress: Callable[[int, int], None]) -> Outcome:
    """Make the steps of an order and put them into the store, together."""
    begin = time.perf_counter()
    seconds = 0.0
    try:
        remember(order.sources)
        context = Context(order.device, order.threads, order.sources, progress, order.checkpoint_every)
        records = {item.key: dict(item.record) for item in order.items}
        with store.create_all(records) as folders:
            jobs = []
            for item, folder in zip(order.items, folders, strict=True):
                parents = {role: Path(path) for role, path in item.parents.items()}
                jobs.append(Job(folder, item.params, parents, store.halfway(item.key)))
            Member(**order.kind).load().make(jobs, context)
            seconds = time.perf_counter() - begin
            for record in records.values():
                record["seconds"] = seconds / len(records)
    except Exception as error:
        return Outcome(order, time.perf_counter() - begin, failure(error))
    return Outcome(order, seconds)


def failure(error: Exception) -> Failure:
    """What to say of an error."""
    match error:
        case UsageError():
            sentences = error.problems
        case OutgrowError():
            sentences = (str(error),)
        case MemoryError():
            sentences = ("memory ran out; fewer --jobs need less of it",)
        case _:
            text = " ".join(str(error).split())
            sentences = (f"{type(error).__name__}: {text[:500]} (--debug shows where)",)
    trace = "".join(traceback.format_exception(error))
    return Failure(sentences, isinstance(error, UsageError), disk.is_full_disk(error), trace=trace, cause=error)
