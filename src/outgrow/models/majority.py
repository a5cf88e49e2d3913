"""The baseline that looks at no text: what a supervisor's labels alone are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from outgrow.core.examples import Examples, Floats, Labels
from outgrow.models.contract import ANY, Model


@dataclass(frozen=True)
class Shares:
    """The same probabilities for every example."""

    of_classes: Floats  # [classes]

    def predict(self, examples: Examples) -> Floats:
        """`[n, classes]`."""
        return np.tile(self.of_classes, (len(examples), 1))


class Majority(Model):
    """The class that most labels name, for every text: what any student must beat to have learned anything."""

    reads = ANY
    by_loss = False

    def fit(self, examples: Examples, targets: Labels, objective: Any, seed: int) -> Shares:
        """The classes' shares among the labels; a method's loss and the seed decide nothing.

        Where classes are places in the input, all are alike.
        """
        if examples.exchangeable:
            return Shares(np.full(targets.probabilities.shape[1], 1 / targets.probabilities.shape[1]))
        return Shares(targets.probabilities.astype(np.float64).mean(axis=0))
