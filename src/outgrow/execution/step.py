"""A step: frozen data that says what to compute from what, and a key that changes exactly when the result may."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from outgrow.core.identity import digest


@dataclass(frozen=True)
class Context:
    """What a step may use and what is no part of its identity."""

    device: str = "cpu"
    threads: int = 1
    sources: Mapping[str, Any] = field(default_factory=dict)  # fingerprint -> where on this machine, as JSON values
    progress: Callable[[int, int], None] = lambda done, total: None  # of the running step: units done, of total
    checkpoint_every: float | None = None  # seconds after which a long training leaves its state in `Job.halfway`


@dataclass(frozen=True)
class Job:
    """One step about to be made: the folder to write into, its parameters, its parents' folders by role.

    halfway: a file that outlives a kill, for the state of what has not ended; removed when the result is in place.
    """

    folder: Path
    params: Mapping[str, Any]
    parents: Mapping[str, Path]
    halfway: Path | None = None


@dataclass(frozen=True)
class Kind:
    """What the steps of one kind do: `make(jobs, context)`, and how many of them it makes together."""

    version: int
    target: str  # "module:function", imported when the first step of the kind runs
    together: int = 1
    exact: bool = False  # no arithmetic in it: the same bits whatever the threads, the device and the versions

    def make(self, jobs: Sequence[Job], context: Context) -> None:
        """Write each job's result into its folder."""
        module, _, name = self.target.partition(":")
        getattr(importlib.import_module(module), name)(jobs, context)


KINDS: Mapping[str, Kind] = {
    "pool": Kind(1, "outgrow.experiment.steps.data:pool", exact=True),
    "split": Kind(1, "outgrow.experiment.steps.data:split", exact=True),
    "given": Kind(1, "outgrow.experiment.steps.data:given", exact=True),
    "features": Kind(1, "outgrow.experiment.steps.heads:features"),
    "shuffle": Kind(1, "outgrow.experiment.steps.controls:shuffle"),
    "head": Kind(1, "outgrow.experiment.steps.heads:heads", together=64),
    "choose": Kind(1, "outgrow.experiment.steps.choose:choose"),
    "custom": Kind(1, "outgrow.experiment.steps.custom:custom"),
    "tokens": Kind(2, "outgrow.experiment.steps.finetune:tokens"),
    "finetune": Kind(2, "outgrow.experiment.steps.finetune:finetune"),
    "language": Kind(1, "outgrow.experiment.steps.finetune:language"),
    "labels": Kind(1, "outgrow.experiment.steps.labels:labels"),
    "join": Kind(2, "outgrow.experiment.steps.labels:join"),
    "prompt": Kind(2, "outgrow.experiment.steps.prompt:prompt"),
    "simulate": Kind(1, "outgrow.experiment.steps.labels:simulate"),
}


@dataclass(frozen=True, eq=False)
class Step:
    """One result to be made: its kind, its parameters (JSON values), its parents by role.

    The key is the SHA-256 of all three in canonical JSON with the kind's version: no path, time, device or name.
    """

    kind: str
    params: Mapping[str, Any]
    parents: Mapping[str, Step] = field(default_factory=dict)
    label: str = field(default="", kw_only=True)  # for people only: what the progress display says
    flops: float = field(default=0.0, kw_only=True)  # for people only: an estimate of the work

    @cached_property
    def key(self) -> str:
        """64 hex digits. Raises TypeError on a parameter that has no exact JSON form."""
        return digest(
            {
                "kind": self.kind,
                "version": KINDS[self.kind].version,
                "params": self.params,
                "parents": {role: parent.key for role, parent in self.parents.items()},
            }
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def batch(self) -> str:
        """Steps of a kind that is made together share a pass exactly where this is equal."""
        shared = {role: parent.key for role, parent in self.parents.items() if role == "features"}
        return digest([self.kind, shared, self.params.get("solver"), self.params.get("classes")])


def walk(steps: Iterable[Step]) -> Iterator[Step]:
    """Every step and every ancestor of it once, parents first."""
    seen: set[str] = set()
    stack = [(step, False) for step in reversed(list(steps))]
    while stack:
        step, ready = stack.pop()
        if ready:
            yield step
        elif step.key not in seen:
            seen.add(step.key)
            stack.append((step, True))
            stack.extend((parent, False) for parent in reversed(list(step.parents.values())))
