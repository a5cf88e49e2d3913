"""The one call: plan an experiment, make what is missing, write the run folder, read it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files import disk
from outgrow.core.pool import Pool
from outgrow.execution.execute import execute
from outgrow.execution.machine import Machine
from outgrow.execution.notebook import usual_display
from outgrow.execution.progress import Display, Observer
from outgrow.execution.step import Step
from outgrow.execution.store import Store, default_store
from outgrow.experiment import run_folder
from outgrow.experiment.collect import collect
from outgrow.experiment.planning.plan import HALF, Plan, plan
from outgrow.experiment.spec.resolve import Resolved, check_splits, read_experiment, resolve_experiment
from outgrow.experiment.spec.schema import Experiment
from outgrow.experiment.spec.task_entries import TaskSpec
from outgrow.report import page as report
from outgrow.report.scene import ReportedRun
from outgrow.results.cells import Scored
from outgrow.results.run_results import Results
from outgrow.tasks.cut import kept_of


def prepare(experiment: Experiment, store: Store, machine: Machine, display: Display | None = None) -> Plan:
    """Fingerprint, read and pool every task, hold the splits against them, and plan. Trains nothing.

    Raises UsageError with everything found wrong in all files together.
    """
    ground = resolve_experiment(experiment)
    here = replace(machine, jobs=1, threads=machine.threads_each, executor=None)
    problems = list(ground.problems)
    others = [step.parents["other"] for step in ground.also_test.values()]
    for step in (*ground.pools.values(), *others, *ground.given.values(), *ground.also_test.values()):
        try:
            if all(store.has(parent.key) for parent in step.parents.values()):  # no given labels beside a faulty pool
                execute([step], store, here, ground.sources, display)
        except UsageError as error:
            problems += error.problems
    if problems:
        raise UsageError(*dict.fromkeys(problems))
    pools = {task: Pool.load(_opened(store, step)) for task, step in ground.pools.items()}
    check_splits(experiment, pools)
    cut = {
        task.title: Step("cut", kept, {"pool": ground.pools[task.title]}, label=f"{task.title}: leave out unused rows")
        for task in experiment.tasks
        if (kept := _kept(task, pools[task.title], experiment)) is not None
    }
    execute(list(cut.values()), store, here, ground.sources, display)
    smaller = {task: Pool.load(_opened(store, step)) for task, step in cut.items()}
    check_splits(experiment, smaller)
    pools |= smaller
    return plan(experiment, _with_pools(ground, cut), pools)


def _kept(task: TaskSpec, pool: Pool, experiment: Experiment) -> dict[str, Any] | None:
    """What a task's pool is cut to: the rows that it asks for, else those that its splits may need; None: it is whole."""
    if task.rows == "all":
        return None
    if task.rows is not None:
        return {"rows": task.rows, "exact": True} if int((~pool.test).sum()) > task.rows else None
    return kept_of(pool, _needed(task, experiment))


def _needed(task: TaskSpec, experiment: Experiment) -> dict[str, int]:
    """How many rows the splits are dealt from, by part: with an order, as many more as the hard ones are.

    For every part alike, so that tasks that differ in who learns from easy rows have the same pool.
    """
    share = 1.0 if task.order is None else min(task.easiest.values(), default=HALF)
    return {part: math.ceil(rows / share) for part, rows in experiment.split_of(task).dealt.items()}


def _with_pools(ground: Resolved, cut: Mapping[str, Step]) -> Resolved:
    """With other pools for some tasks, and the given labels read for these."""
    given = {
        (task, name): Step(step.kind, step.params, {"pool": cut[task]}, label=step.label) if task in cut else step
        for (task, name), step in ground.given.items()
    }
    return replace(ground, pools={**ground.pools, **cut}, given=given)


