"""A step's checkpoint, found on the machine that makes the step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.registry import names
from outgrow.execution.step import Context, Job
from outgrow.experiment.steps.job_files import member
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.weight_files import verify
from outgrow.models.contract import Location, Model

READING, TRAINING = 4, 16  # bytes per parameter: float32 weights; with them, gradients and AdamW's two moments


def checkpoint(job: Job, context: Context) -> Location:
    """Where the bytes with the fingerprint in a job's parameters are, on this machine.

    On another host than the one that planned, the planned path and then the name are looked up again, and taken only if
    the fingerprint is the same. Raises OutgrowError if it is not there.
    """
    planned = Location(**context.sources[job.params["fingerprint"]])
    own = own_place(job, planned, context) if context.elsewhere else None
    if own is not None and own.fingerprint == planned.fingerprint:
        return own
    if not context.elsewhere or planned.path is None:  # a hub's commit is the same everywhere
        return planned
    for name in dict.fromkeys((planned.path, planned.name)):
        with suppress(UsageError):
            found = resolve(name, job.params["model"]["name"])
            if found.fingerprint == planned.fingerprint:
                return replace(found, name=planned.name)
    raise OutgrowError(
        f"{planned.name}: this node has no checkpoint of the same content, neither at {planned.path} nor by its name; "
        "install it there, or name a folder on a file system that all nodes share"
    )


def with_checkpoints(jobs: Sequence[Job], context: Context) -> Iterator[tuple[Job, Location]]:
    """Each job with its checkpoint, for a loop that reads it.

    Raises OutgrowError after a turn of the loop where the checkpoint's bytes are no longer those that were planned:
    what another program replaced meanwhile must not get the old weights' key.
    """
    for job in jobs:
        location = checkpoint(job, context)
        yield job, location
        own = own_place(job, location, context)
        if own is None:
            verify(location)
        elif own.fingerprint != location.fingerprint:
            raise OutgrowError(f"{location.name}: was changed while the run went on; give the same command again")


def own_place(job: Job, location: Location, context: Context) -> Location | None:
    """Where a model that finds what it is made of by itself finds it now; None for checkpoints of a form."""
    identity = job.params.get("model")
    if identity is None or ("file" not in identity and identity["name"] not in names("models")):
        return None
    model = member(identity, "models", context).load()
    found: Location | None = model.locate(location.name) if issubclass(model, Model) else None
    return found
