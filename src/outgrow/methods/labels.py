"""Methods that change the weak labels before a student learns from them. w: the weak label, a row a text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from outgrow.core.answers import uniform, within
from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints, harden
from outgrow.methods.contract import Method, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Of the logistic probes, on rows of length 8. The heads' default, for three classes or more; of two, for which a probe has
# one row of weights and a head has two, it is a head's .06.
L2 = 0.03
LENGTH = 8.0
Probe = Callable[[Floats, Floats, Floats], Floats]  # features, their weak labels, features asked about -> probabilities

Folds = Annotated[int, Field(ge=2, le=100)]
Neighbours = Annotated[int, Field(ge=1, le=10_000)]


class Harden(Method):
    """The likeliest class, for certain: what the chess setting of Burns et al. 2023 (arXiv 2312.09390) teaches with."""

    def labels(self, weak: Floats, rows: Rows) -> Floats:
        """One-hot rows; ties go by a hash of the id."""
        hard: Floats = np.eye(weak.shape[1], dtype=weak.dtype)[harden(weak, rows.ids)]
        return hard


class Balance(Method):
    """Weak labels whose mean is the prior of the classes: w_c r_c / sum_k w_k r_k, with one factor r_c a class.

    Undoes a supervisor's lean to one class, as Saerens, Latinne & Decaestecker 2002 (*Adjusting the outputs of a classifier
    to new a priori probabilities*) adjust for priors that are known; the tasks of Burns et al. 2023 are balanced. They take one
    step, each class by the ratio of new to old prior, which leaves the mean off; here it is repeated until the mean is the
    prior (raking).
    """

    prior: Literal["balanced"] | tuple[float, ...] = "balanced"

    @field_validator("prior")
    @classmethod
    def _is_a_distribution(
        cls, prior: Literal["balanced"] | tuple[float, ...]
    ) -> Literal["balanced"] | tuple[float, ...]:
        if prior != "balanced":
            if not all(math.isfinite(share) and share > 0 for share in prior):
                raise ValueError(f"the prior {list(prior)} has a share that is not a number above 0")
            if abs(sum(prior) - 1) > 1e-6:
                raise ValueError(f"the prior {list(prior)} sums to {sum(prior):g}; the shares of the classes sum to 1")
        return prior

    def labels(self, weak: Floats, rows: Rows) -> Floats:
        """Raises OutgrowError on a prior of other classes, and where no factors reach it, as on hard labels."""
        classes = weak.shape[1]
        if self.prior != "balanced" and len(self.prior) != classes:
            raise OutgrowError(
                f"balance: the prior {list(self.prior)} has {len(self.prior)} shares and the task has {classes} classes"
            )
        balanced = np.full(classes, 1 / classes) if rows.allowed is None else uniform(rows.allowed).mean(axis=0)
        wanted = balanced if self.prior == "balanced" else np.array(self.prior)
        factors = np.ones(classes)
        for _ in range(1000):
            scaled = weak.astype(np.float64) * factors
            scaled /= scaled.sum(axis=1, keepdims=True)
            found = scaled.mean(axis=0)
            if np.abs(found - wanted).max() < 1e-6:
                return scaled
            factors = factors * wanted / np.maximum(found, 1e-12)
            factors /= factors.max()
        raise OutgrowError(
            "balance: no factor a class brings the mean of these weak labels to the prior: they are hard, or nearly so; "
            "give soft labels, or leave rows out by filter"
        )


class _OnFeatures(Method):
    """What looks at features does so across folds: no text is its own neighbour, nor one of its group."""

    k: Neighbours | None = None  # nearest neighbours, 20 where it is left out
    folds: Folds | None = None  # 5 where it is left out

    def second_opinion(self, weak: Floats, rows: Rows, by: str) -> Floats:
        """Probabilities `[n, classes]` of a probe on features, fitted to the weak labels of the other folds."""
        probe = partial(_neighbours, k=self.k or 20) if by == "knn" else logistic
        return out_of_fold(probe, weak, rows, self.folds or 5)


class Filter(_OnFeatures):
    """Learn from a part of the weak labels: the share that the supervisor is surest of, or those that a probe agrees with.

    `confidence` keeps the `keep` surest of each hardened class, so that no class is filtered away: the sure part is the
    easy part, of which Burns et al. 2023 (arXiv 2312.09390) ask what it teaches. `knn` drops what the neighbours contradict
    (Wilson 1972, *Asymptotic properties of nearest neighbor rules using edited data*), `logistic` what a linear probe
    does; both on the student's frozen features, fitted to the weak labels of other folds. EleutherAI's code for weak-to-strong
    drops a fixed share of the rows; these drop all that the probe contradicts. Logistic probes have the l2 of a head at .03, of
    two classes at .06.
    """

    by: Literal["confidence", "knn", "logistic"] = "confidence"
    keep: Annotated[float, Field(gt=0, le=1)] | None = None  # by confidence, .5 where it is left out

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if self.by != "confidence" and self.keep is not None:
            raise ValueError(f"`keep` goes with `by: confidence`; {self.by} keeps the rows that it agrees with")
        if self.by == "confidence" and (self.k or self.folds):
            raise ValueError("`k` and `folds` go with `by: knn` or `by: logistic`; confidence has no neighbours")
        if self.by == "logistic" and self.k:
            raise ValueError("`k` goes with `by: knn`: a logistic probe has no neighbours")
        return self

    @property
    def reads_features(self) -> bool:
        """Unless the supervisor's confidence decides."""
        return self.by != "confidence"

    def labels(self, weak: Floats, rows: Rows) -> Floats:
        """Raises OutgrowError where all labels are equally sure, and where the probe agrees with none."""
        hard = harden(weak, rows.ids)
        if self.by == "confidence":
            kept = self._surest(weak, hard, rows)
        else:
            kept = harden(self.second_opinion(weak, rows, self.by), rows.ids) == hard
            if not kept.any():
                raise OutgrowError(f"filter: the {self.by} probe contradicts every weak label, so nothing is left")
        return np.where(kept[:, None], weak, np.nan)

    def _surest(self, weak: Floats, hard: Ints, rows: Rows) -> NDArray[np.bool_]:
        sure = weak.max(axis=1)
        if np.ptp(sure) == 0:
            raise OutgrowError(
                "filter: all weak labels are equally sure, so none is surer than another: give soft labels, or filter "
                "by knn or logistic"
            )
        kept = np.zeros(len(weak), dtype=np.bool_)
        for c in range(weak.shape[1]):
            of_class = np.flatnonzero(hard == c)
            order = of_class[np.lexsort((rows.ids[of_class], -sure[of_class]))]
            kept[order[: math.ceil((self.keep or 0.5) * len(order))]] = True
        return kept


