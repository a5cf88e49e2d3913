"""A budget of truth: some of a supervisor's labels replaced by true ones, at random or where it is least sure."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints, Strings
from outgrow.models.label_sources.options import Placed


def placed_rows(weak: Floats, truth: Ints, ids: Strings, share: float, placed: Placed, seed: int) -> Ints:
    """Which of n rows get their true label: `share` of those that have a weak label, rounded, as sorted places.

    weak `[n, classes]`, NaN rows without a label, which get none; truth `[n]` class numbers, -1 unknown; ids `[n]`.
    random: in the order of a hash of seed and id. least_sure: by the smallest margin of the likeliest class above the
    next, equal ones by that hash. A smaller share's rows are among a larger one's. OutgrowError where the share is of no row,
    or of more than the truth is known of.
    """
    covered = ~np.isnan(weak).any(axis=1)
    wanted = round(share * int(covered.sum()))
    able = np.flatnonzero(covered & (truth >= 0))
    if not wanted:
        raise OutgrowError(f"`truth: {share:g}` of the {int(covered.sum()):,} labels of transfer is none; ask for more")
    if wanted > len(able):
        raise OutgrowError(
            f"`truth: {share:g}` asks for the truth of {wanted:,} rows of transfer, and it is known of {len(able):,} that "
            "have a weak label; ask for less"
        )
    turns = np.array([_turn(seed, ids[row]) for row in able.tolist()], dtype=np.str_)
    first: NDArray[np.float64] = np.zeros(len(able))
    if placed == "least_sure":
        first = margins(weak[able])
    chosen: Ints = np.sort(able[np.lexsort((turns, first))][:wanted])
    return chosen


def margins(weak: Floats) -> NDArray[np.float64]:
    """How far the likeliest class is above the next, `[n]`, of probabilities `[n, classes]`."""
    best = np.sort(weak.astype(np.float64), axis=1)
    return np.asarray(best[:, -1] - best[:, -2])


def _turn(seed: int, id_: str) -> str:
    return blake2b(f"truth:{seed}:{id_}".encode(), digest_size=16).hexdigest()
