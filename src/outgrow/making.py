"""What each kind of step does: read the parents' folders, write its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core import Floats, Ints, Labels, OutgrowError, Strings, digest_file
from outgrow.methods.composed import compose
from outgrow.methods.contract import Method
from outgrow.models.contract import Location
from outgrow.registry import Member, find
from outgrow.steps import Context, Job
from outgrow.tasks.contract import Pool

PARTS = ("weak_train", "transfer", "validation")


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
        return str(_path(source["file"], context))
    return str(source["hub"] if "hub" in source else source["task"]["name"])


def _raw_task(source: Mapping[str, Any], context: Context) -> Any:
    from outgrow.tasks.files import file_task, hub_task

    columns: dict[str, Any] = {key: source.get(key) for key in ("text", "label", "group", "unlabelled")}
    if "file" in source:
        path, test = _path(source["file"], context), source.get("test")
        return file_task(path, **columns, test=_path(test, context) if test else None)
    if "hub" in source:
        where: dict[str, Any] = {key: source[key] for key in ("config", "split", "test")}
        return hub_task(source["hub"], source["commit"], **where, **columns)
    return member(source["task"], "tasks", context).load()(**source["options"])


def split(jobs: Sequence[Job], context: Context) -> None:
    """A seed's rows of weak_train, transfer and validation, as positions in the pool."""
    from outgrow.tasks.pool import deal

    for job in jobs:
        for part, rows in deal(Pool.load(job.parents["pool"]), **job.params).items():
            np.save(job.folder / f"{part}.npy", rows)


def given(jobs: Sequence[Job], context: Context) -> None:
    """Somebody's labels as probabilities of every row of the pool; rows without one are NaN."""
    from outgrow.labels.given import read_given

    for job in jobs:
        options = dict(job.params)
        path = _path(options.pop("file"), context)
        labels = read_given(path, job.parents["pool"], **options)
        save(job.folder, labels.probabilities, notes=list(labels.notes), counts=dict(labels.counts))


def features(jobs: Sequence[Job], context: Context) -> None:
    """One pass of a frozen model over every row of the pool."""
    for job in jobs:
        location = Location(**context.sources[job.params["fingerprint"]])
        model = member(job.params["model"], "models", context).load()
        made = model(checkpoint=location.name, **job.params["options"]).features(
            Pool.load(job.parents["pool"]).inputs, location, context.device, context.progress
        )
        np.save(job.folder / "features.npy", made.values)
        facts = {"truncated": made.truncated, "tokens": made.tokens, "padding": made.padding}
        (job.folder / "facts.json").write_text(json.dumps(facts))


def heads(jobs: Sequence[Job], context: Context) -> None:
    """Linear heads on the same features, solved together; each leaves its weights and its predictions."""
    from safetensors.numpy import save_file

    from outgrow.models.heads import Problem, Solver, predict, solve

    values = np.load(jobs[0].parents["features"] / "features.npy", mmap_mode="r")
    solver = Solver(**jobs[0].params["solver"])
    problems = []
    for job in jobs:
        rows, targets = lesson(job)
        method = method_of(job.params["method"], context)
        problems.append(
            Problem(rows, targets, None, method, job.params["l2"], job.params["seed"], job.params.get("stop", 1.0))
        )
    for job, head in zip(jobs, solve(values, problems, solver, context.device, context.progress), strict=True):
        save_file({"weight": head.weight, "bias": head.bias}, job.folder / "head.safetensors")
        save(job.folder, predict(values, head, solver))


def custom(jobs: Sequence[Job], context: Context) -> None:
    """Somebody's own model: fitted to its part of the data, asked about every row."""
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        rows, targets = lesson(job)
        model = member(job.params["model"]["member"], "models", context).load()(**job.params["model"]["options"])
        taught = data.examples(rows)
        fitted = model.fit(
            taught, Labels(taught.ids, targets), method_of(job.params["method"], context), job.params["seed"]
        )
        everything = data.examples(np.arange(len(data.ids)))
        probabilities = np.asarray(fitted.predict(everything), dtype=np.float32)
        if probabilities.shape != (len(data.ids), len(data.classes)):
            raise OutgrowError(
                f"{job.params['model']['member']['name']}: predict returned an array of shape "
                f"{list(probabilities.shape)} for {len(data.ids)} examples of {len(data.classes)} classes"
            )
        save(job.folder, probabilities)


