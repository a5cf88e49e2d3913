"""The executor `ray`: steps as tasks of a Ray cluster, whose nodes see the store under one path.

A task gets a work order in JSON and answers in JSON; what it makes goes into the store, by the store's own rules, so that a
node that dies takes nothing finished along and two tasks of one step spoil nothing.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files import disk
from outgrow.core.identity import digest_file
from outgrow.execution.executors.carry_out import carry_out, failure
from outgrow.execution.executors.executor import THREAD_VARIABLES, Failure, Outcome, Reports, WorkOrder
from outgrow.execution.machine import Machine
from outgrow.execution.store import Store

SOURCES = "sources"  # in the store: plug-in files by fingerprint, for nodes that do not have them
ANSWER = 10.0  # seconds in which the head of a cluster answers
PATIENCE = 120.0  # seconds in which a shared file system shows on one node what another has written
FEW_THREADS = 4  # of a step, where the user does not say
BASE_MEMORY = 2.0**30  # bytes that a process needs beside its models: Python, torch, the data
PER_SLOT = 2  # orders that are handed to the cluster for each that it has room for, so that no node waits


class Ray:
    """Each order is a task that asks for cores, memory and, where it calculates and there are GPUs, one GPU a process.

    Ray chooses the node. Raises UsageError if Ray is not installed, or no cluster answers at `machine.address`.
    """

    def __init__(self, store: Store, machine: Machine, reports: Reports) -> None:
        if machine.device not in ("auto", "cpu", "cuda"):
            raise UsageError(
                f"--device {machine.device}: Ray gives each step a GPU of its own; choose auto, cpu or cuda with --executor ray"
            )
        self._store, self._machine, self._reports = store, machine, reports
        self._ray, self._connected = _connect(machine.address)
        self._task = self._ray.remote(_make)
        self._running: dict[Any, WorkOrder] = {}
        self._since: dict[Any, float] = {}
        self._ended: list[Outcome] = []
        self._looked = float("-inf")
        self._look()
        if machine.threads is not None and machine.threads > max(self._cores):
            reports.warn(
                f"--threads {machine.threads}: no node of the cluster has as many cores ({max(self._cores)}): "
                "steps wait until one joins"
            )
        self._threads = machine.threads or min(FEW_THREADS, *self._cores)
        self._gpu = machine.device == "cuda" or (machine.device == "auto" and max(self._gpus) > 0)
        self._warned = 0  # the most GPUs that a step asked for in vain

    def free(self) -> bool:
        """Whether fewer orders than `--jobs`, or than a few for each free place of the cluster, are on their way."""
        self._look()
        slots = sum(cores // self._threads for cores in self._cores)
        return len(self._running) < (self._machine.jobs or PER_SLOT * max(1, slots)) and not self._ended

    def start(self, order: WorkOrder) -> None:
        """Hand an order to the cluster. What only reads and deals rows is made here, where the data files are."""
        if order.exact:
            self._ended.append(carry_out(order, self._store, lambda done, total: None))
            return
        gpus = self._gpus_for(order)
        device = "cuda" if gpus == 1 else ",".join(f"cuda:{place}" for place in range(gpus)) or "cpu"
        order = replace(order, device=device, threads=self._threads)
        _share(order, self._store)
        message = json.dumps({"outgrow": version("outgrow"), "order": order.to_json()})
        needs = {
            "num_cpus": max(order.threads, min(order.threads * order.processes, max(self._cores))),
            "num_gpus": gpus,
            "memory": int(min(BASE_MEMORY * order.processes + order.memory, 0.9 * self._memory)),
        }
        # Ray's own retries know nothing of what is in the store by then: a lost step is asked for again by `execute`.
        variables = dict.fromkeys(THREAD_VARIABLES, str(order.threads))
        task = self._task.options(**needs, max_retries=0, name=order.kind["name"], runtime_env={"env_vars": variables})
        reference = task.remote(str(self._store.root.absolute()), message)
        self._running[reference], self._since[reference] = order, time.perf_counter()

    def _gpus_for(self, order: WorkOrder) -> int:
        """One for each process of an order that computes with a model."""
        gpus = order.processes if self._gpu and (order.flops or order.memory) else 0
        if gpus > max(1, *self._gpus, self._warned):
            self._warned = gpus
            self._reports.warn(
                f"a step asks for {gpus} GPUs, and no node of the cluster has as many ({max(self._gpus)}): it waits until one "
                "joins"
            )
        return gpus

    def wait(self) -> list[Outcome]:
        """The orders that have ended, well or not, or with their node."""
        ended, self._ended = self._ended, []
        if not ended:
            done, _ = self._ray.wait(list(self._running), num_returns=1)
            ended = [self._outcome(reference) for reference in done]
        return ended

    def close(self, *, now: bool) -> None:
        """Let go of the cluster; tasks that still run are cancelled."""
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        if self._connected:
            self._ray.shutdown()
        self._store.sweep()

    def _look(self) -> None:
        """What the nodes have, looked up every few seconds: they come and go."""
        if time.monotonic() - self._looked < 5:
            return
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        nodes = [node for node in nodes if node.get("CPU", 0) >= 1]  # a head without cores makes no step
        self._cores = [int(node["CPU"]) for node in nodes] or [1]
        self._gpus = [int(node.get("GPU", 0)) for node in nodes] or [0]
        self._memory = max((node.get("memory", 0.0) for node in nodes), default=0.0)
        self._looked = time.monotonic()

    def _outcome(self, reference: Any) -> Outcome:
        order = self._running.pop(reference)
        seconds = time.perf_counter() - self._since.pop(reference)
        errors = self._ray.exceptions
        try:
            values = json.loads(self._ray.get(reference))
        except (errors.NodeDiedError, errors.ObjectLostError) as error:
            return Outcome(order, seconds, Failure(("its node was lost",), lost=True, cause=error))
        except errors.OutOfMemoryError as error:
            sentence = "it was killed, since the memory of its node ran out"
            return Outcome(order, seconds, Failure((sentence,), died=True, trace=str(error), cause=error))
        except errors.WorkerCrashedError as error:
            return Outcome(order, seconds, Failure(("its process died",), died=True, trace=str(error), cause=error))
        except errors.RayError as error:
            return Outcome(order, seconds, failure(error))
        for sentence in values["warnings"]:
            self._reports.warn(sentence)
        outcome = Outcome.from_json(order, values["outcome"])
        if outcome.failure is None:
            _wait_for(self._store, [item.key for item in order.items])
        return outcome


def _connect(address: str | None) -> tuple[Any, bool]:
    """Ray, and whether it was connected here; with no address, the cluster of RAY_ADDRESS, or a new one on this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no report of what is run leaves the machine
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # nor does it warn of what it will do one day
    try:
        import ray
    except ImportError as error:
        raise UsageError("--executor ray: Ray is not installed: pip install 'outgrow[ray]'") from error
    if ray.is_initialized():
        return ray, False
    address = address or os.environ.get("RAY_ADDRESS")
    try:
        _check_reachable(address)
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        text = " ".join(str(error).split())[:300]
        raise UsageError(f"--address {address or '(none)'}: no Ray cluster can be used there: {text}") from error
    return ray, True


