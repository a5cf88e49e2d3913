"""Steps that deal with rows and given labels: pool, split, given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import OutgrowError
from outgrow.core.inputs.input_type import TEXT, InputType, type_with_identity
from outgrow.core.pool import Pool, Source
from outgrow.execution.step import Context, Job, Kind, Step
from outgrow.experiment.steps.job_files import facts, member, save
from outgrow.experiment.steps.training_request import TaskPlan, Training

NO_KEYS: Mapping[str, Any] = {}


def pool(jobs: Sequence[Job], context: Context) -> None:
    """A task's rows by content id, balanced, with their test rows fixed."""
    from outgrow.tasks.pool import build_pool

    for job in jobs:
        source = job.params["source"]
        made = build_pool(
            _raw_task(source, context),
            test_rows=job.params["test_rows"],
            balance=job.params["balance"],
            name=_origin(source, context),
        )
        made.save(job.folder)


def _origin(source: Mapping[str, Any], context: Context) -> str:
    """What sentences about a task's rows call it."""
    if "file" in source:
        return str(context.sources[source["file"]["sha256"]])
    if "named" in source:
        return str(source["named"])
    return str(source["hub"] if "hub" in source else source["task"]["name"])


def _raw_task(source: Mapping[str, Any], context: Context) -> Any:
    from outgrow.tasks.files import file_task, hub_task
    from outgrow.tasks.named.read import from_files, from_hub
    from outgrow.tasks.named.table import TASKS

    if "named" in source:
        task, form = TASKS[source["named"]], source["form"]
        if "hub" in source:
            return from_hub(task, source["commit"], form, source["test"])
        files = source["files"]
        learned, held_out = (
            {name: _path(file, context) for name, file in files[part].items()} for part in ("train", "test")
        )
        return from_files(task, learned, held_out, form)
    columns: dict[str, Any] = {key: source.get(key) for key in ("label", "group", "unlabelled", "max_classes")}
    kind = type_with_identity(source["inputs"]) if "inputs" in source else TEXT
    if "file" in source or "hub" in source:
        columns |= {"inputs": kind, **{key: source[key] for key in kind.columns if key in source}}
    if "file" in source:
        path, test = _path(source["file"], context, kind, columns), source.get("test")
        return file_task(path, **columns, test=_path(test, context, kind, columns) if test else None)
    if "hub" in source:
        where: dict[str, Any] = {key: source[key] for key in ("config", "split", "test")}
        return hub_task(source["hub"], source["commit"], **where, **columns)
    return member(source["task"], "tasks", context).load()(**source["options"])


def cut(jobs: Sequence[Job], context: Context) -> None:
    """A pool less the rows that no split needs."""
    from outgrow.tasks.cut import cut_pool

    for job in jobs:
        made = cut_pool(Pool.load(job.parents["pool"]), **job.params)
        replace(made, source=Source.load(job.parents["pool"] / "source.parquet")).save(job.folder)


def split(jobs: Sequence[Job], context: Context) -> None:
    """A seed's rows of weak_train, transfer and validation, as positions in the pool."""
    from outgrow.tasks.pool import deal

    for job in jobs:
        for part, rows in deal(Pool.load(job.parents["pool"]), **job.params).items():
            np.save(job.folder / f"{part}.npy", rows)


def easy_split(jobs: Sequence[Job], context: Context) -> None:
    """A seed's rows as `split` deals them, some parts of the easy rows alone."""
    from outgrow.experiment.steps.order import deal_easy

    for job in jobs:
        pool, difficulty = Pool.load(job.parents["pool"]), np.load(job.parents["order"] / "difficulty.npy")
        for part, rows in deal_easy(pool, difficulty, **job.params).items():
            np.save(job.folder / f"{part}.npy", rows)


def split_step(task: TaskPlan, seed: int) -> Step:
    """The seed's weak_train, transfer and validation rows; test is the pool's own."""
    if task.order is not None and task.easiest:
        easy = {"seed": seed, "shares": dict(task.easiest), "sizes": dict(task.sizes)}
        parents = {"pool": task.step, "order": task.order}
        return Step("easy_split", easy, parents, label=f"{task.title}: deal seed {seed}, easy rows first")
    params = {"seed": seed, **task.sizes}
    return Step("split", params, {"pool": task.step}, label=f"{task.title}: deal seed {seed}")


def given(jobs: Sequence[Job], context: Context) -> None:
    """Somebody's labels as probabilities of every row of the pool; rows without one are NaN."""
    from outgrow.models.label_sources.label_file import read_given

    for job in jobs:
        options = dict(job.params)
        path = _path(options.pop("file"), context)
        labels = read_given(path, job.parents["pool"], **options)
        probabilities, notes = labels.probabilities, list(labels.notes)
        allowed = Pool.load(job.parents["pool"]).allowed
        if allowed is not None:
            impossible = np.where(allowed, probabilities, 0).sum(axis=1) == 0
            probabilities[impossible] = np.nan
            if impossible.any():
                notes.append(
                    f"{int(impossible.sum())} given labels name a class that their row does not allow, and count as "
                    "not given"
                )
        save(job.folder, probabilities, allowed, notes=notes, counts=dict(labels.counts))


def _path(file: Mapping[str, str], context: Context, kind: InputType = TEXT, keys: Mapping[str, Any] = NO_KEYS) -> Path:
    """Where a file or folder is. Raises OutgrowError if it is not any more what the plan found."""
    path = Path(context.sources[file["sha256"]])
    if not path.exists() or kind.fingerprint(path, keys) != file["sha256"]:
        raise OutgrowError(f"{path}: was changed while the run went on; give the same command again")
    return path


def _notes(folder: Path) -> list[str]:
    return list(facts(folder)["notes"])


def _plan(asked: Training) -> Step:
    """The step that reads the labels, which depends on no seed: resolving the experiment found the file."""
    return asked.task.given[asked.model.name]


def _answer(trained: Step, pool: Step) -> Step:
    """A file of labels is of the task's rows: to those of another pool it has no answer."""
    return Step("no_answers", {}, {"pool": pool}, label=f"{pool.label}: {trained.label}")


def no_answers(jobs: Sequence[Job], context: Context) -> None:
    """No label for any row of the pool."""
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        save(job.folder, np.full((len(data), len(data.classes)), np.nan, dtype=np.float32))


POOL = Kind(2, pool, exact=True)
CUT = Kind(1, cut, exact=True)
SPLIT = Kind(1, split, exact=True)
EASY_SPLIT = Kind(2, easy_split, exact=True)
GIVEN = Kind(1, given, exact=True, notes=_notes, plan=_plan, answer=_answer)
NO_ANSWERS = Kind(1, no_answers, exact=True)