def choose(jobs: Sequence[Job], context: Context) -> None:
    """The candidate with the smallest loss (or the best accuracy) on validation, by the weak labels or the truth."""
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        rows = np.load(job.parents["split"] / "validation.npy")
        targets = targets_of(job, data, rows)
        known = ~np.isnan(targets).any(axis=1)
        if not known.any():
            raise OutgrowError(f"none of the {len(rows)} rows of validation has a label to choose by")
        candidates = [path for role, path in sorted(job.parents.items()) if role.startswith("candidate_")]
        predictions = [np.load(path / "probabilities.npy") for path in candidates]
        losses = [
            float(-(targets[known] * np.log(np.maximum(p[rows][known], 1e-12))).sum(axis=1).mean()) for p in predictions
        ]
        facts: dict[str, Any] = {"losses": losses}
        order = losses
        if job.params.get("by") == "accuracy":  # of methods, whose losses differ: by what they predict, not how surely
            ids = data.ids[rows][known]
            wanted = Labels(ids, targets[known]).hard
            facts["accuracies"] = [float((Labels(ids, p[rows][known]).hard == wanted).mean()) for p in predictions]
            order = [-accuracy for accuracy in facts["accuracies"]]
        best = min(range(len(predictions)), key=lambda place: (order[place], losses[place], place))
        save(job.folder, predictions[best], chosen=best, **facts)


def lesson(job: Job) -> tuple[Ints, Floats]:
    """What a model learns from: rows of the pool and their targets `[rows, classes]`."""
    data = Pool.load(job.parents["pool"])
    rows = np.load(job.parents["split"] / f"{job.params['part']}.npy")[: job.params.get("rows")]
    if "fold" in job.params:
        rows = fold_of(rows, data.groups, *job.params["fold"])
    if "covered_by" in job.parents:
        covered = np.load(job.parents["covered_by"] / "probabilities.npy")[rows]
        rows = rows[~np.isnan(covered).any(axis=1)]
    targets = targets_of(job, data, rows)
    known = ~np.isnan(targets).any(axis=1)
    if not known.any():
        raise OutgrowError(f"none of the {len(rows)} rows of {job.params['part']} has a label to learn from")
    return rows[known], targets[known]


def fold_of(rows: Ints, groups: Strings, place: int, folds: int) -> Ints:
    """Part `place` of `folds` disjoint ones of the rows; the rows of a group are in one part."""
    turn: dict[str, int] = {}
    numbers = [turn.setdefault(group, len(turn)) for group in groups[rows].tolist()]
    part: Ints = rows[np.array(numbers) % folds == place]
    return part


def targets_of(job: Job, data: Pool, rows: Ints) -> Floats:
    """What the job learns from at `rows` of the pool, `[rows, classes]`; NaN rows where there is no weak label."""
    if job.params["targets"] == "truth":
        return data.truth(rows).probabilities
    weak_labels: Floats = np.load(job.parents["weak_labels"] / "probabilities.npy")
    return weak_labels[rows]


def save(folder: Path, probabilities: Floats, **facts: Any) -> None:
    """Write `probabilities.npy` of every row of the pool, and `facts.json` if there are any."""
    np.save(folder / "probabilities.npy", np.asarray(probabilities, dtype=np.float32))
    if facts:
        (folder / "facts.json").write_text(json.dumps(facts))


def _path(file: Mapping[str, str], context: Context) -> Path:
    """Where a file is. Raises OutgrowError if it is not any more what the plan found."""
    path = Path(context.sources[file["sha256"]])
    if not path.is_file() or digest_file(path) != file["sha256"]:
        raise OutgrowError(f"{path}: was changed while the run went on; give the same command again")
    return path


def method_of(members: Sequence[Mapping[str, Any]], context: Context) -> Method:
    """What supplies the loss, of the members that the identities in a key mean."""
    return compose([member(part["member"], "methods", context).load()(**part["options"]) for part in members]).loss


def member(identity: Mapping[str, str], kind: str, context: Context) -> Member:
    """The member that an identity in a key means: by name, or by the content of a plug-in file."""
    name = f"{context.sources[identity['file']]}:{identity['name']}" if "file" in identity else identity["name"]
    found = find(kind, name)
    if dict(found.identity) != {key: value for key, value in identity.items() if key != "data"}:
        raise OutgrowError(f"{name}: was changed while the run went on; give the same command again")
    return found
