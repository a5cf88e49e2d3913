"""What a run would do: its steps, done and new, with work and time, before any of it is started."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from outgrow.core.units import shown_duration
from outgrow.execution.execute import LONG
from outgrow.execution.machine import Machine
from outgrow.execution.step import Step, walk
from outgrow.execution.store import Store
from outgrow.execution.throughput import expected_rate, matrix_product, rate_name, rates
from outgrow.experiment.pipeline import prepare
from outgrow.experiment.spec.schema import Experiment

if TYPE_CHECKING:
    from rich.console import RenderableType


def forecast(experiment: Experiment, store: Store, machine: Machine) -> Iterator[RenderableType]:
    """A table of the steps by kind, then sentences: how much is new, how long it may take, what takes over ten minutes."""
    from rich.table import Table

    planned = prepare(experiment, store, machine)
    steps = list(walk(planned.wanted))
    new = [step for step in steps if not store.has(step.key)]
    seconds = _seconds(new, store, machine)
    by_kind: dict[str, list[Step]] = {}
    for step in steps:
        by_kind.setdefault(step.kind, []).append(step)
    table = Table("kind", "done", "new", "work (TFLOP)", "time", box=None, pad_edge=False)
    for kind, of_kind in by_kind.items():
        to_do = [step for step in of_kind if not store.has(step.key)]
        work, time = sum(step.flops for step in to_do), sum(seconds[step] for step in to_do)
        table.add_row(kind, str(len(of_kind) - len(to_do)), str(len(to_do)), f"{work / 1e12:.2f}", shown_duration(time))
    yield table
    cells = len(planned.runs) // len(experiment.seeds)
    total = sum(seconds.values()) / machine.jobs
    yield f"{cells} cells, {len(planned.runs)} runs: {len(steps) - len(new)} steps done, {len(new)} new."
    if new:
        yield f"About {shown_duration(total)} of work here, by {_source(new, store, machine)}."
    for step in new:
        if seconds[step] > LONG:
            yield f"Long: {step.label}, about {shown_duration(seconds[step])}."


def _seconds(steps: list[Step], store: Store, machine: Machine) -> dict[Step, float]:
    known = rates(store)
    context = machine.context({})
    unknown = any(step.flops and rate_name(step, context) not in known for step in steps)
    product = matrix_product() if unknown else 0.0

    def rate(step: Step) -> float:
        return known.get(rate_name(step, context)) or expected_rate(step.kind, product)

    return {step: step.flops / rate(step) if step.flops else 0.0 for step in steps}


def _source(steps: list[Step], store: Store, machine: Machine) -> str:
    known, context = rates(store), machine.context({})
    if all(rate_name(step, context) in known for step in steps if step.flops):
        return "the rates that earlier runs on this store had"
    return "the rate of a matrix product here, measured just now"
