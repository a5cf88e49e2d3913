"""Checks a user's model against its contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from outgrow.core.examples import Examples, Labels
from outgrow.core.findings import Findings, global_randomness
from outgrow.core.identity import content_id
from outgrow.core.inputs.input_type import input_type
from outgrow.core.registry import find, names
from outgrow.models.contract import FeatureModel, Location, Model

TEXTS = (
    *(f"the {noun} was {word}" for noun in ("film", "meal", "phone", "room") for word in ("good", "fine", "lovely")),
    *(f"the {noun} was {word}" for noun in ("film", "meal", "phone", "room") for word in ("bad", "poor", "awful")),
)


class CrossEntropy:
    """The plainest objective there is, for a model to be fitted with."""

    by_row = True

    def loss(self, logits: Any, weak: Any, progress: float, statistic: Any = None) -> Any:
        """Cross entropy of each row, `[batch]`."""
        return -(weak * logits.log_softmax(dim=1)).sum(dim=1)

    def statistic(self, logits: Any) -> None:
        """Nothing is needed of the whole batch."""


CROSS_ENTROPY = CrossEntropy()


class SquaredError(CrossEntropy):
    """Another objective: a model that uses the one that it is given learns something else by it."""

    def loss(self, logits: Any, weak: Any, progress: float, statistic: Any = None) -> Any:
        """Squared distance of each row, `[batch]`."""
        return (logits.softmax(dim=1) - weak).square().sum(dim=1)


def check_model(model: type[BaseModel], name: str) -> list[str]:
    """A model: features of texts that do not depend on company, or fit and predict with probabilities for any classes."""
    found = Findings(name)
    made = found.attempt(lambda: _made(model), "making it without options")
    if made is None:
        return found.close()
    tried = _samples(made)
    if not tried:
        found.expect(
            False, "", "reads no input type that has samples() to try a model with; give one of the types these"
        )
        return found.close()
    if isinstance(made, FeatureModel):
        with global_randomness(found):
            _check_features(found, made, name, tried)
    elif isinstance(made, Model) and made.step != Model.step:
        kind = found.attempt(lambda: find("step kinds", made.step).load(), f"its step kind {made.step}")
        found.expect(
            callable(getattr(kind, "plan", None)),
            "its step kind plans its training",
            f"its step kind {made.step} has no plan(asked), so it trains nothing",
        )
    elif found.expect(
        callable(getattr(made, "fit", None)), "has fit", "has no fit(examples, targets, objective, seed)"
    ):
        _check_fit(found, made, 2, tried)
        with global_randomness(found):  # from the second fit on: what a first one imports may draw
            _check_fit(found, made, 3, tried)
    return found.close()


def _made(model: type[BaseModel]) -> BaseModel:
    options = {"checkpoint": "checked"} if issubclass(model, Model) and model.form is not None else {}
    try:
        return model(**options)
    except ValidationError as error:
        raise ValueError(f"an option without a default: {error.errors()[0]['loc']}") from error


def _samples(made: BaseModel) -> Sequence[Any]:
    """Texts, or for a model that reads none, what the first type of those that it reads has."""
    reads = sorted(made.reads) if isinstance(made, Model) else ["text"]
    if {"text", "any"} & set(reads):
        return TEXTS
    known = (input_type(name).samples() for name in reads if name in names("inputs"))
    return next((samples for samples in known if len(samples)), ())


def _check_features(found: Findings, made: FeatureModel, name: str, tried: Sequence[Any]) -> None:
    location = found.attempt(
        lambda: made.locate(made.checkpoint) or Location(name, None, None, None, "0" * 64, 0),
        "finding what it is made of",
    )
    if location is None:
        return

    def read(texts: list[Any]) -> Any:
        return made.features(texts, location, "cpu", lambda done, total: None).values

    texts = list(tried)
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


def _check_fit(found: Findings, made: Any, classes: int, tried: Sequence[Any]) -> None:
    ids = np.array([content_id(place) for place in range(len(tried))])
    lesson = Examples(ids, list(tried))
    truth = np.arange(len(tried)) * classes // len(tried)
    soft = 0.9 * np.eye(classes, dtype=np.float32)[truth] + 0.1 / classes

    def predicted(seed: int, objective: CrossEntropy = CROSS_ENTROPY) -> Any:
        return np.asarray(made.fit(lesson, Labels(ids, soft), objective, seed).predict(lesson))

    case = f"{classes} classes"
    values = found.attempt(lambda: predicted(1), f"fit and predict with {case}")
    if values is None:
        return
    if not found.expect(
        values.shape == (len(tried), classes),
        f"{case}: predicts a row of probabilities an example",
        f"{case}: predict returned shape {list(values.shape)}, not {[len(tried), classes]}",
    ):
        return
    found.expect(
        bool(np.isfinite(values).all() and (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3)),
        f"{case}: the probabilities of a row sum to one",
        f"{case}: rows of predict are not probabilities: finite, at least 0, summing to one",
    )
    found.expect(
        bool((predicted(1) == values).all()),
        f"{case}: one seed gives the same bits each time",
        f"{case}: fitted again with the same seed it predicts something else",
    )
    if isinstance(made, Model) and not made.by_loss:
        return
    found.expect(
        bool((predicted(1, SquaredError()) != values).any()),
        f"{case}: another objective teaches it something else",
        f"{case}: it ignores its objective, so that the losses of all methods are one to it: minimise the mean of "
        "`objective.loss(logits, weak, progress)`, or extend outgrow.Model and say `by_loss = False`",
    )
