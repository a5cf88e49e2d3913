"""Where two models say the same."""

from __future__ import annotations

import numpy as np

from outgrow.core import Ints, OutgrowError


def agreement(first: Ints, second: Ints) -> float:
    """The share of rows where two hard predictions, class numbers `[n]` in the same order, are equal.

    Raises OutgrowError where the two differ in length or hold no rows.
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.ndim != 1 or first.shape != second.shape or first.size == 0:
        raise OutgrowError(
            f"agreement compares two lists of class numbers of the same rows, at least one; "
            f"these have shapes {list(first.shape)} and {list(second.shape)}"
        )
    return float((first == second).mean())
