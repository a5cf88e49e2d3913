"""One batch of the optimizer, cut into parts of like length: less padding, bounded memory, the same gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from outgrow.core.examples import Ints
from outgrow.models.checkpoints.device import put

if TYPE_CHECKING:
    from torch import Tensor


# What one more part costs (its calls, its gradients of the embeddings), as floating point operations of work.
OVERHEAD = {"cpu": 4e8, "elsewhere": 1e12}


class Objective(Protocol):
    """What training asks of a method. Models and methods don't import one another."""

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """Losses `[n]` of logits and targets `[n, classes]`; with the whole batch's statistic each row is its own."""

    def statistic(self, logits: Tensor) -> Tensor | None:
        """What the loss must know of the whole batch's logits `[n, classes]`; None: nothing."""


def overhead(parameters: int, device: str) -> float:
    """Tokens that one more part costs as much as, for a body of `parameters`, at 6 operations per parameter and token."""
    return OVERHEAD["cpu" if device == "cpu" else "elsewhere"] / (6.0 * parameters)


def cut(lengths: Ints, budget: int, overhead: float) -> list[Ints]:
    """Positions `[part]` of texts of like length, the longest first, every one once.

    Of all ways to cut the sorted batch into parts of at most `budget` padded tokens (or one text), the one with the
    least padded tokens, where each part counts `overhead` more.
    """
    order = np.argsort(-lengths, kind="stable")
    sorted_lengths = lengths[order]
    padded = int(sorted_lengths[0]) * len(order)
    if padded <= budget and padded - int(lengths.sum()) <= overhead:
        return [order]  # all that cuts could save is less than one of them costs
    best = [0.0]  # cost of the first `stop` texts
    cuts = [0]
    for stop in range(1, len(order) + 1):
        options = [
            (best[start] + overhead + int(sorted_lengths[start]) * (stop - start), start)
            for start in range(stop)
            if start == stop - 1 or int(sorted_lengths[start]) * (stop - start) <= budget
        ]
        cost, start = min(options)
        best.append(cost)
        cuts.append(start)
    parts: list[Ints] = []
    stop = len(order)
    while stop:
        parts.append(order[cuts[stop] : stop])
        stop = cuts[stop]
    return parts[::-1]


def shared_out(lengths: Ints, budget: int, overhead: float, rank: int, processes: int) -> tuple[list[Ints], int]:
    """A process's parts of a batch that several share, and how many of them count.

    Each takes every `processes`th text of the batch sorted by length. All get as many parts, since each waits for the others
    in every pass: where one has fewer, it goes along with texts that count for nothing.
    """
    order = np.argsort(-lengths, kind="stable")
    shares = [order[place::processes] for place in range(processes)]
    parts = [[share[part] for part in cut(lengths[share], budget, overhead)] if len(share) else [] for share in shares]
    mine = parts[rank]
    idle: list[Ints] = [order[-1:]] * (max(map(len, parts)) - len(mine))
    return [*mine, *idle], len(mine)


def needs_statistic(method: Objective, classes: int) -> bool:
    """Whether the method's loss on this number of classes needs something of the whole batch."""
    import torch

    return method.statistic(torch.zeros(2, classes)) is not None


@dataclass(frozen=True)
class Passes:
    """How a batch's parts go through the model: each maps positions in the batch to logits `[part, classes]`."""

    learning: Callable[[Ints], Tensor]
    looking: Callable[[Ints], Tensor]  # no gradient, no dropout
    backward: Callable[[Tensor], Any]
    share: Callable[[Tensor], Tensor] = lambda values: values  # the sum over the processes that share the batch
    processes: int = 1
    counted: int | None = None  # the first parts, which count; with the rest the process goes along; None: all count


def backward_batch(
    passes: Passes,
    parts: Sequence[Ints],
    targets: Tensor,
    weights: Tensor,
    method: Objective,
    progress: float,
    *,
    statistic: bool,
) -> Tensor:
    """Gradients of the mean over a batch of loss times weight, part by part; returns it, as a number without a graph.

    parts: positions in the batch that this process reads; targets `[batch, classes]`, weights `[batch]`. Where
    `statistic`, the method sees the whole batch's logits first, from a pass without gradient or dropout.
    """
    import torch

    found = None
    counted = len(parts) if passes.counted is None else passes.counted
    if statistic:
        logits = torch.zeros_like(targets)
        for place, part in enumerate(parts):
            seen = passes.looking(part).float()
            if place < counted:
                logits[put(part, targets.device)] = seen
        found = method.statistic(passes.share(logits))
    total = torch.zeros((), device=targets.device)
    for place, part in enumerate(parts):
        rows = put(part, targets.device)
        losses = method.loss(passes.learning(part).float(), targets[rows], progress, found)
        loss = (losses * weights[rows]).sum() * ((place < counted) / len(targets))
        passes.backward(loss * passes.processes)  # processes average their gradients
        total += loss.detach()
    return passes.share(total)