def run(
    experiment: Experiment | str | Path,
    *,
    store: str | Path | Store | None = None,
    out: str | Path | None = None,
    machine: Machine | None = None,
    display: Display | None = None,
    observer: Observer | None = None,
) -> Results:
    """Run an experiment, or the YAML file of one, and return its results; `out` (default `runs/<name>`) holds them too.

    What the store has is not made again. machine: what the work may use. observer: gets the plan before any work, and
    the report at the end.
    Raises UsageError for what cannot be done as asked, OutgrowError for failures; whatever was finished by then is kept.
    """
    if not isinstance(experiment, Experiment):
        experiment = read_experiment(Path(experiment))
    if not isinstance(store, Store):
        store = Store(disk.home(store) if store is not None else default_store())
    out = Path(out) if out is not None else Path("runs") / experiment.name
    display, machine = display or usual_display(), machine or Machine()
    with _with_warnings(store, display):
        planned = prepare(experiment, store, machine, display)
        if observer is not None:
            observer.planned(planned, store)
        asked_for = run_folder.identity(experiment, planned)
        if observer is None and run_folder.holds(out, asked_for) and all(store.has(s.key) for s in planned.wanted):
            return Results.read(out)
        if (lost := run_folder.replaced(out, experiment)) is not None:
            display.note(lost)
        for _ in range(3):  # an artifact may prove damaged only when it is read: it is made again then
            # A folder that cannot be written is named before hours of work.
            with disk.sentences(out, *run_folder.NAMED):
                out.mkdir(parents=True, exist_ok=True)
            execute(planned.wanted, store, machine, planned.sources, display)
            try:
                asked, tables, notes = collect(planned, lambda step: _opened(store, step))
                break
            except _Gone:
                continue
        else:
            raise OutgrowError(f"{store.root}: results there are damaged again and again; check the disk")
        made_with, work = _made_with(store, planned), _work(store, planned)
        shown_by = (experiment.metrics, experiment.controls, experiment.names)
        results = Results.compute(asked, tables, made_with, notes, *shown_by)
        reported = ReportedRun(experiment.name, results, asked, Scored(tables), experiment.to_yaml(), work)
        # Two runs may end in one folder at once: all that one leaves there comes before all of the other's.
        with disk.locked(out, exclusive=True, wait=True):
            run_folder.write(out, experiment, tables, results, {**work, "identity": asked_for})
            page = report.write([reported], out / run_folder.REPORT)
        if observer is not None:
            observer.finished(page)
    return replace(results, folder=out)


@contextmanager
def _with_warnings(store: Store, display: Display) -> Iterator[None]:
    """What the store finds damaged is reported at once, by every reader."""
    warn, store.warn = store.warn, display.note
    try:
        yield
    finally:
        store.warn = warn


def _made_with(store: Store, planned: Plan) -> dict[str, Any]:
    """The environment that the students were made in, perhaps earlier, a list of values where they were not made in one;
    and what was read: the hub's commit or a SHA-256 of each checkpoint, and of each file, a list where several share a
    name.
    """
    made = [store.meta(step.key)["environment"] for step in dict.fromkeys(run.student for run in planned.runs)]
    values = {
        name: sorted({environment.get(name) for environment in made}, key=str) for name in sorted(set().union(*made))
    }
    read: dict[str, dict[str, list[str]]] = {"checkpoints": {}, "files": {}}
    for fingerprint, source in planned.sources.items():
        kind, name = ("checkpoints", source["name"]) if isinstance(source, dict) else ("files", Path(source).name)
        read[kind].setdefault(name, []).append(fingerprint)
    return {
        **{name: _one_or_all(several) for name, several in values.items()},
        **{
            kind: {name: _one_or_all(sorted(prints)) for name, prints in sorted(found.items())}
            for kind, found in read.items()
            if found
        },
    }


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _work(store: Store, planned: Plan) -> dict[str, float]:
    """What went into a run, whenever that was: steps, seconds of work and FLOPs as estimated, of all that is still known."""
    steps = list(planned.wanted)
    seen: set[str] = set()
    total = {"steps": 0, "seconds": 0.0, "flops": 0.0}
    while steps:
        step = steps.pop()
        if step.key in seen:
            continue
        seen.add(step.key)
        steps += step.parents.values()
        if store.has(step.key):  # else it was pruned
            meta = store.meta(step.key)
            total["steps"] += 1
            total["seconds"] += meta.get("seconds", 0.0)
            total["flops"] += meta.get("flops", 0.0)
    return total


class _Gone(OutgrowError):
    """A step's result was in the store and is not any more."""


def _opened(store: Store, step: Step) -> Path:
    folder = store.open(step.key)
    if folder is None:
        raise _Gone(f"{step.label}: its result is gone from {store.root}; run the same command again")
    return folder