class Relabel(_OnFeatures):
    """Replace each weak label by what a probe on the student's frozen features says, fitted to the labels of other folds.

    A label that the student's own representation makes unlikely is corrected before anything is learned: `knn` is the mean
    weak label of the `k` nearest by cosine (as Deep k-NN: Bahri, Jiang & Gupta 2020, arXiv 2004.12289), `logistic` a linear
    probe (as Northcutt, Jiang & Chuang 2021, arXiv 1911.00068, find label errors out of sample), of the l2 of a head at .03,
    of two classes at .06.
    """

    by: Literal["knn", "logistic"] = "knn"

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if self.by == "logistic" and self.k:
            raise ValueError("`k` goes with `by: knn`: a logistic probe has no neighbours")
        return self

    @property
    def reads_features(self) -> bool:
        """Yes."""
        return True

    def labels(self, weak: Floats, rows: Rows) -> Floats:
        """The probe's probabilities."""
        return self.second_opinion(weak, rows, self.by)


def out_of_fold(probe: Probe, weak: Floats, rows: Rows, folds: int) -> Floats:
    """Probabilities `[n, classes]` of a probe on the student's features, fitted to the weak labels of the other folds."""
    assert rows.features is not None
    values = rows.features.astype(np.float64)
    values *= LENGTH / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    opinion = np.empty(weak.shape)
    for held, others in _folds(rows, folds):
        opinion[held] = probe(values[others], weak[others], values[held])
    return within(opinion, rows.allowed)


def _folds(rows: Rows, count: int) -> Iterator[tuple[Ints, Ints]]:
    """Rows held out and the others, `count` times; the rows of a group are held out together."""
    groups, of_row = np.unique(rows.groups, return_inverse=True)
    if len(groups) < count:
        raise OutgrowError(f"{len(groups)} groups of texts cannot be cut into {count} folds; give fewer `folds`")
    fold = np.random.default_rng(rows.seed).permutation(len(groups))[of_row] % count
    for number in range(count):
        yield np.flatnonzero(fold == number), np.flatnonzero(fold != number)


def _neighbours(values: Floats, weak: Floats, asked: Floats, k: int) -> Floats:
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=min(k, len(values)), algorithm="brute").fit(values)
    mean: Floats = weak[nearest.kneighbors(asked, return_distance=False)].mean(axis=1)
    return mean


def logistic(values: Floats, weak: Floats, asked: Floats, l2: float = L2) -> Floats:
    """Probabilities of the rows `asked`, by a logistic probe fitted to soft labels."""
    from sklearn.linear_model import LogisticRegression

    n, classes = weak.shape
    # A soft label is its classes, each weighing what it says of them.
    row, label = np.nonzero(weak > 0)
    probe = LogisticRegression(C=1 / (l2 * n), max_iter=1000)
    probabilities = np.zeros((len(asked), classes))
    if len(set(label.tolist())) == 1:
        probabilities[:, label[0]] = 1
        return probabilities
    probe.fit(values[row], label, sample_weight=weak[row, label])
    probabilities[:, probe.classes_] = probe.predict_proba(asked)
    return probabilities
