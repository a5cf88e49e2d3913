"""Simulated supervisors: the truth with chosen mistakes. Which of them does a student copy?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outgrow.core.answers import Allowed
from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints
from outgrow.models.label_sources.options import Simulate


def simulate(
    truth: Ints,
    classes: Sequence[str],
    lengths: Ints,
    parts: Sequence[Ints],
    asked: Simulate,
    seed: int,
    opinion: Floats | None = None,
    allowed: Allowed | None = None,
) -> Floats:
    """One-hot labels `[n, classes]`, NaN where the truth is unknown.

    truth `[n]` class numbers, -1 unknown; lengths `[n]` of the texts; opinion `[n, classes]` of the model that finds rows
    hard or easy; allowed `[n, classes]`, the classes a row can have, None for all.
    Each of `parts` (of the rows) gets the accuracy asked for to within half a row, whatever the kind of error, so
    that kinds can be compared; biased errors end where no other class is left. OutgrowError on a class that is not
    there.
    """
    random = np.random.default_rng(seed)
    n, k = len(truth), len(classes)
    labels_now = truth.copy()
    # Every row draws its turn and its mistake, whatever the parts, so that one part's size moves no other's.
    turn = random.random(n)
    other: Ints = (truth + random.integers(1, max(k, 2), size=n)) % k
    if allowed is not None:
        other = _among(allowed & (truth[:, None] != np.arange(k)), random.random(n))
    target = _class(asked.toward, classes) if asked.errors == "biased" else -1
    if asked.errors == "biased":
        other = np.full(n, target)
    if opinion is not None:
        own = np.where(truth[:, None] == np.arange(k), -np.inf, opinion)
        own = own if allowed is None else np.where(allowed, own, -np.inf)
        other = own.argmax(axis=1)
    first = _order(asked.errors, truth, lengths, opinion)
    for rows in parts:
        known = rows[truth[rows] >= 0]
        able = known[truth[known] != target]
        able = able if allowed is None else able[allowed[able, other[able]]]
        wanted = round((1 - asked.accuracy) * len(known))
        wrong = able[np.lexsort((turn[able], first[able]))][:wanted]
        labels_now[wrong] = other[wrong]
    labels: Floats = np.eye(k, dtype=np.float32)[np.maximum(labels_now, 0)]
    labels[truth < 0] = np.nan
    return labels


def _among(open_: Allowed, turn: Floats) -> Ints:
    """One of each row's open classes by its turn in [0, 1), all alike, `[n]`; 0 where none is open."""
    places = np.floor(turn * open_.sum(axis=1)).astype(np.int64)
    return np.asarray((open_.cumsum(axis=1) == places[:, None] + 1).argmax(axis=1))


def _order(errors: str, truth: Ints, lengths: Ints, opinion: Floats | None) -> Floats:
    """What is wrong first has the smallest number; equal numbers go by a row's turn."""
    match errors:
        case "longest":
            return -lengths.astype(np.float64)
        case "shortest":
            return lengths.astype(np.float64)
        case "hard" | "confident" if opinion is not None:
            likely: Floats = opinion[np.arange(len(truth)), np.maximum(truth, 0)].astype(np.float64)
            return likely if errors == "hard" else -likely
    return np.zeros(len(truth))


def _class(name: str | None, classes: Sequence[str]) -> int:
    if name is None:
        return 0
    if name not in classes:
        raise OutgrowError(f"simulate: `toward: {name}` is not a class of the task; there is {', '.join(classes)}")
    return list(classes).index(name)
