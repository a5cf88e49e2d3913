"""Rows that are scored and have nearly the same row in training, by a model's features: no control finds these."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from outgrow.core.examples import Floats, Ints
from outgrow.core.inputs.input_type import shown
from outgrow.core.pool import Pool
from outgrow.core.text.units import plural
from outgrow.execution.step import Step, walk

ALIKE = 0.95  # cosine of features less their mean; one word more or less in a sentence of ten is about there
MANY, FEWEST = 0.01, 4  # of the test rows: in ordinary sets of short sentences half as many have such a row
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
    """Nearest neighbours across splits: features `[pool, d]`, rows of the pool in test and in training; never a row itself.

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
        cosines[test[:, None] == block] = -1.0
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
    does = ("test row", "have a training row nearly the same", "what learned those rows has seen their answers")
    return _noted(pool, features, np.flatnonzero(pool.test), training, whose, *does)


def careful_copies(pool: Pool, features: Floats, careful: Ints, training: Ints, whose: str) -> list[str]:
    """The same of careful rows, which are scored by students that learned cheap labels and the other careful rows."""
    does = ("are nearly the same as a text that is learned from", "accuracy on new texts may be lower than on these")
    return _noted(pool, features, careful, training, whose, "careful text", *does)


def features_of(steps: Iterable[Step]) -> tuple[Step, str] | None:
    """The first step of features that these stand on, and the name of the model that they are of; None: they have none."""
    found = next((step.parents["features"] for step in walk(list(steps)) if "features" in step.parents), None)
    return None if found is None else (found, found.label.partition("features of ")[2])


def _noted(
    pool: Pool, features: Floats, scored: Ints, training: Ints, whose: str, what: str, do: str, hence: str
) -> list[str]:
    """How many of the scored rows have such a row, the closest pairs, and what follows; nothing where they are few."""
    if not len(training) or not len(scored):
        return []
    found = neighbours(features, scored, training)
    alike = found.alike
    if len(alike) < max(FEWEST, MANY * len(found.rows)):
        return []
    pairs = "; ".join(
        f"{_text(pool, int(found.rows[place]))} and {_text(pool, int(found.nearest[place]))}" for place in alike[:SHOWN]
    )
    return [
        f"{len(alike)} of {plural(len(found.rows), what)} ({len(alike) / len(found.rows):.1%}) {do} (cosine {ALIKE:g} or "
        f"more of {whose}'s features, less their mean), such as {pairs}: {hence}"
    ]


def _text(pool: Pool, row: int) -> str:
    return f'"{shown(pool.input_type.preview(pool.inputs[row]), LONGEST)}"'
