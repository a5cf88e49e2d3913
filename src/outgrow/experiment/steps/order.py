"""Easy to hard: a task's rows by difficulty, and splits of which some parts are dealt from the easy rows alone.

Hase et al. 2024 (arXiv 2401.06751) and Sun et al. 2024 (arXiv 2403.09472): supervision that exists for easy examples only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import Floats, Ints
from outgrow.core.pool import Pool, Source
from outgrow.execution.step import Context, Job, Kind, Step
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.experiment.steps.job_files import method_of
from outgrow.experiment.steps.models.heads import features_step
from outgrow.experiment.steps.training_request import NAIVE, TaskPlan
from outgrow.tasks.pool import deal

FOLDS = 5
PARTS_LEARNED = ("weak_train", "transfer")


def order(jobs: Sequence[Job], context: Context) -> None:
    """How difficult each row of the pool is: a column's value, or how unsure a model trained on the truth is of it."""
    for job in jobs:
        pool = Pool.load(job.parents["pool"])
        if "features" in job.parents:
            values = np.load(job.parents["features"] / "features.npy", mmap_mode="r")
            found = cross_fitted(pool, values, job.params, context)
        else:
            source = Source.load(job.parents["pool"] / "source.parquet")
            found = by_column(pool, source, job.params["column"], job.params["task"])
            found = -found if job.params["easiest"] == "high" else found
        np.save(job.folder / "difficulty.npy", found)


def by_column(pool: Pool, source: Source, column: str, task: str) -> Floats:
    """The mean of a column's numbers over each row's copies, `[n]`. Raises UsageError where it is no column of numbers."""
    if column not in source.columns:
        there = ", ".join(source.columns) or "no column that is kept"
        raise UsageError(f"{task}: order: the task has no column {column!r}; there is {there}")
    total, count = np.zeros(len(pool)), np.zeros(len(pool))
    place = {id_: row for row, id_ in enumerate(pool.ids.tolist())}
    for number, (id_, value) in enumerate(zip(source.ids.tolist(), source.columns[column], strict=True)):
        if id_ not in place:
            continue
        try:
            total[place[id_]] += float(value or "")
        except ValueError:
            raise UsageError(
                f"{task}: order: column {column!r} holds {value!r} in row {number + 1}, not a number"
            ) from None
        count[place[id_]] += 1
    if not np.isfinite(total).all():
        raise UsageError(f"{task}: order: column {column!r} holds a value that is not finite")
    return np.asarray(total / np.maximum(count, 1), dtype=np.float64)


def cross_fitted(pool: Pool, values: Floats, params: Mapping[str, Any], context: Context) -> Floats:
    """1 - the probability of the truth `[n]`, by heads that have not learned the row; NaN where the truth is not known.

    The rows that may be trained on are parted into folds by a hash of their group; of test rows, which no head has learned,
    it is the mean over heads.
    """
    from outgrow.models.heads.choices import predict_choices, solve_choices
    from outgrow.models.heads.solver import Problem, Solver, predict_all, solve

    solver = Solver(**params["solver"])
    known = pool.labels >= 0
    fold = np.array([blake2b(f"order:{group}".encode(), digest_size=8).digest()[0] % FOLDS for group in pool.groups])
    problems = []
    for number in range(FOLDS):
        rows = np.flatnonzero(~pool.test & known & (fold != number))
        if not len(rows):
            raise OutgrowError("order: too few rows with a known truth to learn which are easy")
        targets = pool.truth(rows).probabilities
        problems.append(
            Problem(rows, targets, None, method_of(params["method"], context, targets), params["l2"], number)
        )
    if pool.parts is None:
        heads = solve(values, problems, solver, context.device)
        predicted = predict_all(values, heads, solver)
    else:
        heads = solve_choices(values, pool.parts.places, problems, solver, context.device)
        predicted = [predict_choices(values, pool.parts.places, head, solver) for head in heads]
    truth = np.stack([one[np.arange(len(pool)), np.maximum(pool.labels, 0)] for one in predicted])
    own = truth[fold, np.arange(len(pool))]
    unsure: Floats = 1 - np.where(pool.test, truth.mean(axis=0), own).astype(np.float64)
    unsure[~known] = np.nan
    return unsure


def hardest_easy(pool: Pool, difficulty: Floats, share: float) -> float:
    """The difficulty up to which a row is easy: that of the given share of the rows that may be trained on."""
    known = np.sort(difficulty[~pool.test & ~np.isnan(difficulty)])
    if not len(known):
        raise OutgrowError("order: no row that may be trained on has a difficulty")
    return float(known[max(1, math.ceil(share * len(known))) - 1])


def deal_easy(
    pool: Pool, difficulty: Floats, shares: Mapping[str, float], seed: int, sizes: Mapping[str, int]
) -> dict[str, Ints]:
    """A seed's splits, with the parts in `shares` (part -> share) from the easiest rows alone.

    The other parts are those of `deal`, so that a student of all rows, and its ceiling, are the same whatever the supervisor
    learned from. Where both halves learn from easy rows, validation is of easy rows too. Raises UsageError where there are
    too few.
    """
    parts = {**shares, **({"validation": max(shares.values())} if len(shares) == len(PARTS_LEARNED) else {})}
    whole = deal(pool, seed, **sizes)
    dealt = {part: rows for part, rows in whole.items() if part not in parts}
    taken: NDArray[np.bool_] = pool.test | np.isin(
        pool.groups, pool.groups[np.concatenate([np.zeros(0, dtype=np.int64), *dealt.values()])]
    )
    for part, share in parts.items():
        if not sizes[part]:
            dealt[part] = whole[part]
            continue
        easy = difficulty <= hardest_easy(pool, difficulty, share)
        # `deal` gives transfer a row at least; here it may be one that another part gets later.
        asked = {"weak_train": 0, "transfer": 1, "validation": 0, part: sizes[part]}
        try:
            dealt[part] = deal(replace(pool, test=taken | ~easy), seed, **asked)[part]
        except UsageError as error:
            raise UsageError(
                *(f"train_on: of the easiest {share:g} of the rows: {text}" for text in error.problems)
            ) from None
        taken = taken | np.isin(pool.groups, pool.groups[dealt[part]])
    return {part: dealt[part] for part in sizes}


def order_step(task: TaskPlan, asked: Mapping[str, Any], model: ModelSpec | None) -> Step:
    """The step of a task's difficulties; model: the one that finds rows easy, else a column says so."""
    label = f"{task.title}: order by difficulty"
    if model is None:
        params = {"column": asked["column"], "easiest": asked["easiest"], "task": task.title}
        return Step("order", params, {"pool": task.step}, label=label)
    options = model.options
    solver = {"steps": options.steps, "lr": options.lr}
    l2 = options.l2[0] if isinstance(options.l2, list) else options.l2
    parents = {"pool": task.step, "features": features_step(task, model)}
    return Step("order", {"method": NAIVE.loss, "solver": solver, "l2": l2}, parents, label=label)


ORDER = Kind(1, order)
