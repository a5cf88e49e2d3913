"""The contract of an executor: it makes batches of steps somewhere, from work orders that are JSON values only.

An executor is a class, registered by name (`core/registry.py`), by a package's entry point in the group
`outgrow.executors`, or as `path/to/file.py:Name`. It is made once per run: `Class(store, machine, reports)`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

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
    device: str  # as the user wrote it: an executor resolves it where the work is done, to one for each process
    threads: int
    sources: Mapping[str, Any]  # fingerprint -> where on the machine that planned
    checkpoint_every: float | None = None  # seconds; see `step.Context`
    exact: bool = False  # no arithmetic: any device will do, and none has to be looked for
    flops: float = 0.0  # an estimate; without it, and without memory, it is not worth a GPU
    memory: float = 0.0  # bytes, an estimate: of models and their training, beside Python and the data
    host: str = ""  # where it was planned: elsewhere, files of the same path may hold something else
    processes: int = 1  # that make the steps together, each on a GPU of its own where the device is `cuda`

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

    def to_json(self) -> dict[str, Any]:
        """JSON values, for another process."""
        return {name: getattr(self, name) for name in ("sentences", "usage", "full", "trace")}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Failure:
        """What `to_json` gave, with the other process's trace as its cause."""
        words = {**values, "sentences": tuple(values["sentences"])}
        return cls(**words, cause=RemoteError(values["trace"]))


class RemoteError(Exception):
    """What another process printed when it failed."""


class Failed(Exception):
    """Another process could not do its part, for this reason."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(*failure.sentences)
        self.failure = failure


@dataclass(frozen=True)
class Outcome:
    """An order that has ended, with the device it was made on: seconds of such work (`Pace`), and why it failed if it did."""

    order: WorkOrder
    seconds: float
    failure: Failure | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON values, for the process that gave the order."""
        return {"seconds": self.seconds, "failure": None if self.failure is None else self.failure.to_json()}

    @classmethod
    def from_json(cls, order: WorkOrder, values: Mapping[str, Any]) -> Outcome:
        """The outcome of `order` from what `to_json` gave."""
        words = values["failure"]
        return cls(order, values["seconds"], None if words is None else Failure.from_json(words))


@dataclass(frozen=True)
class Reports:
    """What an executor reports while it works."""

    progress: Callable[[str, int, int], None]  # the order's name, units done, of total
    warn: Callable[[str], None]


def now_and_then(report: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """The same report of progress, made at most ten times a second."""
    last = 0.0

    def throttled(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 0.1:
            last = now
            report(done, total)

    return throttled


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
