"""Arrays and data frames of labels, as the labels of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, class_name
from outgrow.core.files.tables import Table
from outgrow.core.inputs.input_type import TEXT, Read
from outgrow.teaching.labels.careful_labels import Gold, Rows, check_gold
from outgrow.teaching.labels.cheap_labels import CheapLabels
from outgrow.teaching.labels.dataset import Dataset, assembled

WEAK, TRUTH = "weak labels", "truth"  # what sentences call them


@dataclass(frozen=True)
class WeakLabels:
    """Weak labels of n texts. A text without one has a row of NaN."""

    targets: Floats  # [n, classes] probabilities
    classes: NDArray[Any]  # sorted, as scikit-learn has them
    soft: bool
    columns: NDArray[Any]  # the classes in the order in which soft labels were given

    @property
    def names(self) -> tuple[str, ...]:
        """The classes as files spell them. Raises ValueError where that spells two of them alike, or one not at all."""
        found = [_name(one) for one in self.classes.tolist()]
        wrong = next((place for place, name in enumerate(found) if name is None or name in found[:place]), None)
        if wrong is not None:
            raise ValueError(
                f"WeakToStrongClassifier: class {self.classes.tolist()[wrong]!r} has no name of its own when it is written to "
                "a file; rename it"
            )
        return tuple(name for name in found if name is not None)


def weak_labels(given: Any, classes: Any, n: int, careful: Sequence[Any]) -> WeakLabels:
    """Class names `[n]`, or probabilities `[n, classes]` of the classes that are named, by default by a frame's columns.

    careful: the careful label of each text, or None: a text with one may have no weak label. Raises ValueError.
    """
    frame = isinstance(given, pandas.DataFrame) and given.shape[1] > 1
    labels = np.asarray(given)
    if len(labels) != n if labels.ndim else True:
        raise ValueError(f"WeakToStrongClassifier: {n} texts and weak labels of shape {list(labels.shape)}")
    known = np.array([one is None for one in careful], dtype=np.bool_)  # whose weak label is needed
    if labels.ndim == 2 and labels.shape[1] > 1:
        named = given.columns if frame and classes is None else classes
        return _soft(labels.astype(np.float64), _columns(named, labels.shape[1]), known)
    if classes is not None:
        raise ValueError(
            "WeakToStrongClassifier: classes names the columns of soft weak labels; leave it out for others"
        )
    labels = column_or_1d(labels, warn=True)
    missing = pandas.isna(labels)
    if labels.dtype.kind == "f" and (np.isinf(labels).any() or (missing & known).any()):
        raise ValueError("WeakToStrongClassifier: some weak labels are NaN or infinite; leave these texts out")
    if (missing & known).any():
        place = int(np.flatnonzero(missing & known)[0])
        raise ValueError(f"WeakToStrongClassifier: the weak label at {place} is missing; leave such texts out")
    there = labels[~missing]
    if (
        len({type(one) for one in there.tolist()} & {bool, int, float})
        == len({type(one) for one in there.tolist()})
        == 1
    ):
        there = np.asarray(there.tolist())  # numbers that stood beside a None
    check_classification_targets(there)
    found, numbers = np.unique(there, return_inverse=True)
    targets = np.full((n, len(found)), np.nan)
    targets[~missing] = np.eye(len(found))[numbers]
    return WeakLabels(targets, found, False, found)


def _soft(soft: Floats, columns: NDArray[Any], known: NDArray[np.bool_]) -> WeakLabels:
    missing = np.isnan(soft).all(axis=1) & ~known
    there = soft[~missing]
    if not (np.isfinite(there).all() and (there >= 0).all() and np.allclose(there.sum(axis=1), 1, atol=1e-3)):
        raise ValueError("WeakToStrongClassifier: soft weak labels are probabilities: each row sums to 1")
    order = np.argsort(columns, kind="stable")  # scikit-learn's metrics take the classes to be sorted
    return WeakLabels((soft / soft.sum(axis=1, keepdims=True))[:, order], columns[order], True, columns)


def _columns(named: Any, width: int) -> NDArray[Any]:
    if named is None:
        return np.arange(width)
    columns = np.asarray(named)
    if columns.dtype.kind == "O" and all(isinstance(one, str) for one in columns.tolist()):
        columns = columns.astype(np.str_)  # a frame's columns are objects
    if columns.shape != (width,) or len(set(columns.tolist())) < width:
        raise ValueError(
            f"WeakToStrongClassifier: classes are {width} different names, one for each column of the soft weak labels"
        )
    return columns


def careful_labels(truth: ArrayLike | None, n: int) -> list[Any]:
    """The careful label of each text, or None. Raises ValueError where these are not one for each text."""
    if truth is None:
        return [None] * n
    given = np.asarray(truth, dtype=object)
    if given.shape != (n,):
        raise ValueError(
            f"WeakToStrongClassifier: {n} texts and truth of shape {list(given.shape)}; give one careful label for each text, "
            "and None or NaN where there is none"
        )
    return [None if missing else one for one, missing in zip(given.tolist(), pandas.isna(given), strict=True)]


def dataset(texts: Sequence[str], weak: WeakLabels, careful: Sequence[Any]) -> Dataset:
    """The data set that files with the same rows hold. Raises UsageError where careful labels do not fit, or are too few."""
    names, read = weak.names, Read(list(texts))
    missing = np.isnan(weak.targets).any(axis=1)
    if weak.soft:
        nothing = np.zeros((len(texts), 0), dtype=np.int64)
        cheap = CheapLabels(WEAK, "probabilities", read, names, nothing, weak.targets)
    else:
        numbers = np.where(missing, -1, np.nan_to_num(weak.targets).argmax(axis=1))
        cheap = CheapLabels(WEAK, "classes", read, names, numbers[:, None], np.zeros((len(texts), 0)))
    gold = None
    if any(one is not None for one in careful):
        rows = Rows.of(read, TEXT)
        found = [None if one is None else _name(one) for one in careful]
        at = [place for place, name in enumerate(found) if name is not None]
        of_them = Rows(
            Read([texts[place] for place in at]), [rows.ids[place] for place in at], [rows.forms[p] for p in at]
        )
        gold = Gold(Table(TRUTH, {}, at, "row"), of_them, [found[place] for place in at], TRUTH)
        problems: list[str] = []
        check_gold(gold, cheap, problems)
        if problems:
            raise UsageError(*problems)
    return assembled(cheap, gold, None, TEXT, WEAK, TRUTH)


def _name(value: Any) -> str | None:
    """A class as files spell it; None for what names none."""
    try:
        return class_name(value)
    except TypeError:
        return str(value)
