"""A student as a scikit-learn classifier of texts."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, Strings, harden
from outgrow.core.identity import content_id, digest, digest_file
from outgrow.core.pool import Pool
from outgrow.execution.machine import Machine, resolve_device
from outgrow.execution.progress import Silent
from outgrow.execution.step import Step
from outgrow.execution.store import Store
from outgrow.experiment.planning.supervision import student_step
from outgrow.experiment.steps.training_request import TaskPlan
from outgrow.teaching.options import Candidate, Learner, for_labels, learning
from outgrow.teaching.plan import fitted
from outgrow.teaching.students import Student, no_progress, trained
from outgrow.teaching.teach import Laboratory


class WeakToStrongClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A strong student, taught by weak labels.

    student: `minilm`, `static:wordllama`, a folder, a hub name, or a mapping with options. method: `naive`, `confidence`,
    or a mapping with options; by default `confidence` for heads, `naive` for finetuned students. l2: regularisation,
    default the student's own. After `fit`: `classes_`, `student_`.
    """

    def __init__(
        self,
        student: str | Mapping[str, Any] = "minilm",
        method: str | Mapping[str, Any] | None = None,
        l2: float | None = None,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.student = student
        self.method = method
        self.l2 = l2
        self.seed = seed
        self.device = device

    def fit(self, texts: Sequence[str], weak_labels: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from a weak label for each text: class names `[n]`, or probabilities `[n, classes]`, whose classes are
        then 0, 1, …. sample_weight `[n]`. Raises ValueError on what does not fit together, UsageError on unknown names.
        """
        inputs = self._texts(texts)
        targets, classes = _targets(weak_labels, len(inputs))
        if len(classes) < 2:
            raise ValueError(
                f"WeakToStrongClassifier: the weak labels hold one class only ({classes[0]!r}); a student needs two"
            )
        weights = _weights(sample_weight, len(inputs))
        found, choices = learning(self.student, self.method, l2=self.l2)
        (choice,) = for_labels(choices, len(classes), 0) if self.method is None else choices
        if choice.method.validated_on is not None:
            raise UsageError(
                f"{choice.method.name}: {choice.method.validated_on} of validation rows, which `fit` does not have: "
                "give one value per option, and another method"
            )
        import torch

        machine = Machine(threads=torch.get_num_threads(), device=self.device)
        with tempfile.TemporaryDirectory() as folder:
            self.student_ = _taught(
                found, choice, _distinct(inputs, targets, weights), self.seed, machine, Path(folder)
            )
        self.classes_ = classes
        return self

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """Class probabilities `[n, classes]`, in the order of `classes_`."""
        check_is_fitted(self)
        read = self.student_.reader(resolve_device(self.device))
        probabilities: Floats = read(self._texts(texts), no_progress)
        return probabilities

    def predict(self, texts: Sequence[str]) -> NDArray[Any]:
        """The likeliest class of each text, `[n]`; an exact tie goes by a hash of the text."""
        inputs = self._texts(texts)
        predicted: NDArray[Any] = self.classes_[harden(self.predict_proba(inputs), [content_id(one) for one in inputs])]
        return predicted

    def score(self, texts: Sequence[str], y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy against class names `[n]`, or against the likeliest classes of probabilities `[n, classes]`."""
        check_is_fitted(self)
        labels = np.asarray(y)
        if labels.ndim == 2 and labels.shape[1] > 1:
            labels = self.classes_[labels.argmax(axis=1)]
        return float(super().score(texts, labels, sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def _texts(self, texts: Any) -> list[str]:
        """Any sequence of texts, or a column of a data frame, as a list."""
        if isinstance(texts, str) or not hasattr(texts, "__len__"):
            raise ValueError("WeakToStrongClassifier: texts are a list or an array of texts, not one text")
        inputs = list(texts.ravel() if isinstance(texts, np.ndarray) and texts.ndim == 2 else texts)
        wrong = next((place for place, one in enumerate(inputs) if not isinstance(one, str)), None)
        if wrong is not None:
            raise ValueError(
                f"WeakToStrongClassifier: every input is a text; the one at {wrong} is a {type(inputs[wrong]).__name__}"
            )
        if not inputs:
            raise ValueError("WeakToStrongClassifier: 0 texts; at least one is needed")
        return [str(one) for one in inputs]  # numpy's strings are a subclass


@dataclass(frozen=True)
class _Rows:
    """n distinct texts in the order of their ids, with the mean of their labels and the sum of their weights."""

    ids: Strings
    texts: Sequence[str]
    targets: Floats  # [n, classes]
    weights: Floats  # [n], above 0


def _distinct(texts: Sequence[str], targets: Floats, weights: Floats | None) -> _Rows:
    ids, first, place = np.unique([content_id(one) for one in texts], return_index=True, return_inverse=True)
    counts: Floats = np.ones(len(texts)) if weights is None else weights
    total = np.bincount(place, counts).astype(np.float64)
    sums = np.stack([np.bincount(place, column * counts) for column in targets.T.astype(np.float64)], axis=1)
    kept = np.flatnonzero(total > 0)
    means = (sums[kept] / total[kept, None]).astype(np.float32)
    return _Rows(ids[kept], [texts[row] for row in first[kept].tolist()], means, total[kept])


def _taught(found: Learner, choice: Candidate, rows: _Rows, seed: int, machine: Machine, folder: Path) -> Student:
    """Train one student by the steps of an experiment, in a store of its own."""
    names = [str(number) for number in range(rows.targets.shape[1])]
    nobody = np.zeros(len(rows.ids), dtype=np.bool_)
    pool = Pool(rows.ids, rows.texts, np.full(len(rows.ids), -1), tuple(names), rows.ids, nobody)
    given = folder / "rows"
    given.mkdir()
    pool.save(given)
    np.save(given / "probabilities.npy", rows.targets)
    np.save(given / "transfer.npy", np.arange(len(rows.ids)))
    np.save(given / "validation.npy", np.arange(0))
    if np.ptp(rows.weights) > 0:
        np.save(given / "weights.npy", rows.weights)
    content = digest({path.name: digest_file(path) for path in given.iterdir()})
    data = Step("handed_over", {"digest": content}, label="rows")
    task = TaskPlan("fit", pool, data, {"weak_train": 0, "transfer": len(pool), "validation": 0}, found.locations)
    method = choice.method.for_task(np.average(rows.targets, axis=0, weights=rows.weights).tolist())
    model = fitted(found, choice.l2, len(pool), keep=True)
    step = student_step(task, model, method, data, data, seed)
    laboratory = Laboratory(Store(folder / "store"), machine, {**found.sources, content: str(given)}, Silent())
    laboratory.made([step])
    step = laboratory.trained(step)
    return trained(found.spec, found.location, step.params, laboratory.opened(step)).packed()


def _targets(weak_labels: ArrayLike, n: int) -> tuple[Floats, NDArray[Any]]:
    """Weak labels as probabilities `[n, classes]`, and the classes."""
    labels = np.asarray(weak_labels)
    if len(labels) != n if labels.ndim else True:
        raise ValueError(f"WeakToStrongClassifier: {n} texts and weak labels of shape {list(labels.shape)}")
    if labels.ndim == 2 and labels.shape[1] > 1:
        soft = labels.astype(np.float64)
        if not (np.isfinite(soft).all() and (soft >= 0).all() and np.allclose(soft.sum(axis=1), 1, atol=1e-3)):
            raise ValueError("WeakToStrongClassifier: soft weak labels are probabilities: each row sums to 1")
        return (soft / soft.sum(axis=1, keepdims=True)).astype(np.float32), np.arange(labels.shape[1])
    labels = column_or_1d(labels, warn=True)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("WeakToStrongClassifier: some weak labels are NaN or infinite; leave these texts out")
    check_classification_targets(labels)
    classes, numbers = np.unique(labels, return_inverse=True)
    return np.eye(len(classes), dtype=np.float32)[numbers], classes


def _weights(sample_weight: ArrayLike | None, n: int) -> Floats | None:
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() == 0:
        raise ValueError(f"WeakToStrongClassifier: sample_weight is {n} numbers of zero or more, not all zero")
    return weights
