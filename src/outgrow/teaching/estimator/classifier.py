"""A student as a scikit-learn classifier of texts."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import Floats, harden
from outgrow.core.identity import content_id
from outgrow.core.inputs.input_type import TEXT
from outgrow.execution.machine import Machine, resolve_device
from outgrow.teaching.auto import asked, seconds_for
from outgrow.teaching.estimator.arrays import careful_labels, dataset
from outgrow.teaching.estimator.arrays import weak_labels as weak_labels_of
from outgrow.teaching.estimator.training import FitPlace, distinct, taught, weighted
from outgrow.teaching.options import for_labels
from outgrow.teaching.report import Report
from outgrow.teaching.saved.described import described
from outgrow.teaching.saved.saved_student import load, save
from outgrow.teaching.students import no_progress
from outgrow.teaching.teach import usual


class WeakToStrongClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A strong student, taught by weak labels.

    student: `minilm`, `static:wordllama`, a folder, a hub name, or a mapping with options; with careful labels `auto` too,
    which tries those on this machine for `budget` seconds (600 where none are given). method: `naive`, `confidence`,
    or a mapping with options; by default as of `outgrow teach`. l2: regularisation, default the student's own. After `fit`:
    `classes_`, `student_`, and `report_`, what `outgrow teach` reports.
    """

    def __init__(
        self,
        student: str | Mapping[str, Any] = "minilm",
        method: str | Mapping[str, Any] | None = None,
        l2: float | None = None,
        seed: int = 0,
        device: str = "auto",
        budget: float | None = None,
    ) -> None:
        self.student = student
        self.method = method
        self.l2 = l2
        self.seed = seed
        self.device = device
        self.budget = budget

    def fit(
        self,
        texts: Sequence[str],
        weak_labels: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        truth: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Learn from a weak label for each text: class names `[n]`, or probabilities `[n, classes]`. sample_weight `[n]`.

        truth: a careful label for some of the texts `[n]`, None or NaN for the others: learned from and measured by as by
        `outgrow teach --truth`; these texts may have no weak label. Without it a repeated text counts as often. classes: what
        the columns of probabilities are called; of a data frame its own names, else 0, 1, …. Raises ValueError on what does
        not fit together, UsageError on unknown names and on careful labels that do not fit.
        """
        inputs = self._texts(texts)
        careful = careful_labels(truth, len(inputs))
        weak = weak_labels_of(weak_labels, classes, len(inputs), careful)
        if len(weak.classes) < 2:
            (only,) = weak.classes.tolist() or [None]
            raise ValueError(
                f"WeakToStrongClassifier: the weak labels hold one class only ({only!r}); a student needs two"
            )
        weights = _weights(sample_weight, len(inputs))
        measured = any(one is not None for one in careful)
        if weights is not None and measured:
            raise ValueError(
                "WeakToStrongClassifier: sample_weight and truth exclude each other: leave one of them out"
            )
        seconds = seconds_for(self.student, self.budget)
        choices = asked(self.student, self.method, l2=self.l2, careful=measured)
        of_method = choices[0].method
        if of_method.validated_on is not None and not measured:
            raise UsageError(
                f"{of_method.name}: {of_method.validated_on} of validation rows, which `fit` has none of without truth: "
                "give one value per option, and another method"
            )
        import torch

        machine = Machine(threads=torch.get_num_threads(), device=self.device)
        names = weak.names
        rows = distinct(inputs, weak.targets, weights)
        alike = np.ptp(rows.weights) == 0 and (weights is None or bool((weights > 0).all()))
        with tempfile.TemporaryDirectory() as folder:
            at = FitPlace(Path(folder), machine, self.seed)
            if measured or alike:
                data = dataset(inputs, weak, careful)
                choices = usual(choices, data, careful=measured) if self.method is None else choices
                student, found, report = taught(choices, data, at, seconds)
            else:
                usual_of = for_labels(choices, len(names), 0, len(rows.ids) if choices[0].learner.cheap else 0)
                (choice,) = usual_of if self.method is None else choices
                found = choice.learner
                student, report = weighted(choice, rows, at)
            self.student_ = student.packed()
        self.classes_, self.report_, self._columns = weak.classes, report, weak.columns
        form = "probabilities" if weak.soft else "classes"
        self._about = described(found, report, names, "text", (), form, self.seed)
        if weak.classes.dtype.kind in "biuf":  # names in files are texts
            self._about["made"]["values"] = weak.classes.tolist()
        return self

    def save(self, folder: str | Path) -> None:
        """Write the student's folder as `outgrow teach` does, for `outgrow predict`, `load` and other libraries.

        An older student there is replaced. Raises UsageError where the folder holds anything else.
        """
        check_is_fitted(self)
        save(Path(folder), self.student_, self._about)

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> Self:
        """The classifier whose student is in a folder that `save` or `outgrow teach` wrote.

        It predicts; method and l2, which only another `fit` reads, have their defaults. Raises UsageError and OutgrowError.
        """
        kept = load(folder)
        about = kept.about
        if kept.reading.inputs is not TEXT:
            raise UsageError(
                f"{folder}: holds a student that reads inputs of type {kept.reading.inputs.name}, and WeakToStrongClassifier "
                "reads texts; `outgrow predict` can use it"
            )
        try:
            made = cls(student=about["model"]["name"], seed=about["made"]["seed"], device=device)
            made.classes_ = made._columns = np.asarray(about["made"].get("values", kept.classes))
            made.report_ = Report.read(about["numbers"])
            made._about = {name: about[name] for name in ("classes", "text", "model", "made", "numbers")}
        except (KeyError, TypeError) as error:
            raise OutgrowError(
                f"{folder}: its student.json lacks numbers that a report has now; teach it again, or use `outgrow predict`"
            ) from error
        made.student_ = kept.student.packed()
        return made

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
        """Accuracy against class names `[n]`, or against the likeliest classes of probabilities `[n, classes]`, whose columns
        are those that `fit` had.
        """
        check_is_fitted(self)
        labels = np.asarray(y)
        if labels.ndim == 2 and labels.shape[1] > 1:
            labels = self._columns[labels.argmax(axis=1)]
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


def _weights(sample_weight: ArrayLike | None, n: int) -> Floats | None:
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() == 0:
        raise ValueError(f"WeakToStrongClassifier: sample_weight is {n} numbers of zero or more, not all zero")
    return weights
