"""Checks a user's method against its contract."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from outgrow.core.examples import Floats
from outgrow.core.findings import Findings, global_randomness
from outgrow.core.identity import content_id
from outgrow.core.validation import Problems
from outgrow.methods.contract import Method, Rows

CODE = (".py", ".pyc", ".so", ".pyd", ".dll", ".dylib")  # what an import opens


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
        made.labels(weak, Rows(ids, ids, 7, features if made.reads_features or made.reads_contrasts else None))


def check_labels(found: Findings, made: Method, classes: int) -> None:
    """Its labels part, on soft labels of this number of classes: shapes, probabilities, the same each time, no file read."""
    n, case = 120, f"labels of {classes} classes"
    draw = np.random.default_rng(classes)
    truth = np.arange(n) % classes
    ids = np.array([content_id(f"text {row}") for row in range(n)])
    features = (np.eye(classes, 8)[truth] + draw.normal(size=(n, 8))).astype(np.float32)
    weak = draw.dirichlet(np.ones(classes), n) * 0.5 + 0.5 * np.eye(classes)[truth]
    groups = np.array([f"group {row // 2}" for row in range(n)])
    if made.reads_contrasts:
        features = (
            (np.eye(classes)[truth][:, :, None] + draw.normal(size=(n, classes, 4))).reshape(n, -1).astype(np.float32)
        )
    rows = Rows(ids, groups, 7, features if made.reads_features or made.reads_contrasts else None)

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
        f"{case}: no row is left, or rows are not probabilities (at least 0, summing to one) nor whole rows of NaN",
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


def check_procedure(found: Findings, made: Method, understand: Callable[[Any], object]) -> None:
    """Its procedure: it builds of what it is given, returns a student, and does the same each time."""
    wrong: list[str] = []
    for entry in made.models:
        try:
            understand(entry)
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


def check_method(method: type[Method], name: str, understand: Callable[[Any], object]) -> list[str]:
    """A method: what it does with labels, its loss on two and on five classes, and what its procedure builds.

    understand: reads an entry that names a model, and raises Problems where it is not one.
    """
    import torch

    found = Findings(name)
    made = found.attempt(method, "making it without options")
    if made is None or not found.expect(
        bool(made.parts),
        f"brings {' and '.join(sorted(made.parts))}",
        "brings nothing: define loss(self, logits, weak, progress, statistic=None), labels(self, weak, rows) or "
        "procedure(self, build)",
    ):
        return found.close()
    warm(made)
    with global_randomness(found):
        for classes in (2, 5) if "labels" in made.parts else ():
            check_labels(found, made, classes)
        if "procedure" in made.parts:
            check_procedure(found, made, understand)
    for classes in (2, 5) if "loss" in made.parts else ():
        draw = torch.Generator().manual_seed(classes)
        logits = torch.randn(24, classes, generator=draw, dtype=torch.float64)
        weak = torch.softmax(torch.randn(24, classes, generator=draw, dtype=torch.float64), dim=1)
        with global_randomness(found):
            _check_loss(found, made, logits, weak, f"{classes} classes")
    return found.close()


def _check_loss(found: Findings, made: Method, logits: Any, weak: Any, case: str) -> None:
    import torch

    def once(rows: slice, statistic: Any) -> tuple[Any, Any]:
        entry = logits[rows].clone().requires_grad_()
        loss = made.loss(entry, weak[rows].clone(), 0.5, statistic)
        if not isinstance(loss, torch.Tensor) or loss.shape != entry.shape[:1]:
            raise ValueError(
                f"it returned {tuple(getattr(loss, 'shape', ()))}, not one loss an example, {tuple(entry.shape[:1])}"
            )
        slope = torch.autograd.grad(loss.sum(), entry, allow_unused=True)[0] if loss.requires_grad else None
        if slope is None or not slope.any():
            raise ValueError("no gradient reaches the logits")
        return loss.detach(), slope

    everything = slice(None)
    whole = found.attempt(lambda: once(everything, None), f"the loss with {case}")
    if whole is None:
        return
    with files_opened() as opened:
        again = once(everything, None)
    found.expect(
        not opened,
        f"{case}: made of logits and weak labels alone, no file is read",
        f"{case}: the loss reads {', '.join(opened[:2])}: what decides must be an option, and the truth is not to be known",
    )
    found.expect(
        all(torch.isfinite(part).all() for part in whole),
        f"{case}: loss and gradient are finite",
        f"{case}: the loss or its gradient is not finite",
    )
    found.expect(
        all(torch.equal(a, b) for a, b in zip(whole, again, strict=True)),
        f"{case}: the same bits each time",
        f"{case}: the loss differs when computed again",
    )
    leaf = logits.clone().requires_grad_()
    statistic = found.attempt(lambda: made.statistic(leaf), f"statistic with {case}")
    if statistic is not None and not found.expect(
        not statistic.requires_grad,
        f"{case}: no gradient flows through the statistic",
        f"{case}: the statistic carries a gradient, which ends where a batch is cut: detach the logits there",
    ):
        return
    if made.by_row:
        order = torch.arange(len(logits)).flip(0)
        found.expect(
            torch.allclose(made.loss(logits[order], weak[order], 0.5, statistic)[order], whole[0], atol=1e-9),
            f"{case}: a row's loss is its own, as by_row says",
            f"{case}: by_row says that no row looks at another, and a row's loss changes with its company",
        )
        found.expect(
            _joins(made, logits, weak),
            f"{case}: batches may be joined, as by_row says",
            f"{case}: by_row says that batches may be joined, and the loss of two in one call is not that of each: let "
            "statistic take [batches, n, classes] and return one value for each batch",
        )
    parts = [found.attempt(partial(once, part, statistic), f"part of a batch, {case}") for part in _PARTS]
    if all(part is not None for part in parts):
        joined = [torch.cat([part[which] for part in parts]) for which in (0, 1)]
        found.expect(
            all(torch.allclose(a, b, atol=1e-9) for a, b in zip(joined, whole, strict=True)),
            f"{case}: parts of a batch add up to the whole",
            f"{case}: a row's loss depends on the other rows of its part: take what it needs of the batch in "
            "statistic(logits), or cut batches learn something else",
        )


def _joins(made: Method, logits: Any, weak: Any) -> bool:
    """Whether two batches in one call, each row with its own batch's statistic, have the losses of two calls."""
    import torch

    batches = torch.stack([logits, 1.5 * logits.flip(0) + 0.25 * logits])
    try:
        statistic = made.statistic(batches)
        rows = None if statistic is None else statistic.repeat_interleave(len(logits), dim=0)
        joined = made.loss(batches.flatten(0, 1), weak.repeat(2, 1), 0.5, rows)
        apart = torch.cat([made.loss(batch, weak, 0.5, made.statistic(batch)) for batch in batches])
    except (RuntimeError, IndexError, ValueError):  # shapes that do not fit
        return False
    return joined.shape == apart.shape and torch.allclose(joined, apart, atol=1e-9)


_PARTS = (slice(0, 7), slice(7, 8), slice(8, 24))
