"""Experiment -> Steps: reads like the paper, computes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from outgrow.core.pool import Pool
from outgrow.execution.step import Step, kind_of, walk
from outgrow.experiment.planning.curves_and_controls import extras
from outgrow.experiment.planning.supervision import ceiling_step, student_step, supervisor_step, trained_alike
from outgrow.experiment.spec.method_entries import MethodSpec
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.experiment.spec.resolve import Resolved
from outgrow.experiment.spec.schema import Experiment
from outgrow.experiment.spec.task_entries import TaskSpec
from outgrow.experiment.steps.also_test import answers_of
from outgrow.experiment.steps.data import split_step
from outgrow.experiment.steps.order import order_step
from outgrow.experiment.steps.training_request import TaskPlan

HALF = 0.5  # of the rows are easy where an order is given and no share


def reporting(trained: Iterable[Step]) -> list[Step]:
    """The steps that trained models stand on whose results have something to report: cut texts, changed labels."""
    return [step for step in walk(trained) if kind_of(step.kind).reports]


@dataclass(frozen=True)
class FurtherTest:
    """A run's models on a further test set of its task: its pool, and each model's answers to the rows."""

    pool: Step
    supervisor: Step
    student: Step
    ceiling: Step | None

    @property
    def wanted(self) -> list[Step]:
        """The steps whose results are read when the run is scored there."""
        return [step for step in (self.pool, self.supervisor, self.student, self.ceiling) if step is not None]


@dataclass(frozen=True)
class Run:
    """One supervisor, one student, one method, one seed on one task: the steps whose predictions answer it."""

    task: str
    weak: ModelSpec
    strong: ModelSpec
    method: MethodSpec
    seed: int
    pool: Step
    split: Step
    supervisor: Step
    student: Step
    ceiling: Step | None  # None: no truth on transfer
    alike: bool = False  # whether the ceiling is trained by the method's procedure
    extras: Mapping[str, Step] = field(default_factory=dict)  # by role: label curve and controls, where asked for
    also_test: Mapping[str, FurtherTest] = field(default_factory=dict)  # by the further test set's name
    order: Step | None = None  # how difficult the task's rows are
    easiest: float = 1.0  # the share of rows that are easy, where there is an order

    @property
    def wanted(self) -> list[Step]:
        """The steps whose results are read when this run is scored."""
        trained = [step for step in (self.supervisor, self.student, self.ceiling) if step is not None]
        further = [step for test in self.also_test.values() for step in test.wanted]
        order = [] if self.order is None else [self.order]
        beneath = [] if self.weak.able.budget is None else [self.supervisor.parents["weak_labels"]]
        return [self.pool, self.split, *order, *trained, *beneath, *reporting(trained), *self.extras.values(), *further]


def more_than_ceiling(run: Run) -> str | None:
    """What a run's student is given beside its labels that its ceiling is not, after "the student"; None: nothing."""
    tried = run.method.candidates
    if run.alike:
        return None
    if any(one.parts.procedure is not None and one.parts.procedure.trains_further for one in tried or (run.method,)):
        return "are trained further"
    return f"are the best of {len(tried)} tried" if tried else None


@dataclass(frozen=True)
class Plan:
    """All runs of an experiment. Steps that two runs share are equal, and made once."""

    experiment: Experiment
    runs: tuple[Run, ...]
    sources: Mapping[str, Any]
    parameters: Mapping[str, int] = field(default_factory=dict)  # model entry -> how many it has, where that is known

    @property
    def wanted(self) -> list[Step]:
        """The steps whose results the run folder is written from, each once."""
        return list(dict.fromkeys(step for run in self.runs for step in run.wanted))


def plan(experiment: Experiment, ground: Resolved, pools: Mapping[str, Pool]) -> Plan:
    """Every cell at every seed, in the experiment's order."""
    runs = [
        plan_one(experiment, task, weak, strong, method, seed)
        for task in _tasks(experiment, ground, pools)
        for weak in experiment.weak
        for strong in experiment.strong
        for method in experiment.methods
        for seed in experiment.seeds
    ]
    counts = {spec.name: _parameters(spec, ground) for spec in experiment.models}
    return Plan(experiment, tuple(runs), ground.sources, {name: count for name, count in counts.items() if count})


def _parameters(spec: ModelSpec, ground: Resolved) -> int | None:
    """How many parameters a model has; of a supervisor with a budget of truth, those of the one beneath."""
    own = spec if spec.able.budget is None else spec.beneath[0]
    return own.able.count_parameters(ground.locations.get(own.name))


def _tasks(experiment: Experiment, ground: Resolved, pools: Mapping[str, Pool]) -> list[TaskPlan]:
    def shown(title: str) -> str:
        return experiment.names.get(title, title)

    return [
        _with_order(
            task,
            TaskPlan(
                shown(task.title),
                pools[task.title],
                ground.pools[task.title],
                experiment.split_of(task).dealt,
                ground.locations,
                {supervisor: step for (title, supervisor), step in ground.given.items() if title == task.title},
                also_test={
                    shown(name): step for (title, name), step in ground.also_test.items() if title == task.title
                },
            ),
        )
        for task in experiment.tasks
    ]


def _with_order(asked: TaskSpec, plan: TaskPlan) -> TaskPlan:
    """The task's plan with its rows ordered by difficulty, where it has an order."""
    if asked.order is None:
        return plan
    unnamed = replace(plan, title=asked.title)  # the title is in its key
    return replace(plan, order=order_step(unnamed, asked.order_column, asked.order_model), easiest=asked.easiest)


def plan_one(
    experiment: Experiment, task: TaskPlan, weak: ModelSpec, strong: ModelSpec, method: MethodSpec, seed: int
) -> Run:
    """The experiment of the paper (section 3): a supervisor's labels teach a student; the truth teaches its ceiling."""
    split = split_step(task, seed)
    supervisor = weak_labels = supervisor_step(task, weak, split, seed)
    student = student_step(task, strong, method, split, weak_labels, seed, partial=weak.partial)
    ceiling = None
    truth = bool((task.pool.labels[~task.pool.test] >= 0).all())
    alike = trained_alike(method, experiment.ceiling)
    if truth and strong.able.learns:
        ceiling = ceiling_step(task, weak, strong, split, weak_labels, seed, method if alike else None)
    more = extras(experiment, task, weak, strong, split, weak_labels, method, seed, truth=truth)
    further = {
        name: FurtherTest(
            pool,
            answers_of(supervisor, pool),
            answers_of(student, pool),
            None if ceiling is None else answers_of(ceiling, pool),
        )
        for name, pool in task.also_test.items()
    }
    ends = (supervisor, student, ceiling, alike, more, further)
    easy = min(task.easiest.values(), default=HALF)
    return Run(task.title, weak, strong, method, seed, task.step, split, *ends, task.order, easy)
