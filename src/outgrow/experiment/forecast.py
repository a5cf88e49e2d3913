"""What a run would do: its steps, done and new, with work and time, before any of it is started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from outgrow.core.text.units import plural, shown_duration
from outgrow.execution.machine import Machine
from outgrow.execution.step import Step, walk
from outgrow.execution.store import Store
from outgrow.execution.throughput import LONG, PaperRates, Rates
from outgrow.experiment.pipeline import prepare
from outgrow.experiment.spec.schema import Experiment

if TYPE_CHECKING:
    from rich.console import RenderableType

UNKNOWN = "not known yet"


def forecast(
    experiment: Experiment, store: Store, machine: Machine, paper: str | None = None
) -> Iterator[RenderableType]:
    """A table of the steps by kind, then sentences: how much is new, how long it may take, what takes over ten minutes.

    A time is given where a step of the same kind and model has run on this store, device and number of threads; with
    `paper`, an accelerator's name, every time is an estimate for that.
    """
    from rich.table import Table

    planned = prepare(experiment, store, machine)
    rates: Rates | PaperRates = Rates(store) if paper is None else PaperRates(paper)
    threads, source = machine.threads_each, "by the rates of earlier runs on this store"
    steps = list(walk(planned.wanted))
    new = [step for step in steps if not store.has(step.key)]

    def seconds(some: Sequence[Step]) -> float | None:
        return rates.seconds(some, machine.device, threads)

    table = Table("kind", "done", "new", "work (TFLOP)", "time", box=None, pad_edge=False)
    for kind in dict.fromkeys(step.kind for step in steps):
        of_kind = [step for step in steps if step.kind == kind]
        to_do = [step for step in new if step.kind == kind]
        work, time = sum(step.flops for step in to_do), seconds(to_do)
        shown = UNKNOWN if time is None else shown_duration(time)
        table.add_row(kind, str(len(of_kind) - len(to_do)), str(len(to_do)), f"{work / 1e12:.2f}", shown)
    yield table
    cells = len(planned.runs) // len(experiment.seeds)
    done = plural(len(steps) - len(new), "step")
    yield f"{plural(cells, 'cell')}, {plural(len(planned.runs), 'run')}: {done} done, {len(new):,} new."
    known = [step for step in new if seconds([step]) is not None]
    unknown = [step for step in new if step not in set(known)]
    total = (seconds(known) or 0.0) / (machine.jobs or 1)
    if paper is not None:
        yield (
            f"About {total / 3600:.1f} GPU hours on {paper}, on paper: FLOPs as the steps declare them, by the rate of its "
            "matrix products and the share of it that each kind reaches."
        )
        return
    if new and not unknown:
        yield f"About {shown_duration(total)} of work, {source}."
    if unknown:
        yield (
            f"How long {len(unknown)} of the new steps take is {UNKNOWN}: nothing of their kind and model has run on this "
            "store with this device and number of threads."
        )
        if total >= 1:
            yield f"About {shown_duration(total)} for the others, {source}."
    for step in known:
        if (time := seconds([step])) is not None and time > LONG:
            yield f"Long: {step.label}, about {shown_duration(time)}."
