"""The steps of finetuned models: tokens, the language modelling before it, the training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core import group
from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import Ints, Labels
from outgrow.core.pool import Pool
from outgrow.execution.step import Context, Job, Kind, Step
from outgrow.experiment.steps.job_files import facts, lesson, method_of, save, targets_of, truncated, weights_of
from outgrow.experiment.steps.models.checkpoint import TRAINING, with_checkpoints
from outgrow.experiment.steps.training_request import STOPS, TRUTH, Training
from outgrow.models.checkpoints.tokens import Tokens
from outgrow.models.finetune import train as finetuning
from outgrow.models.finetune.classifier import predict
from outgrow.models.finetune.learning_curve import WATCHED, Watch
from outgrow.models.finetune.options import Finetune
from outgrow.models.finetune.pretraining import read_on
from outgrow.models.finetune.reading import opened, read_inputs
from outgrow.models.finetune.resume import Halfway
from outgrow.models.finetune.saved import keep
from outgrow.models.finetune.train import HeadFirst
from outgrow.models.finetune.weights import gathered, leave, taken_up

SCORE = ("score",)  # the one output of a model that scores candidates
WEIGHTS = "learned.safetensors"


def tokens(jobs: Sequence[Job], context: Context) -> None:
    """Every text of the pool as token ids; of pictures nothing but what they cost."""
    for job, location in with_checkpoints(jobs, context):
        options = {name: job.params[name] for name in ("max_length", "chat_template")}
        read_inputs(location, Pool.load(job.parents["pool"]).readings, **options).save(job.folder)


def finetune(jobs: Sequence[Job], context: Context) -> None:
    """A model finetuned on its part of the data: its predictions, its learning curve, and where asked for, itself."""
    for job, location in with_checkpoints(jobs, context):
        data = Pool.load(job.parents["pool"])
        if "start" in job.parents:  # a checkpoint that has read on
            location = replace(location, path=str(job.parents["start"] / "model"), hub=None, fingerprint="")
        options = Finetune.of(location.name, job.params["options"])
        read = opened(job.parents["tokens"], data, location)
        rows, targets = lesson(job)
        classes = data.classes if data.parts is None else SCORE
        made = finetuning.train(
            location,
            options,
            read,
            classes,
            finetuning.Lesson(
                rows,
                targets,
                method_of(job.params["method"], context, targets),
                job.params["seed"],
                weights_of(job, rows),
                allowed=None if data.allowed is None else data.allowed[rows],
            ),
            watch=_watch(job, data, options),
            device=context.device,
            scratch=job.folder,
            progress=context.progress,
            head_first=HeadFirst(**job.params["probe"]) if "probe" in job.params else None,
            halfway=_halfway(job, context),
        )
        wanted = _wanted(job, data)
        probabilities = np.full((len(data), len(data.classes)), np.nan, dtype=np.float32)
        probabilities[wanted] = finetuning.probabilities(made, read, wanted, options)
        save(job.folder, probabilities, data.allowed, taken_at=made.taken_at)
        (job.folder / "curve.json").write_text(json.dumps(made.curve, indent=1))
        if job.params.get("leave_weights"):
            leave(made, job.folder / WEIGHTS)
        if job.params.get("keep"):
            one = gathered(made, location, options, classes, job.folder / "scratch")
            if group.rank() == 0:
                (job.folder / "model").mkdir()
                keep(one, options, read.limit, job.folder / "model")


def finetune_answers(jobs: Sequence[Job], context: Context) -> None:
    """What a finetuned model gives the test rows of another pool."""
    for job, location in with_checkpoints(jobs, context):
        data = Pool.load(job.parents["pool"])
        if "start" in job.parents:
            location = replace(location, path=str(job.parents["start"] / "model"), hub=None, fingerprint="")
        options = Finetune.of(location.name, job.params["options"])
        read = opened(job.parents["tokens"], data, location)
        classes = data.classes if data.parts is None else SCORE
        weights = job.parents["trained"] / WEIGHTS
        loaded = taken_up(location, options, classes, weights, context.device, pictures=read.pictures)
        found = predict(loaded, read, np.arange(len(data)), options, context.progress)
        save(job.folder, found, data.allowed)


def _halfway(job: Job, context: Context) -> Halfway | None:
    if context.checkpoint_every is None or job.halfway is None:
        return None
    return Halfway(job.halfway, context.checkpoint_every, job.folder.with_name(f"{job.folder.name}.halfway"))


def language(jobs: Sequence[Job], context: Context) -> None:
    """A causal language model that has read the texts of transfer, without any label."""
    for job, location in with_checkpoints(jobs, context):
        rows = np.load(job.parents["split"] / "transfer.npy")
        parts = Pool.load(job.parents["pool"]).parts
        if parts is not None:
            rows = np.unique(parts.places[rows][parts.places[rows] >= 0])
        (job.folder / "model").mkdir()
        loss = read_on(
            location,
            Tokens.load(job.parents["tokens"]),
            rows,
            job.params["options"],
            job.params["seed"],
            job.folder / "model",
            context.device,
            context.progress,
        )
        (job.folder / "facts.json").write_text(json.dumps({"loss": loss}))


def _wanted(job: Job, data: Pool) -> Ints:
    """The rows that anything reads predictions of."""
    parts = [np.flatnonzero(data.test)] if "test" in job.params["reads"] else []
    parts += [np.load(job.parents["split"] / f"{part}.npy") for part in job.params["reads"] if part != "test"]
    return np.unique(np.concatenate(parts))


def _watch(job: Job, data: Pool, options: Finetune) -> Watch:
    """The first test rows (the pool is in the order of hashes, so that is a random sample), and validation if needed."""
    rows = np.flatnonzero(data.test)[:WATCHED]
    ids = data.ids[rows]
    weak = None
    if "weak_labels" in job.parents:
        given = np.load(job.parents["weak_labels"] / "probabilities.npy")[rows]
        unknown = np.isnan(given).any(axis=1)
        weak = np.where(unknown, -1, Labels(ids, np.where(unknown[:, None], 0, given)).hard)
    validation = judged = None
    if options.early_stop is not None and job.params.get("judged_by") == "truth":  # an oracle
        validation = np.load(job.parents["split"] / "validation.npy")
        judged = data.truth(validation).probabilities
    elif options.early_stop is not None:
        validation = np.load(job.parents["split"] / "validation.npy")
        judged = targets_of(job, data, validation)
        if np.isnan(judged).any(axis=1).all():
            raise OutgrowError(f"none of the {len(validation)} rows of validation has a label to stop early by")
    return Watch(rows, ids, data.labels[rows], weak, validation, judged)


def _plan(asked: Training) -> Step:
    """A whole model trained, with its predictions on the rows that anything reads."""
    task, model, terms, label, params = asked.task, asked.model, asked.terms, asked.label, asked.params
    location, options, reads = task.locations[model.name], model.options, asked.reads
    read = {"model": dict(model.member.identity), "fingerprint": location.fingerprint}
    identity = options.identity()
    if terms.stop is not None:
        identity["early_stop"] = options.early_stop or len(STOPS)
        params |= {"judged_by": TRUTH} if terms.stop == TRUTH else {}
    params = {**params, **read, "options": identity, "rows": terms.rows or options.rows, "reads": reads}
    if asked.role == "student" and options.keep:
        params["keep"] = True
    if task.also_test:
        params["leave_weights"] = True
    words = float(np.minimum(task.pool.sizes / 4 + 2, options.max_length or 512).mean())  # tokens per text, about
    name = f"{task.title}: tokens of {options.checkpoint}"
    tokens = Step("tokens", {**read, **options.reading()}, {"pool": task.step}, label=name)
    split = task.sizes
    dealt = split[params["part"]] // (terms.fold[1] if terms.fold else 1)
    learned = min(dealt, terms.rows or options.rows or dealt) * options.epochs
    predicted = int(task.pool.test.sum()) + sum(split[part] for part in reads if part != "test")
    work = (6.0 * learned + 2.0 * predicted) * words * location.parameters
    memory = float(TRAINING) * location.parameters
    parents = {**asked.parents, "tokens": tokens}
    if terms.start is not None:
        kind, more = terms.start
        if kind == "probe":
            params["probe"] = dict(more)
        else:
            reading = {**read, "options": {**more, "precision": options.precision}, "seed": params["seed"]}
            shared = {role: parents[role] for role in ("pool", "split", "tokens")}
            name = f"{task.title}: {options.checkpoint} reads transfer, seed {params['seed']}"
            cost = 6.0 * split["transfer"] * more["epochs"] * words * location.parameters
            if options.processes > 1:
                raise UsageError(
                    f"finetune:{location.name}: one process reads the texts for `generative`: leave it or `processes` out"
                )
            parents["start"] = Step("language", reading, shared, label=name, flops=cost, memory=memory)
    processes = options.processes
    return Step("finetune", params, parents, label=label, flops=work, memory=memory, processes=processes)


def _answer(trained: Step, pool: Step) -> Step:
    """The other pool's texts as tokens, and what the model gives them."""
    params = {name: trained.params[name] for name in ("model", "fingerprint", "options")}
    read = trained.parents["tokens"]
    tokens = Step(read.kind, read.params, {"pool": pool}, label=f"{pool.label}: {read.label}")
    parents = {"pool": pool, "tokens": tokens, "trained": trained}
    parents |= {role: step for role, step in trained.parents.items() if role == "start"}
    label = f"{pool.label}: {trained.label}"
    processes = trained.processes
    return Step("finetune_answers", params, parents, label=label, memory=trained.memory, processes=processes)


def _curve(folder: Path) -> Any:
    return json.loads((folder / "curve.json").read_text(encoding="utf-8"))


def _stopped(step: Step, folder: Path) -> dict[str, Any]:
    return {} if step.params["options"]["early_stop"] is None else {"stopped_at": facts(folder)["taken_at"]}


TOKENS = Kind(2, tokens, notes=truncated)
LANGUAGE = Kind(1, language)
FINETUNE = Kind(3, finetune, efficiency=0.4, plan=_plan, facts=_stopped, curve=_curve, answer=_answer)
FINETUNE_ANSWERS = Kind(1, finetune_answers, efficiency=0.4)
