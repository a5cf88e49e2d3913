"""Answers: what every trained thing leaves and every metric gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from outgrow.core.examples import Floats, Ints, Strings, harden

Allowed = NDArray[np.bool_]
OUT = -1e9  # the logit of a class that a row does not allow: probability 0, and finite, so that 0 times it is 0


@dataclass(frozen=True)
class Answers:
    """One model's answers to the rows `ids [n]`.

    A class that a row does not allow has probability 0 there. A row of NaN has no answer.
    """

    ids: Strings
    probabilities: Floats  # [n, classes]
    allowed: Allowed | None = None  # [n, classes] the classes that a row can have; None: all, in every row
    texts: Sequence[str] | None = None  # [n] what was written, where the model writes

    @cached_property
    def complete(self) -> bool:
        """Whether every row has an answer."""
        return not bool(np.isnan(self.probabilities).any())

    @cached_property
    def hard(self) -> Ints:
        """The likeliest class of each row that it allows, `[n]`; ties go by a hash of the id (see `harden`)."""
        if self.allowed is None:
            return harden(self.probabilities, self.ids)
        return harden(np.where(self.allowed, self.probabilities, -1), self.ids)


def within(probabilities: Floats, allowed: Allowed | None) -> Floats:
    """Probabilities `[n, classes]` with nothing on classes that a row does not allow, and rows that sum to one again.

    A row that leaves nothing is uniform over its classes; a row of NaN stays. None allows everything.
    """
    if allowed is None:
        return probabilities
    kept = np.where(allowed, probabilities, 0).astype(probabilities.dtype)
    total = kept.sum(axis=1, keepdims=True)
    shares: Floats = np.where(total == 0, uniform(allowed), kept / np.where(total == 0, 1, total)).astype(
        probabilities.dtype
    )
    shares[np.isnan(probabilities).any(axis=1)] = np.nan
    return shares


def uniform(allowed: Allowed) -> Floats:
    """Each row's probabilities where nothing is known: equal over the classes it allows, `[n, classes]`."""
    return np.asarray(allowed / allowed.sum(axis=1, keepdims=True))


def chosen_among(scores: Floats, places: Ints) -> Floats:
    """Probabilities `[n, k]` float32 of each row's parts: the softmax of their scores `[parts]`, 0 where there is no part.

    places `[n, k]`: the part that each class of a row is, -1 where it has fewer. Of two that is Bradley & Terry 1952, of
    more the conditional logit (McFadden 1974).
    """
    logits = np.where(places < 0, OUT, scores[places]).astype(np.float64)
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), dtype=np.float32)
