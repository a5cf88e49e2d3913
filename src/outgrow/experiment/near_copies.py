"""Test rows that have nearly the same row in training, by the features of a model of the run: no control finds these."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outgrow.core.examples import Floats, Ints
from outgrow.core.pool import Pool
from outgrow.core.units import plural

ALIKE = 0.95  # cosine of features less their mean; one word more or less in a sentence of ten is about there
MANY = 0.01  # of the test rows: in ordinary sets of short sentences half as many have such a row
BLOCK, TESTED, WORK = 16_384, 1_000, 2e11  # rows in one product, test rows at most, operations at most
SHOWN, LONGEST = 2, 60  # pairs in a note, and characters of each text


@dataclass(frozen=True)
class Neighbours:
    """Of the test rows looked at `[n]`, rows of the pool: the nearest training row and its cosine, `[n]` each."""

    rows: Ints
    nearest: Ints
    cosine: Floats

    @property
    def alike(self) -> Ints:
        """Places among these of rows with a training row nearly the same, the closest first."""
        order = np.argsort(-self.cosine, kind="stable")
        return np.asarray(order[self.cosine[order] >= ALIKE])


def neighbours(features: Floats, test: Ints, training: Ints) -> Neighbours:
    """Nearest neighbours across splits: features `[pool, d]`, rows of the pool in test and in training.

    Features lose their mean over training rows first, since those of most models lie in one narrow cone. At most a
    thousand test rows are looked at, fewer where training is large: the first, and pools are in the order of hashes.
    """
    limit = int(np.clip(WORK / (2 * max(1, len(training)) * features.shape[1]), 50, TESTED))
    test = test[:limit]
    centre = np.asarray(features[training[:BLOCK]], dtype=np.float32).mean(axis=0)
    mine = _unit(features[test], centre)
    best, place = np.full(len(test), -1.0, dtype=np.float32), np.zeros(len(test), dtype=np.int64)
    for start in range(0, len(training), BLOCK):
        block = training[start : start + BLOCK]
        cosines = mine @ _unit(features[block], centre).T
        nearest = cosines.argmax(axis=1)
        value = cosines[np.arange(len(test)), nearest]
        better = value > best
        best[better], place[better] = value[better], block[nearest[better]]
    return Neighbours(test, place, best)


def _unit(values: Floats, centre: Floats) -> Floats:
    moved = np.asarray(values, dtype=np.float32) - centre
    unit: Floats = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
    return unit


def near_copies(pool: Pool, features: Floats, training: Ints, whose: str) -> list[str]:
    """A sentence where more test rows than usual have a training row nearly the same; the closest pairs are shown."""
    test = np.flatnonzero(pool.test)
    if not len(training) or not len(test):
        return []
    found = neighbours(features, test, training)
    alike = found.alike
    if len(alike) < max(2, MANY * len(found.rows)):
        return []
    pairs = "; ".join(
        f"{_text(pool, int(found.rows[place]))} and {_text(pool, int(found.nearest[place]))}" for place in alike[:SHOWN]
    )
    return [
        f"{len(alike)} of {plural(len(found.rows), 'test row')} ({len(alike) / len(found.rows):.1%}) have a training row "
        f"nearly the same (cosine {ALIKE:g} or more of {whose}'s features, less their mean), such as {pairs}: what learned "
        "those rows has seen their answers"
    ]


def _text(pool: Pool, row: int) -> str:
    text = pool.input_type.record(pool.inputs[row])
    return f'"{text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"}"'
