"""The executor `processes`: worker processes on this machine, which share its cores and GPUs."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing.connection import Connection, Pipe, wait
from typing import IO, Any

from outgrow.core.errors import UsageError
from outgrow.core.files import disk
from outgrow.execution.executors.carry_out import failure
from outgrow.execution.executors.executor import THREAD_VARIABLES, Failure, Outcome, RemoteError, Reports, WorkOrder
from outgrow.execution.machine import Machine
from outgrow.execution.store import Store

WORKER = "outgrow.execution.executors.worker"


def encode(value: Any) -> bytes:
    """A message between processes: JSON, so that nothing is ever unpickled."""
    return json.dumps(value).encode()


def decode(message: bytes) -> Any:
    """The value of a message."""
    return json.loads(message)


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection
    log: IO[bytes]  # what it and its libraries print: shown when it dies
    place: int  # which of the devices it uses, counted round
    order: WorkOrder | None = None
    since: float = 0.0


class Processes:
    """Up to `machine.jobs` processes of their own, started when needed, that live for many orders.

    They are started by command line and not by `multiprocessing`, which would run the user's own script again in each.
    """

    def __init__(self, store: Store, machine: Machine, reports: Reports) -> None:
        self._store, self._machine, self._reports = store, machine, reports
        self._environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(machine.threads_each))}
        self._workers: list[_Worker] = []
        self._waiting: WorkOrder | None = None  # for all others to end
        self._refused: list[Outcome] = []

    @cached_property
    def _devices(self) -> tuple[str, ...]:
        return self._machine.devices()

    def free(self) -> bool:
        """Whether a worker is idle or may still be started. An order of several processes has the machine to itself."""
        running = self._running()
        alone = self._waiting is not None or any(order.processes > 1 for order in running)
        return not alone and len(running) < (self._machine.jobs or 1)

    def start(self, order: WorkOrder) -> None:
        """Hand an order to an idle worker, or to a new one. Raises UsageError if its device is not there."""
        if order.processes > 1:
            try:
                order = replace(order, device=self._machine.devices_for(order.processes))
            except UsageError as error:
                self._refused.append(Outcome(order, 0.0, failure(error)))
                return
            if self._running():
                self._waiting = order
                return
        for worker in [worker for worker in self._workers if worker.order is None]:
            with contextlib.suppress(OSError):  # it died while idle
                return self._give(worker, order)
            self._end(worker)
        self._give(self._spawn(), order)

    def _running(self) -> list[WorkOrder]:
        return [worker.order for worker in self._workers if worker.order is not None]

    def _device(self, worker: _Worker, order: WorkOrder) -> str:
        if order.processes > 1:
            return order.device
        return "cpu" if order.exact else self._devices[worker.place % len(self._devices)]

    def _give(self, worker: _Worker, order: WorkOrder) -> None:
        worker.order = replace(order, device=self._device(worker, order))
        worker.since = time.perf_counter()
        # Loaded first, torch has its number of threads from the start.
        worker.connection.send_bytes(encode({"order": worker.order.to_json(), "torch": torch_is_loaded()}))

    def wait(self) -> list[Outcome]:
        """Pass progress on until an order has ended, well or not, or with its worker."""
        while not self._refused:
            busy = {worker.connection: worker for worker in self._workers if worker.order is not None}
            ended = [
                self._hear(busy[connection]) for connection in wait(list(busy)) if isinstance(connection, Connection)
            ]
            outcomes = [outcome for outcome in ended if outcome is not None]
            if outcomes:
                if self._waiting is not None and not self._running():
                    order, self._waiting = self._waiting, None
                    self.start(order)
                return outcomes
        refused, self._refused = self._refused, []
        return refused

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
            received = decode(worker.connection.recv_bytes())
        except (EOFError, OSError):
            return self._died(worker, order)
        match received:
            case {"progress": [done, total]}:
                self._reports.progress(order.name, done, total)
            case {"warning": sentence}:
                self._reports.warn(sentence)
            case {"outcome": outcome}:
                worker.order = None
                return Outcome.from_json(order, outcome)
        return None

    def _died(self, worker: _Worker, order: WorkOrder) -> Outcome:
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
        sentence = f"its worker process {_ending(code)}"
        return Outcome(order, seconds, Failure((sentence,), died=True, trace=trace, cause=RemoteError(trace)))

    def _spawn(self) -> _Worker:
        ours, theirs = Pipe()
        log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the worker
        code = f"import sys; sys.path[:] = sys.argv[3:]; from {WORKER} import main; main(*sys.argv[1:3])"
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", code, str(theirs.fileno()), str(self._store.root.absolute()), *sys.path],
                pass_fds=[theirs.fileno()],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        taken = {worker.place for worker in self._workers}
        worker = _Worker(process, ours, log, next(place for place in itertools.count() if place not in taken))
        self._workers.append(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        worker.process.kill()
        worker.process.wait()
        worker.connection.close()
        worker.log.close()
        self._workers.remove(worker)


def torch_is_loaded() -> bool:
    """Whether this process has loaded torch: then its workers do so before anything else."""
    return "torch" in sys.modules


def _ending(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "was killed (SIGKILL), most often because memory ran out"
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended by itself (exit code {code})"
