"""Methods for weak labels of which some are simply wrong. p: the student's probabilities, w: the weak label, a row each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints, harden
from outgrow.methods.contract import Method, Rows
from outgrow.methods.labels import Folds, logistic, out_of_fold
from outgrow.methods.losses import ByRow

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


class Gce(ByRow):
    """Learn less from labels that the student finds unlikely: (1 - (sum_c w_c p_c)^q) / q.

    Generalised cross entropy (Zhang & Sabuncu 2018, arXiv 1805.07836), between cross entropy (q near 0) and the mean
    absolute error (q = 1), which does not mind wrong labels but learns slowly.
    """

    q: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.7

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """The loss of each example, `[n, classes]` twice -> `[n]`."""
        likely = (weak * logits.softmax(dim=-1)).sum(dim=-1)
        return (1 - likely.clamp(min=1e-12) ** self.q) / self.q


class ConfidentLearning(Method):
    """Leave out the weak labels that a probe takes to be wrong, by confident learning.

    Northcutt, Jiang & Chuang 2021 (arXiv 1911.00068), section 3.1: a row is confidently of a class where that class's
    probability, by a linear probe on the student's frozen features fitted to the labels of other folds, reaches its mean over
    the rows that are labelled so; of several, the likeliest. Rows that are confidently of another class than their label's are
    left out. `l2` regularises the probe more than a student: one that is too free agrees with wrong labels nearby.
    """

    l2: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 0.2
    folds: Folds = 5

    @property
    def reads_features(self) -> bool:
        """Yes."""
        return True

    def labels(self, weak: Floats, rows: Rows) -> Floats:
        """Raises OutgrowError where every label would be left out."""
        opinion = out_of_fold(partial(logistic, l2=self.l2), weak, rows, self.folds)
        kept = ~doubted(opinion, harden(weak, rows.ids))
        if not kept.any():
            raise OutgrowError("confident_learning: the probe contradicts every weak label, so nothing is left")
        return np.where(kept[:, None], weak, np.nan)


def doubted(opinion: Floats, labels: Ints) -> NDArray[np.bool_]:
    """Which labels `[n]` are confidently of another class, by probabilities out of sample `[n, classes]`."""
    classes = opinion.shape[1]
    bars = np.array([opinion[labels == c, c].mean() if (labels == c).any() else np.inf for c in range(classes)])
    reached = opinion >= bars
    likeliest = np.where(reached, opinion, -1).argmax(axis=1)
    found: NDArray[np.bool_] = reached.any(axis=1) & (likeliest != labels)
    return found
