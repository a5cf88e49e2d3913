"""Which rule joins several voters' labels best, by the careful labels of texts that have votes too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.examples import Floats, Ints
from outgrow.execution.step import Step
from outgrow.models.label_sources.aggregate import Rule
from outgrow.teaching.labels.dataset import Dataset, Evidence
from outgrow.teaching.steps import folds


@dataclass(frozen=True)
class Join:
    """Cheap labels joined by a rule: the step, and what is known by it."""

    by: Rule
    step: Step
    evidence: Evidence

    @classmethod
    def read(cls, by: Rule, step: Step, data: Dataset, folder: Path) -> Join:
        """What the step left in its folder."""
        return cls(by, step, Evidence(data.pool, np.load(folder / "probabilities.npy"), data.truth))


@dataclass(frozen=True)
class Joins:
    """The rules tried on one data set. right `[rules, texts]`: 1 where right, on careful texts `both` with a cheap label."""

    tried: Sequence[Join]
    right: Floats
    both: Ints  # positions among the careful rows
    seed: int

    @classmethod
    def of(cls, tried: Sequence[Join], seed: int) -> Joins:
        """Their scores by the careful labels."""
        careful, pool = tried[0].evidence.careful, tried[0].evidence.pool
        hard = np.stack([join.evidence.hard[careful] for join in tried])
        both = np.flatnonzero(hard[0] >= 0)
        right: Floats = (hard[:, both] == pool.labels[careful[both]]).astype(np.float64)
        return cls(tried, right, both, seed)

    @property
    def best(self) -> Join:
        """The rule that all careful labels choose."""
        return self.tried[best_join(self.right)]

    @property
    def of_folds(self) -> list[Join]:
        """For each fold of the careful rows, the rule that the other folds choose."""
        return [self.tried[best_join(self.right[:, ~here])] for here in self._folds]

    @property
    def scores(self) -> Floats:
        """1 where right, `[texts]`: of each text by the rule that the other folds choose."""
        found = np.empty(len(self.both))
        for here in self._folds:
            found[here] = self.right[best_join(self.right[:, ~here]), here]
        return found

    @property
    def _folds(self) -> list[NDArray[np.bool_]]:
        """Which texts are in each fold of the careful rows."""
        return [np.isin(self.both, part) for part in folds(self.tried[0].evidence.careful_groups, self.seed)]

    @property
    def described(self) -> tuple[dict[str, Any], ...]:
        """Each rule's accuracy, where there are several and texts to judge by."""
        if len(self.tried) < 2 or not len(self.both):
            return ()
        return tuple(
            {"by": join.by, "accuracy": float(row.mean())} for join, row in zip(self.tried, self.right, strict=True)
        )


def best_join(right: Floats) -> int:
    """The place of the rule to join by, from `[rules, texts]`, 1 where right.

    That which is right most often, but the first, which is the safest, where no other is better by more than one standard
    error of the difference (Breiman et al. 1984, *Classification and regression trees*, section 3.4.3): a few careful
    labels would otherwise choose by chance. Measured in benchmarks/science/joins.py.
    """
    rows = right.shape[1]
    best = int(right.sum(axis=1).argmax()) if rows else 0
    if best == 0 or rows < 2:
        return 0
    more = right[best] - right[0]
    return best if more.mean() > more.std(ddof=1) / np.sqrt(rows) else 0
