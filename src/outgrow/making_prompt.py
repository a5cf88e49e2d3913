"""What the step of a prompted language model does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outgrow.core import Labels
from outgrow.making import lesson, save
from outgrow.models.contract import Location
from outgrow.models.prompt_options import Prompt
from outgrow.models.prompted import ask, chosen_shots
from outgrow.steps import Context, Job
from outgrow.tasks.contract import Pool


def prompt(jobs: Sequence[Job], context: Context) -> None:
    """A language model's answers to the rows that anything reads."""
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        options = Prompt(checkpoint="known", **job.params["options"])
        location = Location(**context.sources[job.params["fingerprint"]])
        shots: list[tuple[str, int]] = []
        if options.shots:
            rows, targets = lesson(job)
            hard = Labels(data.ids[rows], targets).hard
            taken = chosen_shots(hard, options.shots, len(data.classes))
            shots = [(str(data.inputs[rows[place]]), int(hard[place])) for place in taken.tolist()]
        parts = [np.flatnonzero(data.test)]
        parts += [np.load(job.parents["split"] / f"{part}.npy") for part in job.params["reads"] if part != "test"]
        wanted = np.unique(np.concatenate(parts))
        texts = [str(data.inputs[row]) for row in wanted.tolist()]
        found = ask(location, options, data.classes, texts, shots, context.device, context.progress)
        probabilities = np.full((len(data), len(data.classes)), np.nan, dtype=np.float32)
        probabilities[wanted] = found.probabilities
        save(job.folder, probabilities, truncated=found.truncated, shots=[label for _, label in shots])
