"""Hold somebody's task, model or method against its contract, and say what is wrong in sentences."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from outgrow.checks_method import check_labels, check_procedure, files_opened, warm
from outgrow.core import Examples, Labels, OutgrowError, UsageError, content_id
from outgrow.methods.contract import Method
from outgrow.methods.losses import Naive
from outgrow.models.contract import FeatureModel, Location
from outgrow.registry import find, is_file_name
from outgrow.tasks.contract import RawTask
from outgrow.tasks.pool import build_pool

TEXTS = (
    *(f"the {noun} was {word}" for noun in ("film", "meal", "phone", "room") for word in ("good", "fine", "lovely")),
    *(f"the {noun} was {word}" for noun in ("film", "meal", "phone", "room") for word in ("bad", "poor", "awful")),
)


def check(name: str) -> list[str]:
    """What was held and found right, a line each. Raises OutgrowError with a line for everything that is wrong."""
    if not is_file_name(name):
        raise UsageError(f"check: {name} is not of the form path/to/file.py:Name")
    thing = find("tasks", name).load()
    if isinstance(thing, type) and issubclass(thing, Method):
        return check_method(thing, name)
    if isinstance(thing, type) and issubclass(thing, BaseModel):
        return check_model(thing, name)
    if callable(thing) and not isinstance(thing, type):
        return check_task(thing, name)
    raise OutgrowError(
        f"{name}: is neither a task (a function), nor a model (a pydantic class with fit, or a FeatureModel), "
        "nor a method (a class that extends outgrow.Method)"
    )


class _Findings:
    """Lines of what held, and sentences of what did not."""

    def __init__(self, name: str) -> None:
        self.name, self.held, self.wrong = name, list[str](), list[str]()

    def expect(self, right: bool, held: str, wrong: str) -> bool:
        if right:
            self.held.append(f"ok: {held}")
        else:
            self.wrong.append(f"{self.name}: {wrong}")
        return right

    def attempt(self, call: Callable[[], Any], what: str) -> Any:
        """The call's value, or None and a sentence about what it raised."""
        try:
            return call()
        except Exception as error:  # whatever somebody's code raises is a finding
            self.wrong.append(f"{self.name}: {what} raises {type(error).__name__}: {error}")
            return None

    def close(self) -> list[str]:
        if self.wrong:
            raise OutgrowError("\n".join(self.wrong))
        return self.held


@contextmanager
def _global_randomness(found: _Findings) -> Iterator[None]:
    """Notice whether the global random states are left as they were found."""
    import torch

    def state() -> tuple[object, bytes, bytes]:
        numpy_state = np.random.get_state(legacy=False)["state"]
        return random.getstate(), repr(numpy_state).encode(), torch.get_rng_state().numpy().tobytes()

    before = state()
    yield
    found.expect(
        state() == before,
        "leaves the global random states alone",
        "draws from or seeds a global random state: make a generator from the seed that is passed",
    )


