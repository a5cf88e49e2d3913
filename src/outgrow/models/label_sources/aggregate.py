"""Several supervisors' labels joined into one. A voter may be silent: a row of NaN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints, Strings, harden
from outgrow.models.label_sources.dawid_skene import LEAST, DawidSkene, join_columns


@dataclass(frozen=True)
class Aggregated:
    """Labels `[n, classes]`, NaN where every voter is silent; what Dawid-Skene took each voter's accuracy to be."""

    probabilities: Floats
    accuracies: Sequence[float] = ()


def join(
    voters: Sequence[Floats], ids: Strings, fitted: Ints, by: Literal["mean", "majority", "dawid_skene"]
) -> Aggregated:
    """Join voters' probabilities `[n, classes]`. Raises OutgrowError where no voter says anything about `fitted`.

    fitted: the rows that Dawid-Skene learns each voter's habits from; all others are joined by these habits. Rows that a
    voter learned from would show it better than it is.
    """
    said: Floats = np.stack(voters)
    spoke: NDArray[np.bool_] = np.array([~np.isnan(one).any(axis=1) for one in voters])  # [voters, n]
    if not spoke[:, fitted].any():
        raise OutgrowError(f"join: none of the {len(voters)} supervisors says anything about the rows of transfer")
    if by == "mean":
        return Aggregated(_mean(said, spoke))
    votes: Ints = np.stack(
        [np.where(there, harden(np.nan_to_num(p), ids), -1) for p, there in zip(voters, spoke, strict=True)]
    )
    if by == "majority":
        return Aggregated(_mean(np.eye(said.shape[2])[votes], spoke))
    model = join_columns(votes[:, fitted].T, said.shape[2])
    joined = np.where(spoke.sum(axis=0)[:, None] > 0, _posterior(model, votes), np.nan)
    right = np.einsum("vcc,c->v", model.confusion[:, :, : said.shape[2]], model.priors)
    return Aggregated(joined, right.tolist())


def _mean(said: Floats, spoke: NDArray[np.bool_]) -> Floats:
    total = np.where(spoke[:, :, None], said, 0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean: Floats = total / spoke.sum(axis=0)[:, None]
    return mean


def _posterior(model: DawidSkene, votes: Ints) -> Floats:
    """What the habits make of `votes [voters, n]`: p(c) times each voter's p(answer | c), normalised."""
    classes = len(model.priors)
    logs = np.tile(np.log(np.maximum(model.priors, LEAST)), (votes.shape[1], 1))
    silent = np.zeros(len(votes), dtype=np.bool_) if model.one_sided is None else model.one_sided
    for habits, answers, its_silence_tells in zip(model.confusion, votes, silent, strict=True):
        if its_silence_tells and habits.shape[1] > classes:
            answers = np.where(answers < 0, classes, answers)
        heard = answers >= 0
        logs[heard] += np.log(habits[:, answers[heard]]).T
    belief: Floats = np.exp(logs - logs.max(axis=1, keepdims=True))
    belief /= belief.sum(axis=1, keepdims=True)
    return belief
