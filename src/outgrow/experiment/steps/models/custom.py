"""The step of a user's own model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Labels
from outgrow.core.pool import Pool
from outgrow.execution.step import Context, Job, Kind, Step
from outgrow.experiment.steps.job_files import lesson, member, method_of, save, weights_of
from outgrow.experiment.steps.training_request import Training


def custom(jobs: Sequence[Job], context: Context) -> None:
    """Somebody's own model: fitted to its part of the data, asked about every row, or about those of another pool."""
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        rows, targets = lesson(job)
        if weights_of(job, rows) is not None:
            raise OutgrowError(f"{job.params['model']['member']['name']}: a model of this kind cannot weight its rows")
        model = member(job.params["model"]["member"], "models", context).load()(**job.params["model"]["options"])
        taught = data.examples(rows)
        fitted = model.fit(
            taught, Labels(taught.ids, targets), method_of(job.params["method"], context, targets), job.params["seed"]
        )
        if "asked" in job.parents:
            data = Pool.load(job.parents["asked"])
        everything = data.examples(np.arange(len(data.ids)))
        probabilities = np.asarray(fitted.predict(everything), dtype=np.float32)
        if probabilities.shape != (len(data.ids), len(data.classes)):
            raise OutgrowError(
                f"{job.params['model']['member']['name']}: predict returned an array of shape "
                f"{list(probabilities.shape)} for {len(data.ids)} examples of {len(data.classes)} classes"
            )
        save(job.folder, probabilities, data.allowed)


def _plan(asked: Training) -> Step:
    """A model that is fitted and asked by its own code."""
    params = {**asked.params, "model": asked.model.identity}
    if asked.terms.rows is not None:
        params["rows"] = asked.terms.rows
    return Step("custom", params, asked.parents, label=asked.label)


def _answer(trained: Step, pool: Step) -> Step:
    """The same model fitted again, as its own code leaves nothing to load, and asked about the other pool's rows."""
    return Step("custom", trained.params, {**trained.parents, "asked": pool}, label=f"{pool.label}: {trained.label}")


CUSTOM = Kind(1, custom, plan=_plan, answer=_answer)
