"""One model trained, as a step: dealt rows, frozen features, heads, finetuned models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from outgrow.experiment import Experiment
from outgrow.ground import Ground
from outgrow.models.probe import Probe
from outgrow.recipes import MethodSpec, method_spec
from outgrow.registry import find
from outgrow.specs import ModelSpec
from outgrow.steps import Step
from outgrow.tasks.contract import Pool

TRUTH: Literal["truth"] = "truth"
NAIVE = method_spec("naive")
TYPICAL_WIDTH = 512  # of features, for the estimate of a head's work before there are any
STOPS = tuple((place + 1) / 10 for place in range(10))  # shares of a head's training at which early stopping looks


@dataclass(frozen=True)
class TaskPlan:
    """What everything planned for one task stands on."""

    experiment: Experiment
    ground: Ground
    title: str
    pool: Pool

    @property
    def step(self) -> Step:
        """The pool's."""
        return self.ground.pools[self.title]


@dataclass(frozen=True)
class Terms:
    """How one training differs from the usual one; `methods.contract.Build.train` says what each means."""

    covered_by: Step | None = None
    fold: tuple[int, int] | None = None
    stop: Literal["weak", "truth"] | None = None
    rows: int | None = None  # learn the first so many rows of the part alone
    start: tuple[str, Mapping[str, Any]] | None = None
    asked: tuple[str, ...] = ()  # parts other than test whose predictions something reads


def deal(task: TaskPlan, seed: int) -> Step:
    """The seed's weak_train, transfer and validation rows; test is the pool's own."""
    params = {"seed": seed, **task.experiment.split.dealt}
    return Step("split", params, {"pool": task.step}, label=f"{task.title}: deal seed {seed}")


def train(
    task: TaskPlan,
    model: ModelSpec,
    part: str,
    split: Step,
    labels: Step | Literal["truth"],
    method: MethodSpec,
    seed: int,
    terms: Terms = Terms(),
) -> Step:
    """A model that learned a part of the data from the truth or from weak labels, with its predictions on every row."""
    parents = {"pool": task.step, "split": split}
    if isinstance(labels, Step):
        parents["weak_labels"] = labels
    if terms.covered_by is not None:
        parents["covered_by"] = terms.covered_by
    role = "supervisor" if part == "weak_train" else "ceiling" if labels == TRUTH else "student"
    label = f"{task.title}: {role} {model.name}, {method.name}, seed {seed}"
    params: dict[str, Any] = {
        "part": part,
        "targets": TRUTH if labels == TRUTH else "weak",
        "method": method.loss,
        "seed": seed,
        "classes": len(task.pool.classes),
    }
    if terms.fold is not None:
        params["fold"] = list(terms.fold)
        label += f", part {terms.fold[0] + 1} of {terms.fold[1]}"
    if terms.rows is not None:
        label += f", {terms.rows} rows"
    if model.role == "custom":
        params["model"] = model.identity
        return Step("custom", params, parents, label=label)
    if model.role == "prompt":
        return _prompt(task, model, params, parents, role, terms)
    if model.role == "finetune":
        return _finetune(task, model, params, parents, role, label, terms)
    return _heads(task, model, params, parents, label, terms)


def _heads(
    task: TaskPlan, model: ModelSpec, params: dict[str, Any], parents: dict[str, Step], label: str, terms: Terms
) -> Step:
    options = model.options
    parents = {**parents, "features": read(task, model)}
    params = {**params, "rows": terms.rows or options.rows, "solver": {"steps": options.steps, "lr": options.lr}}
    work = 4.0 * len(task.pool.ids) * TYPICAL_WIDTH * len(task.pool.classes) * options.steps
    strengths = options.l2 if isinstance(options.l2, list) else [options.l2]
    heads = [
        Step("head", {**params, **ended, "l2": l2}, parents, label=label, flops=work)
        for l2 in strengths
        for ended in ([{}] if terms.stop is None else [{"stop": share} if share < 1 else {} for share in STOPS])
    ]
    if len(heads) == 1:
        return heads[0]
    # The same rule for all: the smallest loss on validation, by the labels that the head itself learned from.
    judges = {role: parent for role, parent in parents.items() if role != "features"}
    targets = TRUTH if terms.stop == TRUTH else params["targets"]
    what = "the end" if terms.stop and len(strengths) == 1 else "l2 and the end" if terms.stop else "l2"
    return choose(judges, heads, {"targets": targets}, f"{label}: choose {what}")