def _check_reachable(address: str | None) -> None:
    """Raise OSError where nothing answers at HOST:PORT; Ray itself would wait for a host that is not there without an end."""
    host, _, port = (address or "").rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER):
            pass


def _make(root: str, message: str) -> str:
    """On a node: carry out a work order on the store at `root`; the outcome and the store's warnings, in JSON."""
    values = json.loads(message)
    order = WorkOrder.from_json(values["order"])
    warnings: list[str] = []
    try:
        _check_node(Path(root), values["outgrow"])
        store = Store(Path(root), warnings.append)
        _wait_for(store, [key for item in order.items for key in item.parents.values()])
        if (torch := sys.modules.get("torch")) is not None:
            torch.set_num_threads(order.threads)
        outcome = carry_out(_found_here(order, store), store, lambda done, total: None)
    except OutgrowError as error:
        outcome = Outcome(order, 0.0, failure(error))
    return json.dumps({"outcome": outcome.to_json(), "warnings": warnings})


def _check_node(root: Path, expected: str) -> None:
    """Raise UsageError where a node cannot do the work at all."""
    here = f"the node {disk.this_host().rpartition('.')[0]}"
    if (found := version("outgrow")) != expected:
        raise UsageError(f"{here} has outgrow {found}, and this run {expected}: install the same version on all nodes")
    if not (root / "store.json").is_file():
        raise UsageError(
            f"{here} does not see the store at {root}: it has to be on a file system that all nodes share, under the same "
            "path; choose one with --store"
        )


def _wait_for(store: Store, keys: Iterable[str]) -> None:
    """Until the results are seen here: a network file system may show another node's after a while only."""
    deadline = time.monotonic() + PATIENCE
    for key in dict.fromkeys(keys):
        while not store.has(key):
            if time.monotonic() > deadline:
                raise OutgrowError(f"{store.folder(key)}: was made on another node and is not seen here; is it shared?")
            time.sleep(0.1)
            disk.entries(store.folder(key).parent)  # listing asks the server again


def _share(order: WorkOrder, store: Store) -> None:
    """Copy plug-in files into the store, for nodes that do not have them."""
    for fingerprint, place in order.sources.items():
        if isinstance(place, str) and place.endswith(".py"):
            copy = _copy(store, fingerprint, place)
            if not copy.is_file():
                copy.parent.mkdir(parents=True, exist_ok=True)
                beside = disk.temporary(copy.parent)
                shutil.copyfile(place, beside)
                os.replace(beside, copy)


def _copy(store: Store, fingerprint: str, place: str) -> Path:
    return store.root / SOURCES / fingerprint / Path(place).name


def _found_here(order: WorkOrder, store: Store) -> WorkOrder:
    """The order with its plug-in files as they are found on this node: at their path if it is the same file, else copied."""
    sources = dict(order.sources)
    for fingerprint, place in order.sources.items():
        if isinstance(place, str) and place.endswith(".py"):
            same = Path(place).is_file() and digest_file(Path(place)) == fingerprint
            sources[fingerprint] = place if same else str(_copy(store, fingerprint, place).absolute())
    kind = dict(order.kind)
    if (fingerprint := kind["identity"].get("file")) in sources:
        kind["target"] = f"{sources[fingerprint]}:{kind['identity']['name']}"
    return replace(order, sources=sources, kind=kind)
