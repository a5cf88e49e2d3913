"""The losses of many heads in as few calls as their methods allow, each row's bits as in a call of its head's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


REGISTERS = 16  # floats; the widest vector register there is


class Objective(Protocol):
    """What a head asks of a method. Models and methods don't import one another."""

    @property
    def by_row(self) -> bool:
        """Whether a row's loss depends on no other row but through `statistic`: equal methods of many heads are one call."""

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """Losses `[m]` of logits and targets `[m, classes]`, at a share of training in [0, 1].

        statistic: of each row's own batch, `[m]` or `[m, classes]`; None: the rows are one batch, or the loss needs none.
        """

    def statistic(self, logits: Tensor) -> Tensor | None:
        """Where `by_row`: what the loss must know of whole batches, `[batches, m, classes]` -> `[batches, ...]`."""


@dataclass(frozen=True)
class Call:
    """One loss for several heads on their joined rows."""

    method: Objective
    sizes: list[int]  # rows of each of these heads
    spare: int  # columns of nothing behind them, which fill the last vector register: its rest would round otherwise


def joined_calls(lessons: Sequence[tuple[Objective, int]]) -> tuple[list[int], list[Call]]:
    """The order in which heads of one loss are together, those of equal size side by side; and the calls.

    lessons: each head's method and its number of rows.
    """
    owners: list[tuple[Objective, list[int]]] = []
    for place, (own, _) in enumerate(lessons):
        # Most of a call is its own cost.
        shared = [places for method, places in owners if own.by_row and method == own]
        if shared:
            shared[0].append(place)
        else:
            owners.append((own, [place]))
    order: list[int] = []
    calls = []
    for method, places in owners:
        places.sort(key=lambda place: lessons[place][1])
        sizes = [lessons[place][1] for place in places]
        calls.append(Call(method, sizes, -sum(sizes) % REGISTERS if method.by_row else 0))
        order += places
    return order, calls


def losses(call: Call, logits: Tensor, targets: Tensor, progress: float) -> Tensor:
    """The loss of each row; where there is a statistic, it is that of the row's own head."""
    import torch

    if not call.method.by_row:
        return call.method.loss(logits, targets, progress)
    found, begin = [], 0
    for size in dict.fromkeys(call.sizes):
        end = begin + size * call.sizes.count(size)
        statistic = call.method.statistic(logits[begin:end].reshape(-1, size, logits.shape[1]))
        if statistic is None:
            return call.method.loss(logits, targets, progress)
        of_row = statistic.unsqueeze(1).expand(-1, size, *statistic.shape[1:])
        found.append(of_row.flatten(0, 1))
        begin = end
    return call.method.loss(
        logits, targets, progress, torch.cat([*found, found[0].new_zeros(call.spare, *found[0].shape[1:])])
    )
