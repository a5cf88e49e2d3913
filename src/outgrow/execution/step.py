"""A step: frozen data that says what to compute from what, and a key that changes exactly when the result may."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.core.identity import digest
from outgrow.core.registry import find


@dataclass(frozen=True)
class Context:
    """What a step may use and what is not part of its identity."""

    device: str = "cpu"
    threads: int = 1
    sources: Mapping[str, Any] = field(default_factory=dict)  # fingerprint -> where on this machine, as JSON values
    progress: Callable[[int, int], None] = lambda done, total: None  # of the running step: units done, of total
    checkpoint_every: float | None = None  # seconds after which a long training leaves its state in `Job.halfway`
    elsewhere: bool = False  # the sources were found on another host: look whether they are the same here


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
    """What the steps of one kind do and say. Declared beside the function that plans them, found by registry name.

    notes: sentences about a result that people must see. facts: what a result says of the model that it holds.
    labels: what a result says of students that learn from it. The results that have notes or labels are always wanted.
    """

    version: int
    make: Callable[[Sequence[Job], Context], None]  # writes each job's result into its folder
    together: int = 1  # how many steps one call makes at most
    company: Callable[[Step], Any] = lambda step: None  # steps share a call only where this JSON value is equal
    exact: bool = False  # no arithmetic in it: the same bits whatever the threads, the device and the versions
    efficiency: float = 0.3  # of a matrix product's rate: padding, attention and losses take the rest
    plan: Callable[[Any], Step] | None = (
        None  # plans one training from an `experiment.steps` request; None: trains nothing
    )
    notes: Callable[[Path], Sequence[str]] | None = None
    facts: Callable[[Step, Path], Mapping[str, Any]] | None = None
    labels: Callable[[Path], Mapping[str, Any]] | None = None
    curve: Callable[[Path], Any] | None = None  # the learning curve in a result
    answer: Callable[[Step, Step], Step] | None = (
        None  # plans what a step of this kind, once trained, answers to the test rows of another pool; None: it cannot
    )

    @property
    def reports(self) -> bool:
        """Whether its results are wanted wherever a model stands on them."""
        return self.notes is not None or self.labels is not None


def kind_of(name: str) -> Kind:
    """The kind of that registry name. Raises UsageError for an unknown one, OutgrowError for what is not a kind."""
    kind = find("step kinds", name).load()
    if not isinstance(kind, Kind):
        raise OutgrowError(f"{name}: is not a step kind: a `Kind` with a version and the function that makes its steps")
    return kind


@dataclass(frozen=True, eq=False)
class Step:
    """One result to be made: its kind, its parameters (JSON values), its parents by role.

    The key is the SHA-256 of all three in canonical JSON with the kind's version: no path, time, device or name.
    """

    kind: str
    params: Mapping[str, Any]
    parents: Mapping[str, Step] = field(default_factory=dict)
    label: str = field(default="", kw_only=True)  # for people only: what the progress display says
    flops: float = field(default=0.0, kw_only=True)  # an estimate of the work, for forecasts and executors
    memory: float = field(default=0.0, kw_only=True)  # bytes, an estimate, for executors
    processes: int = field(default=1, kw_only=True)  # that make it together, each on a GPU of its own if on GPUs at all

    @cached_property
    def key(self) -> str:
        """64 hex digits. Raises TypeError on a parameter that has no exact JSON form."""
        return digest(
            {
                "kind": self.kind_identity,
                "version": kind_of(self.kind).version,
                "params": self.params,
                "parents": {role: parent.key for role, parent in self.parents.items()},
            }
        )

    @property
    def kind_identity(self) -> Any:
        """The name of a built-in kind; of a plug-in's what its file or package is, and no path."""
        identity = dict(find("step kinds", self.kind).identity)
        return self.kind if identity == {"name": self.kind} else identity

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def batch(self) -> str:
        """Steps share a call exactly where this is equal, up to as many as their kind makes together."""
        return digest([self.kind, kind_of(self.kind).company(self)])


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
