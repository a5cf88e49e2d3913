"""Where steps are made: in this process, or in worker processes that are told what to do in JSON and end with it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import IO, Any, Protocol

from outgrow import disk
from outgrow.core import OutgrowError, UsageError
from outgrow.steps import Context, Job, Kind
from outgrow.store import Store

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)


@dataclass(frozen=True)
class Item:
    """One step to make: JSON values only. `record` goes into artifact.json."""

    key: str
    params: Mapping[str, Any]
    parents: Mapping[str, str]  # role -> folder
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Order:
    """Steps of one kind to make together, and what they may use: JSON values only."""

    target: str
    version: int
    items: tuple[Item, ...]
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

    order: Order
    seconds: float
    failure: Failure | None = None


@dataclass(frozen=True)
class Reports:
    """What a lane says while it works."""

    progress: Callable[[str, int, int], None]  # the order's name, units done, of total
    warn: Callable[[str], None]


class Lanes(Protocol):
    """A place where orders are carried out."""

    def free(self) -> bool:
        """Whether another order can be taken now."""

    def start(self, order: Order) -> None:
        """Take an order."""

    def wait(self) -> list[Outcome]:
        """The orders that have ended, at least one."""

    def close(self, *, now: bool) -> None:
        """End, at once and in the middle of orders if `now`."""


def carry_out(order: Order, store: Store, progress: Callable[[int, int], None]) -> Outcome:
    """Make the steps of an order and put them into the store, together."""
    begin = time.perf_counter()
    seconds = 0.0
    try:
        context = Context(order.device, order.threads, order.sources, progress, order.checkpoint_every)
        records = {item.key: dict(item.record) for item in order.items}
        with store.create_all(records) as folders:
            jobs = []
            for item, folder in zip(order.items, folders, strict=True):
                parents = {role: Path(path) for role, path in item.parents.items()}
                jobs.append(Job(folder, item.params, parents, store.halfway(item.key)))
            Kind(order.version, order.target).make(jobs, context)
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


def encode(value: Any) -> bytes:
    """A message between processes: JSON, so that nothing is ever unpickled."""
    return json.dumps(value).encode()


def decode(message: bytes) -> Any:
    """The value of a message."""
    return json.loads(message)


class Here:
    """The lane of this process: an order is carried out while it is waited for."""

    def __init__(self, store: Store, reports: Reports) -> None:
        self._store = store
        self._reports = reports
        self._order: Order | None = None

    def free(self) -> bool:
        """Whether no order was taken."""
        return self._order is None

    def start(self, order: Order) -> None:
        """Take an order."""
        self._order = order

    def wait(self) -> list[Outcome]:
        """Carry the order out."""
        order, self._order = self._order, None
        assert order is not None
        with _threads(order.threads):
            return [carry_out(order, self._store, lambda done, total: self._reports.progress(order.name, done, total))]

    def close(self, *, now: bool) -> None:
        """Nothing is left behind."""


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    """Hold torch to a number of threads in this process, whether it is loaded already or by the work itself."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else None
    variables = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    try:
        if torch is not None:
            torch.set_num_threads(count)
        else:
            os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(count)))
        yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection
    log: IO[bytes]  # what it and its libraries print: shown when it dies
    order: Order | None = None
    since: float = 0.0


class Workers:
    """Up to `count` processes of their own, started when needed, that live for many orders.

    They are started by command line and not by `multiprocessing`, which would run the user's own script again in each.
    """

    def __init__(self, store: Store, reports: Reports, count: int, threads: int) -> None:
        self._store = store
        self._reports = reports
        self._count = count
        self._environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
        self._workers: list[_Worker] = []

    def free(self) -> bool:
        """Whether a worker is idle or may still be started."""
        return sum(worker.order is not None for worker in self._workers) < self._count

    def start(self, order: Order) -> None:
        """Hand an order to an idle worker, or to a new one."""
        idle = [worker for worker in self._workers if worker.order is None]
        while idle:
            worker = idle.pop()
            with contextlib.suppress(OSError):  # it died while idle
                worker.connection.send_bytes(encode(asdict(order)))
                break
            self._end(worker)
        else:
            worker = self._spawn()
            worker.connection.send_bytes(encode(asdict(order)))
        worker.order, worker.since = order, time.perf_counter()

    def wait(self) -> list[Outcome]:
        """Pass progress on until an order has ended, well or not, or with its worker."""
        while True:
            busy = {worker.connection: worker for worker in self._workers if worker.order is not None}
            ended = [
                self._hear(busy[connection]) for connection in wait(list(busy)) if isinstance(connection, Connection)
            ]
            outcomes = [outcome for outcome in ended if outcome is not None]
            if outcomes:
                return outcomes

    def close(self, *, now: bool) -> None:
        """Let the workers go; whatever they had half written is removed."""
        if not now:
            for worker in self._workers:
                worker.connection.close()  # which is how a worker learns that it is over
            deadline = time.monotonic() + 5
            for worker in self._workers:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.process.wait(max(0.0, deadline - time.monotonic()))
        for worker in list(self._workers):
            self._end(worker)
        self._store.sweep()

    def _hear(self, worker: _Worker) -> Outcome | None:
        order = worker.order
        assert order is not None
        try:
            said = decode(worker.connection.recv_bytes())
        except (EOFError, OSError):
            return self._died(worker, order)
        match said:
            case {"progress": [done, total]}:
                self._reports.progress(order.name, done, total)
            case {"warning": sentence}:
                self._reports.warn(sentence)
            case {"seconds": seconds, "failure": None}:
                worker.order = None
                return Outcome(order, seconds)
            case {"seconds": seconds, "failure": words}:
                worker.order = None
                words["sentences"] = tuple(words["sentences"])
                return Outcome(order, seconds, Failure(**words, cause=RemoteError(words["trace"])))
        return None

    def _died(self, worker: _Worker, order: Order) -> Outcome:
        seconds = time.perf_counter() - worker.since
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(5)
        worker.log.seek(0)
        trace = worker.log.read()[-4000:].decode(errors="replace")
        code = worker.process.returncode
        self._end(worker)
        self._store.sweep()
        if code == -signal.SIGBUS and shutil.disk_usage(self._store.root).free < 2**20:
            full = disk.full_disk(RemoteError(trace), self._store.root)  # a mapped file that found no room
            return Outcome(order, seconds, Failure((str(full),), full=True, died=True, cause=full))
        sentence = (
            f"its worker process {_ending(code)}; give the same command again, with fewer --jobs if memory is short"
        )
        return Outcome(order, seconds, Failure((sentence,), died=True, trace=trace, cause=RemoteError(trace)))

    def _spawn(self) -> _Worker:
        ours, theirs = Pipe()
        log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the worker
        code = "import sys; sys.path[:] = sys.argv[3:]; from outgrow.worker import main; main(sys.argv[1], sys.argv[2])"
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", code, str(theirs.fileno()), str(self._store.root.absolute()), *sys.path],
                pass_fds=[theirs.fileno()],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        worker = _Worker(process, ours, log)
        self._workers.append(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        worker.process.kill()
        worker.process.wait()
        worker.connection.close()
        worker.log.close()
        self._workers.remove(worker)


class RemoteError(Exception):
    """What a worker process printed when it failed."""


def _ending(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "was killed (SIGKILL), most often because memory ran out"
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended by itself (exit code {code})"