def choose(judges: Mapping[str, Step], candidates: Sequence[Step], params: Mapping[str, Any], label: str) -> Step:
    """The best of several trained models on validation; judges: the steps that say what is right there."""
    width = max(2, len(str(len(candidates) - 1)))
    roles = {f"candidate_{place:0{width}}": step for place, step in enumerate(candidates)}
    return Step("choose", params, {**judges, **roles}, label=label)


def read(task: TaskPlan, model: ModelSpec) -> Step:
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


def frozen(model: ModelSpec) -> ModelSpec:
    """The model whose frozen features are a student's: itself, or for a finetuned one a probe of its checkpoint."""
    if model.role == "features":
        return model
    options = Probe(checkpoint=model.options.checkpoint, max_length=model.options.max_length)
    return ModelSpec(model.written, "features", "probe", options, find("models", "probe"))


def _prompt(
    task: TaskPlan, model: ModelSpec, params: dict[str, Any], parents: dict[str, Step], role: str, terms: Terms
) -> Step:
    """A language model's answers; without examples they depend on no seed, no label and no deal, but for what is read."""
    assert model.member is not None
    location, options = task.ground.locations[model.name], model.options
    parts = {"transfer", "validation"} if role == "supervisor" else set(terms.asked)
    reads = [part for part in ("transfer", "validation", "test") if part in parts or part == "test"]
    asked = {
        "model": dict(model.member.identity),
        "fingerprint": location.fingerprint,
        "options": options.identity(),
        "reads": reads,
    }
    label = f"{task.title}: {role} {model.name}"
    split = task.experiment.split.dealt
    count = int(task.pool.test.sum()) + sum(split[part] for part in reads if part != "test")
    tokens = sum(len(str(text)) for text in task.pool.inputs) / len(task.pool) / 4 + 8
    work = 2.0 * location.parameters * count * tokens * (1 + options.shots)
    if options.shots:
        asked |= {name: params[name] for name in ("part", "targets", "fold") if name in params}
        return Step("prompt", asked, parents, label=f"{label}, seed {params['seed']}", flops=work)
    needed = {name: parents[name] for name in ("pool", "split") if name == "pool" or reads != ["test"]}
    return Step("prompt", asked, needed, label=label, flops=work)


def _finetune(
    task: TaskPlan,
    model: ModelSpec,
    params: dict[str, Any],
    parents: Mapping[str, Step],
    role: str,
    label: str,
    terms: Terms,
) -> Step:
    """A whole model trained, with its predictions on the rows that anything reads."""
    location, options = task.ground.locations[model.name], model.options
    assert model.member is not None
    checkpoint = {"model": dict(model.member.identity), "fingerprint": location.fingerprint}
    parts = {"transfer", "validation"} if role == "supervisor" else set(terms.asked)
    reads = [part for part in ("transfer", "validation", "test") if part in parts or part == "test"]
    identity = options.identity()
    if terms.stop is not None:
        identity["early_stop"] = options.early_stop or len(STOPS)
        params |= {"judged_by": TRUTH} if terms.stop == TRUTH else {}
    params = {**params, **checkpoint, "options": identity, "rows": options.rows, "reads": reads}
    if role == "student" and options.keep:
        params["keep"] = True
    texts = len(task.pool.inputs)
    limit = options.max_length or 512
    words = sum(min(len(str(text)) / 4 + 2, limit) for text in task.pool.inputs) / texts  # tokens a text, about
    name = f"{task.title}: tokens of {options.checkpoint}"
    tokens = Step("tokens", {**checkpoint, **options.reading()}, {"pool": task.step}, label=name)
    split = task.experiment.split.dealt
    dealt = split[params["part"]] // (terms.fold[1] if terms.fold else 1)
    learned = min(dealt, options.rows or dealt) * options.epochs
    asked = int(task.pool.test.sum()) + sum(split[part] for part in reads if part != "test")
    work = (6.0 * learned + 2.0 * asked) * words * location.parameters
    parents = {**parents, "tokens": tokens}
    if terms.start is not None:
        kind, more = terms.start
        if kind == "probe":
            params["probe"] = dict(more)
        else:
            reading = {**checkpoint, "options": {**more, "precision": options.precision}, "seed": params["seed"]}
            shared = {role: parents[role] for role in ("pool", "split", "tokens")}
            name = f"{task.title}: {options.checkpoint} reads transfer, seed {params['seed']}"
            cost = 6.0 * split["transfer"] * more["epochs"] * words * location.parameters
            parents["start"] = Step("language", reading, shared, label=name, flops=cost)
    return Step("finetune", params, parents, label=label, flops=work)
