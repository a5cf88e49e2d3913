"""The executor `local`: this process."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from outgrow.core.errors import UsageError
from outgrow.execution.executors.carry_out import carry_out, failure
from outgrow.execution.executors.executor import THREAD_VARIABLES, Outcome, Reports, WorkOrder
from outgrow.execution.machine import Machine
from outgrow.execution.store import Store


class InProcess:
    """One order at a time: it is carried out while it is waited for. Raises UsageError for more than one job."""

    def __init__(self, store: Store, machine: Machine, reports: Reports) -> None:
        if (machine.jobs or 1) > 1:
            raise UsageError(
                f"--jobs {machine.jobs}: one process does one thing at a time; choose --executor processes"
            )
        self._store, self._machine, self._reports = store, machine, reports
        self._order: WorkOrder | None = None

    @cached_property
    def _device(self) -> str:
        return self._machine.devices()[0]

    def free(self) -> bool:
        """Whether no order was taken."""
        return self._order is None

    def start(self, order: WorkOrder) -> None:
        """Take an order. Raises UsageError if its device is not there."""
        self._order = order if order.exact else replace(order, device=self._device)

    def wait(self) -> list[Outcome]:
        """Carry the order out."""
        order, self._order = self._order, None
        assert order is not None
        if order.processes > 1:
            try:
                order = replace(order, device=self._machine.devices_for(order.processes))
            except UsageError as error:
                return [Outcome(order, 0.0, failure(error))]
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
