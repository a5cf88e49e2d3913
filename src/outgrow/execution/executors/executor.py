"""The contract of an executor: it makes batches of steps somewhere, from work orders that are JSON values only.

An executor is a class, registered by name (`core/registry.py`), by a package's entry point in the group
`outgrow.executors`, or as `path/to/file.py:Name`. It is made once per run: `Class(store, machine, reports)`.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from outgrow.core.errors import NO_MEMORY, OutgrowError, UsageError, foreign_code, is_out_of_memory
from outgrow.core.files import disk
from outgrow.core.registry import Member, remember
from outgrow.execution.machine import environment
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
    parents: Mapping[str, str]  # role -> key
    record: Mapping[str, Any]


@dataclass(frozen=True)
class WorkOrder:
    """Steps of one kind to make together, and what they may use: JSON values only.

    An executor may replace `device` and `threads` by what the place has where the work is done.
    """

    kind: Mapping[str, Any]  # where their kind is found: see `registry.Member`
    items: tuple[WorkItem, ...]
    device: str  # as the user wrote it: an executor resolves it where the work is done
    threads: int
    sources: Mapping[str, Any]  # fingerprint -> where on the machine that planned
    checkpoint_every: float | None = None  # seconds; see `step.Context`
    exact: bool = False  # no arithmetic: any device will do, and none has to be looked for
    flops: float = 0.0  # an estimate; 0: none worth a GPU
    memory: float = 0.0  # bytes, an estimate: of models and their training, beside Python and the data
    host: str = ""  # where it was planned: elsewhere, files of the same path may hold something else

    @property
    def name(self) -> str:
        """What progress and outcome are reported under: the first step's key."""
        return self.items[0].key

    def to_json(self) -> dict[str, Any]:
        """JSON values, for another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> WorkOrder:
        """What `to_json` gave."""
        return cls(**{**values, "items": tuple(WorkItem(**item) for item in values["items"])})


@dataclass(frozen=True)
class Failure:
    """Why an order failed, in words that can travel between processes."""

    sentences: tuple[str, ...]
    usage: bool = False  # the user's input is at fault: exit code 2
    full: bool = False  # the disk is full: nothing else can be kept either
    lost: bool = False  # the place of the work is gone, which says nothing of the work: it is asked for again
    died: bool = False  # the process ended: the step gets one more try, alone
    trace: str = ""
    cause: BaseException | None = field(default=None, compare=False)


class RemoteError(Exception):
    """What another process printed when it failed."""


@dataclass(frozen=True)
class Outcome:
    """An order that has ended, with the device it was made on: seconds of such work (`Pace`), and why it failed if it did."""

    order: WorkOrder
    seconds: float
    failure: Failure | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON values, for the process that gave the order."""
        words = None
        if self.failure is not None:
            words = {name: getattr(self.failure, name) for name in ("sentences", "usage", "full", "trace")}
        return {"seconds": self.seconds, "failure": words}

    @classmethod
    def from_json(cls, order: WorkOrder, values: Mapping[str, Any]) -> Outcome:
        """The outcome of `order` from what `to_json` gave."""
        words = values["failure"]
        if words is None:
            return cls(order, values["seconds"])
        trace = RemoteError(words["trace"])
        failure = Failure(**{**words, "sentences": tuple(words["sentences"])}, cause=trace)
        return cls(order, values["seconds"], failure)


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


@dataclass(frozen=True)
class Reports:
    """What an executor reports while it works."""

    progress: Callable[[str, int, int], None]  # the order's name, units done, of total
    warn: Callable[[str], None]


class Executor(Protocol):
    """A place where orders are carried out; made by `Class(store, machine, reports)`."""

    def free(self) -> bool:
        """Whether another order can be taken now."""

    def start(self, order: WorkOrder) -> None:
        """Take an order. Raises UsageError if the machine has not what was asked for."""

    def wait(self) -> list[Outcome]:
        """The orders that have ended since, at least one."""

    def close(self, *, now: bool) -> None:
        """End, at once and in the middle of orders if `now`."""


def carry_out(order: WorkOrder, store: Store, progress: Callable[[int, int], None]) -> Outcome:
    """Make the steps of an order in this process and put them into the store, together.

    The record of each says what it was made in: the versions, device and threads of this process.
    """
    begin = time.perf_counter()
    pace = Pace(begin, progress)
    try:
        remember(order.sources)
        elsewhere = order.host != disk.this_host()
        context = Context(order.device, order.threads, order.sources, pace, order.checkpoint_every, elsewhere)
        made_in = environment(order.device, order.threads)
        records = {item.key: {**item.record, "environment": made_in} for item in order.items}
        with store.create_all(records) as folders:
            jobs = []
            for item, folder in zip(order.items, folders, strict=True):
                parents = {role: store.folder(key).absolute() for role, key in item.parents.items()}
                jobs.append(Job(folder, item.params, parents, store.halfway(item.key)))
            with foreign_code("a plug-in"):
                Member(**order.kind).load().make(jobs, context)
            end = time.perf_counter()
            for record in records.values():
                record["seconds"] = (end - begin) / len(records)
    except Exception as error:
        return Outcome(order, time.perf_counter() - begin, failure(error))
    return Outcome(order, pace.seconds(end))


def failure(error: Exception) -> Failure:
    """What to say of an error."""
    match error:
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
