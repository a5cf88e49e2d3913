"""A learning curve: looks at a model while it learns, changes nothing of that, and knows when to stop if it is to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints, Strings, harden
from outgrow.models.checkpoints.tokens import Readable
from outgrow.models.finetune.adapters import learning
from outgrow.models.finetune.classifier import Loaded, predict
from outgrow.models.finetune.options import Finetune
from outgrow.models.finetune.shards import own

POINTS = 10  # of a learning curve
WATCHED = 200  # test rows that a curve is drawn from: all points of one curve by the same ones

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Watch:
    """What is looked at during training and changes nothing of it, early stopping aside."""

    rows: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # [n] test rows
    ids: Strings = field(default_factory=lambda: np.zeros(0, dtype=np.str_))  # [n] theirs, which decide ties
    truth: Ints | None = None  # [n] classes, -1: not known
    weak: Ints | None = None  # [n] the weak labels' classes, -1: not known
    validation: Ints | None = None  # rows that early stopping judges by
    judged: Floats | None = None  # their targets `[rows, classes]`, of the kind that is learned from


class Curve:
    """Looks at the model ten times in training, and keeps the best weights where it is to stop early."""

    def __init__(self, loaded: Loaded, options: Finetune, tokens: Readable, watch: Watch, progress: Progress) -> None:
        self.loaded, self.options, self.tokens, self.watch, self.progress = loaded, options, tokens, watch, progress
        self.points: list[dict[str, float | None]] = []
        self.losses: list[Any] = []  # of the batches since the last point
        self.best: tuple[float, dict[str, Any]] | None = None
        self.taken_at, self.worse = 1.0, 0

    def step(self, done: int, total: int) -> bool:
        """After each step of the optimizer: whether to stop."""
        self.progress(done, total)
        due = {math.ceil(total * point / POINTS) for point in range(1, POINTS + 1)}
        return done in due and self._look(done / total)

    def _look(self, at: float) -> bool:
        import torch

        loss = float(torch.stack(self.losses).mean())
        self.losses.clear()
        if not math.isfinite(loss):
            raise OutgrowError(
                f"training diverged: the loss is {loss} after {at:.0%} of it: give a smaller lr, or more warmup"
            )
        watch = self.watch
        predicted = None
        if len(watch.rows):
            predicted = harden(predict(self.loaded, self.tokens, watch.rows, self.options), watch.ids)
        self.points.append(
            {
                "progress": at,
                "loss": loss,
                "test_accuracy": _agreement(predicted, watch.truth),
                "weak_agreement": _agreement(predicted, watch.weak),
            }
        )
        return self.options.early_stop is not None and self._judge(at, self.options.early_stop)

    def _judge(self, at: float, patience: int) -> bool:
        assert self.watch.validation is not None, "early stopping without validation"
        assert self.watch.judged is not None, "early stopping without labels on validation"
        known = ~np.isnan(self.watch.judged).any(axis=1)
        found = predict(self.loaded, self.tokens, self.watch.validation[known], self.options)
        loss = float(-(self.watch.judged[known] * np.log(np.maximum(found, 1e-12))).sum(axis=1).mean())
        if self.best is None or loss < self.best[0]:
            learned = learning(self.loaded.module)
            self.best = loss, {name: own(value).detach().cpu().clone() for name, value in learned}
            self.taken_at, self.worse = at, 0
        else:
            self.worse += 1
        return self.worse >= patience

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What it has seen so far, as JSON values and tensors."""
        import torch

        facts = {"points": self.points, "taken_at": self.taken_at, "worse": self.worse, "best": None}
        tensors = {"losses": torch.stack(self.losses)} if self.losses else {}
        if self.best is not None:
            facts["best"] = self.best[0]
            tensors |= {f"best.{name}": value for name, value in self.best[1].items()}
        return facts, tensors

    def take_up(self, facts: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.points, self.taken_at, self.worse = list(facts["points"]), facts["taken_at"], facts["worse"]
        device = next(self.loaded.module.parameters()).device
        self.losses = list(tensors["losses"].to(device)) if "losses" in tensors else []
        if facts["best"] is not None:
            best = {name[5:]: value for name, value in tensors.items() if name.startswith("best.")}
            self.best = facts["best"], best

    def take_best(self) -> None:
        """The weights of the smallest loss on validation, where that was asked for."""
        if self.best is not None:
            for name, value in learning(self.loaded.module):
                own(value.detach()).copy_(self.best[1][name])


def _agreement(predicted: Ints | None, labels: Ints | None) -> float | None:
    if predicted is None or labels is None or not (labels >= 0).any():
        return None
    return float((predicted == labels)[labels >= 0].mean())
