"""What careful labels know about the cheap ones: cheap labels corrected to p(true | cheap label, student's opinion, length).

The opinion of a text is that of a student that did not learn it. Three things are weighed against one another by the careful
texts that have a cheap label too: how far to believe the cheap label, how far the student, and how often each class is
the true one. So a noise matrix estimated from trusted labels (Hendrycks et al. 2018, arXiv 1802.05300, section 3) becomes
one that depends on the text as well; to combine a classifier out of sample with given labels is the idea of confident
learning (Northcutt et al. 2021, arXiv 1911.00068) and of CROWDLAB (Goh et al. 2022, arXiv 2210.06812).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outgrow.core.examples import Floats, Ints

PARTS = 5  # of the rows: each part is judged by a student that learned the others
DOUBT = 0.02  # no cheap label is less sure of a class: a hard one would rule all others out
SHRINK = (
    3.0  # towards one belief for all classes and lengths, and no leaning to a class: a normal prior of variance 1/3
)
FIXED = 1e6  # to 0
LOOSE = 0.1  # towards believing the student as far as it says and the cheap label not at all: variance 10


@dataclass(frozen=True)
class Clues:
    """What is known of n texts besides their truth."""

    opinion: Floats  # [n, classes] probabilities, by a student that did not learn the text
    cheap: Floats  # [n, classes] probabilities
    length: Floats  # [n] from -1, the shortest, to 1, the longest

    def at(self, rows: Ints) -> Clues:
        """Those of some of the texts."""
        return Clues(self.opinion[rows], self.cheap[rows], self.length[rows])


def trusted(label: Floats) -> Floats:
    """Cheap labels `[n, classes]` as evidence: from 0, a class that is ruled out, to 1, a certain one, by its logarithm."""
    found: Floats = 1 - np.log(np.maximum(label, DOUBT)) / np.log(DOUBT)
    return found


def corrected(clues: Clues, truth: Ints | Floats, known: Ints, *, places: bool = False) -> Floats:
    """p(true class) `[n, classes]` of texts, learned from the truth `[m]` or `[m, classes]` of those at `known [m]`.

    places: classes are places in the input, which tell nothing: no class has coefficients of its own.

    Multinomial logistic regression: score_k = a log opinion_k + (b + b_k + e length) cheap_k + d_k, with normal priors
    around a = 1 and 0 for all others.
    """
    from scipy.optimize import minimize

    classes = clues.cheap.shape[1]
    target: Floats = np.asarray(truth if truth.ndim == 2 else np.eye(classes)[truth], dtype=np.float64)
    student, cheap, length = _inputs(clues.at(known))
    centre = np.concatenate([[1.0, 0.0, 0.0], np.zeros(2 * classes)])
    strength = np.concatenate([[LOOSE, LOOSE, SHRINK], np.full(2 * classes, FIXED if places else SHRINK)])

    def loss(at: Floats) -> tuple[float, Floats]:
        logs = _logs(at, student, cheap, length)
        slope = np.exp(logs) - target
        of_cheap = slope * cheap
        whole = [(slope * student).sum(), of_cheap.sum(), (of_cheap * length[:, None]).sum()]
        away = at - centre
        gradient = np.concatenate([whole, of_cheap.sum(axis=0), slope.sum(axis=0)]) + strength * away
        return float(-(target * logs).sum() + (strength * away**2).sum() / 2), gradient

    found = minimize(loss, centre, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    probabilities: Floats = np.exp(_logs(found, *_inputs(clues)))
    return probabilities


def _inputs(clues: Clues) -> tuple[Floats, Floats, Floats]:
    return (
        np.log(np.maximum(clues.opinion.astype(np.float64), 1e-4)),
        trusted(clues.cheap.astype(np.float64)),
        clues.length,
    )


def _logs(at: Floats, student: Floats, cheap: Floats, length: Floats) -> Floats:
    """Log probabilities `[n, classes]` by coefficients `[3 + 2 classes]`."""
    classes = student.shape[1]
    score = at[0] * student + (at[1] + at[3 : 3 + classes] + at[2] * length[:, None]) * cheap + at[3 + classes :]
    score = score - score.max(axis=1, keepdims=True)
    logs: Floats = score - np.log(np.exp(score).sum(axis=1, keepdims=True))
    return logs


def lengths(sizes: Ints) -> Floats:
    """Where each text stands by its length, -1 to 1; equal ones stand together."""
    _, place, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    found: Floats = 2 * middle[place] / max(len(sizes) - 1, 1) - 1
    return found


def dealt(rows: Ints, parts: int = PARTS) -> Sequence[Ints]:
    """Rows (by content id, thus in random order) in disjoint parts."""
    return [rows[place::parts] for place in range(parts)]
