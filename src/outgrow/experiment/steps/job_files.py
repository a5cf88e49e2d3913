"""What each kind of step does: read the parents' folders, write its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.answers import Allowed, within
from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints, Strings
from outgrow.core.pool import Pool
from outgrow.core.registry import Member, find
from outgrow.execution.step import Context, Job
from outgrow.methods.compose import compose
from outgrow.methods.contract import Method

PARTS = ("weak_train", "transfer", "validation")


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


def weights_of(job: Job, rows: Ints) -> Floats | None:
    """How much each of the rows of the pool counts in the loss `[rows]`, where the split has weights; None: all alike."""
    path = job.parents["split"] / "weights.npy"
    if not path.is_file():
        return None
    weights: Floats = np.load(path)[rows]
    return weights


def save(folder: Path, probabilities: Floats, allowed: Allowed | None = None, **facts: Any) -> None:
    """Write `probabilities.npy` of every row of the pool, and `facts.json` if there are any.

    allowed: the pool's. Of a softmax, what is left is the softmax over the classes that a row allows.
    """
    np.save(folder / "probabilities.npy", within(np.asarray(probabilities, dtype=np.float32), allowed))
    if facts:
        (folder / "facts.json").write_text(json.dumps(facts))


def facts(folder: Path) -> dict[str, Any]:
    """What `save` left in `facts.json` of a result."""
    found: dict[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return found


def truncated(folder: Path) -> list[str]:
    """A note about texts that were cut, for kinds whose facts count them."""
    count = facts(folder)["truncated"]
    return [f"{count} texts are longer than the model reads, and were cut"] if count else []


def method_of(members: Sequence[Mapping[str, Any]], context: Context, targets: Floats) -> Method:
    """What supplies the loss, of the members that the identities in a key mean, for targets `[rows, classes]`.

    It knows the classes' shares in the targets: estimated from all that a student learns from, never the truth.
    """
    loss = compose([member(part["member"], "methods", context).load()(**part["options"]) for part in members]).loss
    return loss.for_task(targets.astype(np.float64).mean(axis=0).tolist())


def member(identity: Mapping[str, str], kind: str, context: Context) -> Member:
    """The member that an identity in a key means: by name, or by the content of a plug-in file."""
    name = f"{context.sources[identity['file']]}:{identity['name']}" if "file" in identity else identity["name"]
    found = find(kind, name)
    if dict(found.identity) != {key: value for key, value in identity.items() if key != "data"}:
        raise OutgrowError(f"{name}: was changed while the run went on; give the same command again")
    return found
