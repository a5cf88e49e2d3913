"""Steps -> results in the store: what is missing is made, parents first, by an executor."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from types import FrameType
from typing import Any, NoReturn

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files.disk import FullDisk, this_host
from outgrow.core.identity import canonical_json
from outgrow.core.registry import find
from outgrow.core.text.units import shown_duration
from outgrow.execution.executors.executor import Executor, Failure, Outcome, Reports, WorkItem, WorkOrder
from outgrow.execution.machine import Machine, environment
from outgrow.execution.progress import Display, Silent
from outgrow.execution.schedule import Schedule, missing
from outgrow.execution.step import Step, kind_of
from outgrow.execution.store import Store
from outgrow.execution.throughput import LONG, Rates, matrix_product

OFTEN = 5  # a step whose node is lost that often in one run is a failed one
LARGE = 1e12  # FLOPs: less takes no ten minutes anywhere, and need not be guessed at


def execute(
    wanted: Sequence[Step],
    store: Store,
    machine: Machine,
    sources: Mapping[str, Any] | None = None,
    display: Display | None = None,
) -> None:
    """Make the steps that `wanted` needs and the store lacks; the bits do not depend on the executor.

    sources: fingerprint -> where the file or checkpoint is on this machine, as JSON values.
    When a step fails, those that do not need it are made all the same; then OutgrowError (UsageError if the input is at
    fault) names it, with the original error as its cause. FullDisk ends the run at once. All that was made is kept.
    """
    display = display or Silent()
    warn, store.warn = store.warn, display.note
    try:
        with store.lock(), _ended_by_sigterm():
            store.sweep()
            run = _Run(wanted, store, machine, sources or {}, display)
            if run.schedule.todo:
                run.to_the_end()
    finally:
        store.warn = warn


class _Run:
    """One run's state: what is still to be made, what is being made, what failed."""

    def __init__(
        self, wanted: Sequence[Step], store: Store, machine: Machine, sources: Mapping[str, Any], display: Display
    ) -> None:
        self.store, self.machine, self.sources, self.display = store, machine, sources, display
        self.rates = Rates(store)
        self.device = self.rates.device(machine.device)  # what is known of it before anything has run
        self.made: Counter[str] = Counter()
        self.failures: dict[str, tuple[Step, Failure]] = {}
        self.dropped: dict[str, Step] = {}
        self.total = 0
        self.product = 0.0  # FLOPs a second of a matrix product here; 0: not measured
        self.running: dict[str, list[Step]] = {}
        self.died: dict[str, Step] = {}  # steps whose process died: each gets one more try, with nothing beside it
        self.retried: set[str] = set()
        self.lost: Counter[str] = Counter()  # how often the place where a step was being made went away
        self.reused: list[str] = []
        self.schedule = Schedule(missing(wanted, self._present))
        self._note_differences()

    def to_the_end(self) -> None:
        """Hand out what can start and take what has ended, until nothing is left."""
        self.total = len(self.schedule.todo)
        self.display.begin(self.total)
        reports = Reports(self.display.advance, self.display.note)
        executor: Executor = find("executors", self.machine.executor_name).load()(self.store, self.machine, reports)
        now = True
        try:
            while self.schedule.todo:
                while executor.free() and not self.retried.intersection(self.running):
                    if not (steps := self.schedule.next()):
                        break
                    self._start(steps, executor)
                if self.died and not self.running:
                    key, step = self.died.popitem()
                    self.retried.add(key)
                    self._start([step], executor)
                elif self.schedule.todo:
                    assert self.running, "no step that is missing can start"
                    for outcome in executor.wait():
                        self._end(outcome)
            now = False
        finally:
            executor.close(now=now)
            self._keep_rates()
        if self.failures:
            self._fail()

    def _present(self, step: Step) -> bool:
        if self.store.open(step.key) is None:
            return False
        if not kind_of(step.kind).exact:
            self.reused.append(step.key)
        return True

    def _start(self, steps: list[Step], executor: Executor) -> None:
        # Another run on this store may have made them since.
        found = [step for step in steps if self.store.open(step.key) is not None]
        if found:
            self.schedule.done(found)
            self.total -= len(found)
            self._begin_again()
            steps = [step for step in steps if step not in found]
        ready: list[Step] = []
        lost: list[Step] = []
        for step in steps:
            gone = [parent for parent in step.parents.values() if self.store.open(parent.key) is None]
            (lost if gone else ready).append(step)
        if lost:
            self._make_parents_again(lost)
        if ready:
            order = self._order(ready)
            self._warn_if_long(ready)
            self.running[order.name] = ready
            self.display.start(order.name, _label(ready))
            executor.start(order)

    def _make_parents_again(self, steps: list[Step]) -> None:
        """A parent that was there has been damaged or removed: it comes first again."""
        parents = [parent for step in steps for parent in step.parents.values()]
        again = missing(parents, lambda step: step.key in self.schedule.todo or self.store.open(step.key) is not None)
        for step in again:
            if self.made[step.key] >= 3:
                raise OutgrowError(
                    f"{step.label or step.kind}: its result was lost again each of {self.made[step.key]} times it was "
                    f"made; check the disk of {self.store.root}"
                )
        known = [step for step in again if step.key in self.failures or step.key in self.dropped]
        self.schedule.add([*again, *steps])
        self.total += len(again)
        self._begin_again()
        if known:
            self.dropped.update((step.key, step) for step in self.schedule.failed(known))

    def _begin_again(self) -> None:
        self.display.begin(self.total, self.total - len(self.schedule.todo) - len(self.failures) - len(self.dropped))

    def _order(self, steps: list[Step]) -> WorkOrder:
        items = []
        for step in steps:
            parents = {role: parent.key for role, parent in step.parents.items()}
            # Through JSON everywhere, so that a step sees the same types in every executor.
            params = json.loads(canonical_json(step.params))
            record = {
                "kind": step.kind_identity,
                "version": kind_of(step.kind).version,
                "params": params,
                "parents": parents,
                "flops": float(step.flops),
            }
            items.append(WorkItem(step.key, params, parents, record))
        machine, exact = self.machine, kind_of(steps[0].kind).exact
        processes = max(step.processes for step in steps)
        return WorkOrder(
            asdict(find("step kinds", steps[0].kind)),
            tuple(items),
            "cpu" if exact else machine.device,
            machine.threads_for(processes),
            dict(self.sources),
            machine.checkpoint_seconds,
            exact,
            sum(float(step.flops) for step in steps),
            max(float(step.memory) for step in steps),
            this_host(),
            processes,
        )

    def _end(self, outcome: Outcome) -> None:
        steps = self.running.pop(outcome.order.name)
        if outcome.failure is None:
            self.schedule.done(steps)
            self.made.update(step.key for step in steps)
            made = outcome.order
            if not made.exact:
                self.device = made.device
                self.rates.add(steps, made.device, made.threads, outcome.seconds, self.machine.device)
            self.display.finish(outcome.order.name, len(steps), self._seconds_left())
            return
        self.display.finish(outcome.order.name, 0, None)
        if outcome.failure.full:
            raise FullDisk(outcome.failure.sentences[0]) from outcome.failure.cause
        failure, step = outcome.failure, steps[0]
        if failure.lost:
            self.lost.update(step.key for step in steps)
            if max(self.lost[step.key] for step in steps) < OFTEN:
                self.display.note(f"{_label(steps)}: {failure.sentences[0]}; it is made again")
                self.schedule.add(steps)
                return
        if len(steps) > 1:
            self.schedule.separate(steps)
            return
        if failure.died and step.key not in self.retried:
            self.died[step.key] = step
            self.display.note(
                f"{_label(steps)}: {failure.sentences[0]}; it is tried once more, alone, after the others"
            )
            return
        if failure.died:
            failure = replace(failure, sentences=(f"{failure.sentences[0]}, and again when it ran alone",))
        self.failures[step.key] = (step, failure)
        self.dropped.update((step.key, step) for step in self.schedule.failed(steps))

    def _fail(self) -> NoReturn:
        failures = list(self.failures.values())
        cause = failures[0][1].cause
        if all(failure.usage for _, failure in failures):
            raise UsageError(*dict.fromkeys(text for _, failure in failures for text in failure.sentences)) from cause
        lines = [f"{_label([step])}: {text}" for step, failure in failures for text in failure.sentences]
        if len(lines) > 5:
            lines[5:] = [f"and {len(lines) - 5} more"]
        needed = f", {len(self.dropped)} that need them were not started" if self.dropped else ""
        lines.append(
            f"{len(self.failures)} of {self.total} steps failed{needed}; what was made is kept: "
            "the same command goes on from here"
        )
        raise OutgrowError("\n".join(lines)) from cause

    def _seconds(self, steps: Sequence[Step]) -> float | None:
        return self.rates.seconds(steps, self.device, self.machine.threads_each)

    def _seconds_left(self) -> float | None:
        seconds = self._seconds(list(self.schedule.todo.values()))
        return seconds / (self.machine.jobs or max(1, len(self.running))) if seconds is not None else None

    def _warn_if_long(self, steps: list[Step]) -> None:
        seconds = self._seconds(steps)
        if seconds is not None and seconds > LONG:
            self.display.note(f"{_label(steps)}: expected to take about {shown_duration(seconds)}")
        flops = sum(step.flops for step in steps)
        if seconds is None and flops > LARGE and self.device == "cpu":
            self.product = self.product or matrix_product()
            if (seconds := flops / self.product) > LONG:
                self.display.note(
                    f"{_label(steps)}: how long this takes here is not known yet; "
                    f"at the rate of a matrix product it takes {shown_duration(seconds)}"
                )

    def _keep_rates(self) -> None:
        try:
            self.rates.save()
        except OutgrowError as error:
            self.display.note(f"the measured speed was not kept: {error}")

    def _note_differences(self) -> None:
        """One line if results that are used again were made with other threads, versions or another device."""
        differences: dict[str, set[str]] = {}
        here = environment(self.device, self.machine.threads_each)
        for key in self.reused:
            before: Mapping[str, Any] = self.store.meta(key).get("environment", {})
            for name, now in here.items():
                then = before.get(name, now)
                if then != now and not (name == "device" and "auto" in (then, now)):
                    differences.setdefault(name, set()).add(str(then))
        if differences:
            described = ", ".join(
                f"{name} {' and '.join(sorted(then))} (now {here[name]})" for name, then in differences.items()
            )
            self.display.note(
                f"results made earlier are used again, with {described}; they may differ in their last digits"
            )


def _label(steps: Sequence[Step]) -> str:
    label = steps[0].label or f"{steps[0].kind} {steps[0].key[:8]}"
    return label if len(steps) == 1 else f"{label} and {len(steps) - 1} more"


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind as an exit, so that workers end and the terminal is left in order."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
