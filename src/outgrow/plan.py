"""Experiment -> Steps: reads like the paper, computes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from outgrow.experiment import Experiment
from outgrow.ground import Ground
from outgrow.specs import MethodSpec, ModelSpec, method_spec
from outgrow.steps import Step
from outgrow.tasks.contract import Pool

TRUTH: Literal["truth"] = "truth"
TYPICAL_WIDTH = 512  # of features, for the estimate of a head's work before there are any


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


def readers(trained: Iterable[Step]) -> list[Step]:
    """The features or tokens that models learned on: they say how many texts were cut."""
    heads = [head for step in trained for head in (step.parents.values() if step.kind == "choose" else [step])]
    read = [parent for head in heads for role, parent in head.parents.items() if role in ("features", "tokens")]
    return list(dict.fromkeys(read))


@dataclass(frozen=True)
class Plan:
    """All runs of an experiment. Steps that two runs share are equal, and made once."""

    experiment: Experiment
    runs: tuple[Run, ...]
    sources: Mapping[str, Any]

    @property
    def wanted(self) -> list[Step]:
        """The steps whose results the run folder is written from, each once."""
        wanted: list[Step] = []
        for run in self.runs:
            trained = [step for step in (run.supervisor, run.student, run.ceiling) if step is not None]
            wanted += [run.pool, run.split, *trained, *readers(trained)]
        return list(dict.fromkeys(wanted))


def plan(experiment: Experiment, ground: Ground, pools: Mapping[str, Pool]) -> Plan:
    """Every cell at every seed, in the experiment's order."""
    runs = [
        plan_one(_Task(experiment, ground, task.title, pools[task.title]), weak, strong, method, seed)
        for task in experiment.tasks
        for weak in experiment.weak
        for strong in experiment.strong
        for method in experiment.methods
        for seed in experiment.seeds
    ]
    return Plan(experiment, tuple(runs), ground.sources)


@dataclass(frozen=True)
class _Task:
    experiment: Experiment
    ground: Ground
    title: str
    pool: Pool

    @property
    def step(self) -> Step:
        return self.ground.pools[self.title]


def plan_one(task: _Task, weak: ModelSpec, strong: ModelSpec, method: MethodSpec, seed: int) -> Run:
    """The experiment of the paper (section 3): a supervisor's labels teach a student; the truth teaches its ceiling."""
    split = deal(task, seed)
    if weak.role == "given":
        supervisor = weak_labels = task.ground.given[task.title, weak.name]
    else:
        supervisor = weak_labels = train(task, weak, "weak_train", split, TRUTH, NAIVE, seed)
    student = train(task, strong, "transfer", split, weak_labels, method, seed)
    ceiling = None
    if (task.pool.labels[~task.pool.test] >= 0).all():
        # Somebody's labels may leave rows of transfer out: the ceiling then learns from just the rows that they cover.
        covered_by = weak_labels if weak.role == "given" else None
        ceiling = train(task, strong, "transfer", split, TRUTH, NAIVE, seed, covered_by=covered_by)
    return Run(task.title, weak, strong, method, seed, task.step, split, supervisor, student, ceiling)


NAIVE = method_spec("naive")


def deal(task: _Task, seed: int) -> Step:
    """The seed's weak_train, transfer and validation rows; test is the pool's own."""
    params = {"seed": seed, **task.experiment.split.dealt}
    return Step("split", params, {"pool": task.step}, label=f"{task.title}: deal seed {seed}")


def train(
    task: _Task,
    model: ModelSpec,
    part: str,
    split: Step,
    labels: Step | Literal["truth"],
    method: MethodSpec,
    seed: int,
    *,
    covered_by: Step | None = None,
) -> Step:
    """A model that learned a part of the data from the truth or from weak labels, with its predictions on every row."""
    parents = {"pool": task.step, "split": split}
    if isinstance(labels, Step):
        parents["weak_labels"] = labels
    if covered_by is not None:
        parents["covered_by"] = covered_by
    role = "supervisor" if part == "weak_train" else "ceiling" if labels == TRUTH else "student"
    label = f"{task.title}: {role} {model.name}, {method.name}, seed {seed}"
    params: dict[str, Any] = {
        "part": part,
        "targets": TRUTH if labels == TRUTH else "weak",
        "method": list(method.identity),
        "seed": seed,
        "classes": len(task.pool.classes),
    }
    if model.role == "custom":
        params["model"] = model.identity
        return Step("custom", params, parents, label=label)
    if model.role == "finetune":
        return _finetune(task, model, params, parents, role, label)
    options = model.options
    parents["features"] = read(task, model)
    params |= {"rows": options.rows, "solver": {"steps": options.steps, "lr": options.lr}}
    work = 4.0 * len(task.pool.ids) * TYPICAL_WIDTH * len(task.pool.classes) * options.steps
    strengths = options.l2 if isinstance(options.l2, list) else [options.l2]
    heads = [Step("head", {**params, "l2": l2}, parents, label=label, flops=work) for l2 in strengths]
    if len(heads) == 1:
        return heads[0]
    # The same rule for all: the smallest loss on validation, by the labels that the head itself learned from.
    judges = {role: parent for role, parent in parents.items() if role != "features"}
    candidates = {f"candidate_{place:02}": head for place, head in enumerate(heads)}
    return Step("choose", {"targets": params["targets"]}, {**judges, **candidates}, label=f"{label}: choose l2")


def read(task: _Task, model: ModelSpec) -> Step:
    """The frozen features of every row of the pool: one pass a model and pool, whatever is learned on them."""
    location = task.ground.locations[model.name]
    assert model.member is not None
    params = {
        "model": dict(model.member.identity),
        "fingerprint": location.fingerprint,
        "options": model.options.identity(),
    }
    tokens = sum(len(str(text)) for text in task.pool.inputs) / 4 + 2 * len(task.pool.inputs)
    label = f"{task.title}: features of {model.options.checkpoint}"
    return Step("features", params, {"pool": task.step}, label=label, flops=2.0 * location.parameters * tokens)


def _finetune(
    task: _Task, model: ModelSpec, params: dict[str, Any], parents: Mapping[str, Step], role: str, label: str
) -> Step:
    """A whole model trained, with its predictions on the rows that anything reads."""
    location, options = task.ground.locations[model.name], model.options
    assert model.member is not None
    checkpoint = {"model": dict(model.member.identity), "fingerprint": location.fingerprint}
    reads = ["transfer", "validation", "test"] if role == "supervisor" else ["test"]
    params = {**params, **checkpoint, "options": options.identity(), "rows": options.rows, "reads": reads}
    if role == "student" and options.keep:
        params["keep"] = True
    texts = len(task.pool.inputs)
    limit = options.max_length or 512
    words = sum(min(len(str(text)) / 4 + 2, limit) for text in task.pool.inputs) / texts  # tokens a text, about
    name = f"{task.title}: tokens of {options.checkpoint}"
    tokens = Step("tokens", {**checkpoint, **options.reading()}, {"pool": task.step}, label=name)
    split = task.experiment.split.dealt
    learned = min(split[params["part"]], options.rows or split[params["part"]]) * options.epochs
    asked = int(task.pool.test.sum()) + (split["transfer"] + split["validation"] if role == "supervisor" else 0)
    work = (6.0 * learned + 2.0 * asked) * words * location.parameters
    return Step("finetune", params, {**parents, "tokens": tokens}, label=label, flops=work)
