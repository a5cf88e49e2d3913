"""The step of a prompted language model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Labels
from outgrow.core.pool import Pool
from outgrow.execution.step import Context, Job, Kind, Step
from outgrow.experiment.steps.job_files import lesson, save, truncated
from outgrow.experiment.steps.models.checkpoint import READING, with_checkpoints
from outgrow.experiment.steps.training_request import Training
from outgrow.models.prompt.ask import ask, chosen_shots
from outgrow.models.prompt.choices import ask_choices
from outgrow.models.prompt.options import Prompt


def prompt(jobs: Sequence[Job], context: Context) -> None:
    """A language model's answers to the rows that anything reads."""
    for job, location in with_checkpoints(jobs, context):
        data = Pool.load(job.parents["pool"])
        options = Prompt(checkpoint="known", **job.params["options"])
        shots: list[tuple[str, int]] = []
        if options.shots:
            rows, targets = lesson(job)
            hard = Labels(data.ids[rows], targets).hard
            taken = chosen_shots(hard, options.shots, len(data.classes))
            shots = [(data.inputs[rows[place]], int(hard[place])) for place in taken.tolist()]
        if "asked" in job.parents:  # the shots are of the pool, and the rows of another
            data = Pool.load(job.parents["asked"])
        parts = [np.flatnonzero(data.test)]
        parts += [np.load(job.parents["split"] / f"{part}.npy") for part in job.params["reads"] if part != "test"]
        wanted = np.unique(np.concatenate(parts))
        inputs = [data.inputs[row] for row in wanted.tolist()]
        if data.parts is None:
            found = ask(location, options, data.classes, inputs, shots, context.device, context.progress)
        else:
            found = ask_choices(location, options, inputs, context.device, context.progress)
        probabilities = np.full((len(data), len(data.classes)), np.nan, dtype=np.float32)
        probabilities[wanted] = 0
        probabilities[wanted, : found.probabilities.shape[1]] = found.probabilities
        save(job.folder, probabilities, data.allowed, truncated=found.truncated, shots=[label for _, label in shots])


def _plan(training: Training) -> Step:
    """A language model's answers; without examples they depend on no seed, no label and no deal, but for what is read."""
    task, model, params, parents = training.task, training.model, training.params, training.parents
    location, options, reads = task.locations[model.name], model.options, training.reads
    if options.shots and task.pool.parts is not None:
        raise UsageError(f"{task.title}: {model.name}: `shots` are for texts; a choice is scored without examples")
    asked = {
        "model": dict(model.member.identity),
        "fingerprint": location.fingerprint,
        "options": options.identity(),
        "reads": reads,
    }
    label = f"{task.title}: {training.role} {model.name}"
    split = task.sizes
    count = int(task.pool.test.sum()) + sum(split[part] for part in reads if part != "test")
    tokens = float(task.pool.sizes.mean()) / 4 + 8
    work = 2.0 * location.parameters * count * tokens * (1 + options.shots)
    memory = float(READING) * location.parameters
    if options.shots:
        asked |= {name: params[name] for name in ("part", "targets", "fold") if name in params}
        return Step("prompt", asked, parents, label=f"{label}, seed {params['seed']}", flops=work, memory=memory)
    needed = {name: parents[name] for name in ("pool", "split") if name == "pool" or reads != ["test"]}
    return Step("prompt", asked, needed, label=label, flops=work, memory=memory)


def _answer(trained: Step, pool: Step) -> Step:
    """The same question with the same shots about the other pool's rows."""
    params = {**trained.params, "reads": ["test"]}
    parents = {**trained.parents, "asked": pool} if trained.params["options"]["shots"] else {"pool": pool}
    label = f"{pool.label}: {trained.label}"
    return Step("prompt", params, parents, label=label, flops=trained.flops, memory=trained.memory)


PROMPT = Kind(2, prompt, plan=_plan, notes=truncated, answer=_answer)