def check_task(task: Callable[..., Any], name: str) -> list[str]:
    """A task function: called twice without arguments, it returns the same RawTask, from which a pool can be made."""
    found = _Findings(name)
    with _global_randomness(found):
        first, second = (found.attempt(task, "the task function") for _ in range(2))
    if first is None or second is None:
        return found.close()
    if not found.expect(
        isinstance(first, RawTask), "returns a RawTask", f"returns {type(first).__name__}, not a RawTask"
    ):
        return found.close()
    found.expect(
        [content_id(value) for value in first.inputs] == [content_id(value) for value in second.inputs]
        and list(first.labels) == list(second.labels),
        "returns the same rows each time",
        "returns other rows when called again: take randomness from a fixed seed",
    )
    blank = [row for row, value in enumerate(first.inputs) if not str(value).strip()]
    found.expect(not blank, "has no empty input", f"has empty inputs, the first in row {blank[:1]}")
    size = None if first.test is not None else max(1, len(first.inputs) // 5)
    pool = found.attempt(lambda: build_pool(first, test_rows=size, balance=True, name=name), "making a pool of it")
    if pool is not None:
        counts = ", ".join(f"{c} {int((pool.labels == i).sum())}" for i, c in enumerate(pool.classes))
        found.held.append(f"ok: makes a pool of {len(pool)} distinct rows ({counts})")
    return found.close()


def check_method(method: type[Method], name: str) -> list[str]:
    """A method: what it does with labels, its loss on two and on five classes, and what its procedure builds."""
    import torch

    found = _Findings(name)
    made = found.attempt(method, "making it without options")
    if made is None or not found.expect(
        bool(made.parts),
        f"brings {' and '.join(sorted(made.parts))}",
        "brings nothing: define loss(self, logits, weak, progress, statistic=None), labels(self, weak, rows) or "
        "procedure(self, build)",
    ):
        return found.close()
    warm(made)
    with _global_randomness(found):
        for classes in (2, 5) if "labels" in made.parts else ():
            check_labels(found, made, classes)
        if "procedure" in made.parts:
            check_procedure(found, made)
    for classes in (2, 5) if "loss" in made.parts else ():
        draw = torch.Generator().manual_seed(classes)
        logits = torch.randn(24, classes, generator=draw, dtype=torch.float64)
        weak = torch.softmax(torch.randn(24, classes, generator=draw, dtype=torch.float64), dim=1)
        with _global_randomness(found):
            _check_loss(found, made, logits, weak, f"{classes} classes")
    return found.close()


def _check_loss(found: _Findings, made: Method, logits: Any, weak: Any, case: str) -> None:
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
            torch.allclose(made.loss(logits[order], weak[order], 0.5)[order], whole[0], atol=1e-9),
            f"{case}: a row's loss is its own, as by_row says",
            f"{case}: by_row says that no row looks at another, and a row's loss changes with its company",
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


_PARTS = (slice(0, 7), slice(7, 8), slice(8, 24))


def check_model(model: type[BaseModel], name: str) -> list[str]:
    """A model: features of texts that do not depend on company, or fit and predict with probabilities for any classes."""
    found = _Findings(name)
    made = found.attempt(lambda: _made(model), "making it without options")
    if made is None:
        return found.close()
    with _global_randomness(found):
        if isinstance(made, FeatureModel):
            _check_features(found, made, name)
        elif found.expect(
            callable(getattr(made, "fit", None)), "has fit", "has no fit(examples, targets, objective, seed)"
        ):
            for classes in (2, 3):
                _check_fit(found, made, classes)
    return found.close()


def _made(model: type[BaseModel]) -> BaseModel:
    options = {"checkpoint": "checked"} if issubclass(model, FeatureModel) else {}
    try:
        return model(**options)
    except ValidationError as error:
        raise ValueError(f"an option without a default: {error.errors()[0]['loc']}") from error


def _check_features(found: _Findings, made: FeatureModel, name: str) -> None:
    location = Location(name, None, None, None, "0" * 64, 0)

    def read(texts: list[str]) -> Any:
        return made.features(texts, location, "cpu", lambda done, total: None).values

    texts = list(TEXTS)
    values = found.attempt(lambda: read(texts), "features")
    if values is None:
        return
    right = isinstance(values, np.ndarray) and values.dtype == np.float32 and values.shape[:1] == (len(texts),)
    if not found.expect(
        right and values.ndim == 2,
        "features are float32 [n, d]",
        "features must be a float32 array [n, d], a row a text",
    ):
        return
    found.expect(bool(np.isfinite(values).all()), "features are finite", "some features are not finite")
    found.expect(bool((read(texts) == values).all()), "the same bits each time", "features differ when computed again")
    backwards, alone = read(texts[::-1])[::-1], read(texts[:1])
    found.expect(
        np.allclose(backwards, values, atol=1e-4) and np.allclose(alone, values[:1], atol=1e-4),
        "a text's features do not depend on its company",
        "a text's features depend on the texts beside it",
    )


def _check_fit(found: _Findings, made: Any, classes: int) -> None:
    ids = np.array([content_id(text) for text in TEXTS])
    lesson = Examples(ids, list(TEXTS))
    truth = np.arange(len(TEXTS)) * classes // len(TEXTS)
    soft = 0.9 * np.eye(classes, dtype=np.float32)[truth] + 0.1 / classes

    def predicted(seed: int) -> Any:
        return np.asarray(made.fit(lesson, Labels(ids, soft), Naive(), seed).predict(lesson))

    case = f"{classes} classes"
    values = found.attempt(lambda: predicted(1), f"fit and predict with {case}")
    if values is None:
        return
    if not found.expect(
        values.shape == (len(TEXTS), classes),
        f"{case}: predicts a row of probabilities an example",
        f"{case}: predict returned shape {list(values.shape)}, not {[len(TEXTS), classes]}",
    ):
        return
    found.expect(
        bool(np.isfinite(values).all() and (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3)),
        f"{case}: the probabilities of a row sum to one",
        f"{case}: rows of predict are no probabilities: finite, at least 0, summing to one",
    )
    found.expect(
        bool((predicted(1) == values).all()),
        f"{case}: one seed gives the same bits each time",
        f"{case}: fitted again with the same seed it predicts something else",
    )
