"""Hold what a method does with labels, and its procedure, against the contract."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from outgrow.core import Floats, content_id
from outgrow.faults import Problems
from outgrow.methods.contract import Method, Rows
from outgrow.specs import model_spec

CODE = (".py", ".pyc", ".so", ".pyd", ".dll", ".dylib")  # what an import opens


class Findings(Protocol):
    """Where lines of what held, and sentences of what did not, are collected."""

    def expect(self, right: bool, held: str, wrong: str) -> bool:
        """Note which of the two it is."""

    def attempt(self, call: Callable[[], Any], what: str) -> Any:
        """The call's value, or None and a sentence about what it raised."""


_OPENED: ContextVar[list[str] | None] = ContextVar("_OPENED", default=None)
_watching: list[bool] = []


@contextmanager
def files_opened() -> Iterator[list[str]]:
    """The files, code aside, that are opened meanwhile."""
    if not _watching:  # a hook stays for the process's life
        sys.addaudithook(_note)
        _watching.append(True)
    opened: list[str] = []
    token = _OPENED.set(opened)
    try:
        yield opened
    finally:
        _OPENED.reset(token)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and (opened := _OPENED.get()) is not None:
        path = arguments[0]
        name = path.decode(errors="replace") if isinstance(path, bytes) else str(path)
        if not name.endswith(CODE) and not name.startswith(("/proc", "/sys", "/dev")):
            opened.append(name)


def warm(made: Method) -> None:
    """Have it import what it needs: some packages draw a random number, or read files of their own, when imported."""
    ids = np.array([content_id(f"text {row}") for row in range(120)])
    weak, features = np.tile([0.3, 0.7], (120, 1)), np.eye(120, 8, dtype=np.float32)
    weak[::2] = [0.6, 0.4]
    with suppress(Exception):
        made.labels(weak, Rows(ids, ids, 7, features if made.reads_features else None))


def check_labels(found: Findings, made: Method, classes: int) -> None:
    """Its labels part, on soft labels of so many classes: shapes, probabilities, the same each time, no file read."""
    n, case = 120, f"labels of {classes} classes"
    draw = np.random.default_rng(classes)
    truth = np.arange(n) % classes
    ids = np.array([content_id(f"text {row}") for row in range(n)])
    features = (np.eye(classes, 8)[truth] + draw.normal(size=(n, 8))).astype(np.float32)
    weak = draw.dirichlet(np.ones(classes), n) * 0.5 + 0.5 * np.eye(classes)[truth]
    groups = np.array([f"group {row // 2}" for row in range(n)])
    rows = Rows(ids, groups, 7, features if made.reads_features else None)

    def once(places: slice = slice(None)) -> Floats:
        part = Rows(ids[places], groups[places], 7, None if rows.features is None else rows.features[places])
        values: Floats = np.asarray(made.labels(given[places], part))
        return values

    given = weak.copy()
    first = found.attempt(once, case)
    if first is None or not found.expect(
        first.shape == weak.shape, f"{case}: a row each", f"{case}: shape {list(first.shape)}, not {list(weak.shape)}"
    ):
        return
    found.expect(
        bool((given == weak).all()),
        f"{case}: leaves what it is given as it is",
        f"{case}: changes the array it is given: return a new one",
    )
    kept = ~np.isnan(first).any(axis=1)
    there = first[kept]
    found.expect(
        bool(kept.any() and (there >= 0).all() and np.allclose(there.sum(axis=1), 1, atol=1e-3)),
        f"{case}: probabilities, with {int((~kept).sum())} of {n} rows left out",
        f"{case}: no row is left, or rows are no probabilities (at least 0, summing to one) nor whole rows of NaN",
    )
    given = weak.copy()
    with files_opened() as opened:
        again = once()
    found.expect(
        np.array_equal(first, again, equal_nan=True),
        f"{case}: the same bits each time",
        f"{case}: differ when made again: take randomness from rows.seed",
    )
    found.expect(
        not opened,
        f"{case}: made of the weak labels alone, no file is read",
        f"{case}: reads {', '.join(opened[:2])} while it works: what decides must be an option, and no truth",
    )


@dataclass
class Recorder:
    """A build that notes what is asked of it."""

    models: int
    labels: Any = "weak labels"
    asked: list[dict[str, Any]] = field(default_factory=list)

    def train(self, labels: Any, **terms: Any) -> Any:
        """A token that stands for the student."""
        self.asked.append({"labels": labels, **terms})
        return f"student {len(self.asked) - 1}"


def check_procedure(found: Findings, made: Method) -> None:
    """Its procedure: it builds of what it is given, returns a student, and does the same each time."""
    wrong: list[str] = []
    for entry in made.models:
        try:
            model_spec(entry, student=True)
        except Problems as error:
            wrong += error.sentences
    found.expect(not wrong, "its models are models", f"its models: {'; '.join(wrong)}")
    first, second = Recorder(len(made.models)), Recorder(len(made.models))
    student = found.attempt(lambda: made.procedure(first), "the procedure")
    if student is None:
        return
    students = [f"student {place}" for place in range(len(first.asked))]
    found.expect(
        student in students,
        f"returns a student, of {len(students)} that it trains",
        "does not return what build.train returned: return the finished student",
    )
    faults = _faults(first.asked, len(made.models))
    found.expect(not faults, "asks for what can be built", "; ".join(faults))
    made.procedure(second)
    found.expect(first.asked == second.asked, "builds the same each time", "builds something else when called again")


def _faults(asked: Sequence[dict[str, Any]], models: int) -> list[str]:
    faults = []
    for place, one in enumerate(asked):
        known = ["weak labels", *(f"student {earlier}" for earlier in range(place))]
        if one["labels"] not in known:
            faults.append(f"student {place} learns from {one['labels']!r}, which is neither build.labels nor a student")
        model, fold = one.get("model"), one.get("fold")
        if model is not None and model not in range(models):
            faults.append(f"student {place} is of model {model}, and `models` names {models}")
        if fold is not None and not 0 <= fold[0] < fold[1]:
            faults.append(f"student {place} learns part {fold[0]} of {fold[1]}: parts count from 0")
        teacher = one["labels"] if str(one["labels"]).startswith("student") else None
        if teacher is not None and not asked[int(teacher.split()[1])].get("asked"):
            faults.append(f"{teacher} teaches, so train it with asked=True: its predictions on transfer are wanted")
    return faults
