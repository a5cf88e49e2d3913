"""A pool that is much larger than its splits, cut: work follows what is asked, not the size of the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b

import numpy as np

from outgrow.core.pool import Pool

KEPT = 2  # times the rows that a seed deals, rounded up to a power of two: seeds must not all have the same rows
MUCH = 2  # times what would be kept; a smaller pool is left whole
SMALL = 4096  # rows that are read in seconds: so small a pool is left whole


def kept_of(pool: Pool, dealt: Mapping[str, int]) -> dict[str, int] | None:
    """How many rows are kept, test rows not counted, for splits of these sizes, and how many with a label; None: all.

    In powers of two, so that splits a little larger or smaller are dealt from the same rows, and read the same features.
    """
    rows = _power_of_two(KEPT * sum(dealt.values()))
    if int((~pool.test).sum()) <= max(SMALL, MUCH * rows):
        return None
    return {"rows": rows, "labelled": _power_of_two(KEPT * (dealt["weak_train"] + dealt["validation"]))}


def cut_pool(pool: Pool, *, rows: int, labelled: int = 0, exact: bool = False) -> Pool:
    """The pool's test rows, and of the others group after group, in the order of a hash, up to `rows`.

    `labelled` of the rows have a label. Where groups are of several rows, some more are kept, as a split takes whole ones.
    exact: no more than `rows`, as many whole groups of the order as that is.
    """
    others = np.flatnonzero(~pool.test)
    sizes = Counter(pool.groups[others].tolist())
    slack = 3 * (max(sizes.values()) - 1)  # each of the three splits may leave the rest of one group
    turns = {group: blake2b(f"cut:{group}".encode(), digest_size=16).digest() for group in sizes}
    order = np.array(sorted(others.tolist(), key=lambda row: (turns[str(pool.groups[row])], pool.ids[row])))
    known = np.cumsum(pool.labels[order] >= 0)
    enough = np.flatnonzero((np.arange(1, len(order) + 1) >= rows + slack) & (known >= labelled + slack))
    stop = int(enough[0]) + 1 if len(enough) else len(order)
    if exact:
        stop = min(rows, len(order))
        while 0 < stop < len(order) and pool.groups[order[stop]] == pool.groups[order[stop - 1]]:
            stop -= 1
    while 0 < stop < len(order) and pool.groups[order[stop]] == pool.groups[order[stop - 1]]:
        stop += 1
    kept = np.sort(np.concatenate([np.flatnonzero(pool.test), order[:stop]]))
    why = (
        f"`rows: {rows}` asks for no more"
        if exact
        else "the splits take far fewer; `rows: all` beside the task keeps them"
    )
    note = f"cut to {stop} of the {len(order)} rows that are not for test, chosen by a hash of their content: {why}"
    return replace(
        pool,
        ids=pool.ids[kept],
        inputs=[pool.inputs[row] for row in kept.tolist()],
        labels=pool.labels[kept],
        groups=pool.groups[kept],
        test=pool.test[kept],
        notes=(*pool.notes, note),
        allowed=None if pool.allowed is None else pool.allowed[kept],
    )


def _power_of_two(rows: int) -> int:
    return 1 << max(0, rows - 1).bit_length()
