"""The losses of many heads in as few calls as their methods allow, each row's bits as in a call of its head's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor


REGISTERS = 16  # floats; the widest vector register there is


class Objective(Protocol):
    """What a head asks of a method. Models and methods don't import one another."""

    @property
    def by_row(self) -> bool:
        """Whether a row's loss depends on no other row but through `statistic`: equal methods of many heads are one call."""

    @property
    def apart_from_statistic(self) -> Any:
        """The method less what `statistic` alone reads: methods that are equal in it share a call."""

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """Losses `[m]` of logits and targets `[m, classes]`, at a share of training in [0, 1].

        statistic: of each row's own batch, `[m]` or `[m, classes]`; None: the rows are one batch, or the loss needs none.
        """

    def statistics(self, methods: Sequence[Any], logits: Tensor) -> Tensor | None:
        """Where `by_row`: what losses must know of batches, a method each: `[batches, m, classes]` -> `[batches, ...]`."""


@dataclass(frozen=True)
class Call:
    """One loss for several heads on their joined rows."""

    methods: list[Objective]  # of each of these heads, equal but for what their statistics read
    sizes: list[int]  # rows of each
    spare: int  # columns of nothing behind them, which fill the last vector register: its rest would round otherwise


def joined_calls(lessons: Sequence[tuple[Objective, int]]) -> tuple[list[int], list[Call]]:
    """The order in which heads of one loss are together, those of equal size side by side; and the calls.

    lessons: each head's method and its number of rows.
    """
    owners: list[tuple[Objective, Any, list[int]]] = []
    for place, (own, _) in enumerate(lessons):
        # Most of a call is its own cost.
        alike = own.apart_from_statistic if own.by_row else None
        shared = [places for method, of, places in owners if own.by_row and method.by_row and of == alike]
        if shared:
            shared[0].append(place)
        else:
            owners.append((own, alike, [place]))
    order: list[int] = []
    calls = []
    for method, _, places in owners:
        places.sort(key=lambda place: lessons[place][1])
        sizes = [lessons[place][1] for place in places]
        spare = -sum(sizes) % REGISTERS if method.by_row else 0
        calls.append(Call([lessons[place][0] for place in places], sizes, spare))
        order += places
    return order, calls


def losses(call: Call, logits: Tensor, targets: Tensor, progress: float) -> Tensor:
    """The loss of each row; where there is a statistic, it is that of the row's own head."""
    import torch

    method = call.methods[0]
    if not method.by_row:
        return method.loss(logits, targets, progress)
    found, begin, first = [], 0, 0
    for size in dict.fromkeys(call.sizes):
        heads = call.sizes.count(size)
        batches = logits[begin : begin + size * heads].reshape(-1, size, logits.shape[1])
        statistic = method.statistics(call.methods[first : first + heads], batches)
        if statistic is None:
            return method.loss(logits, targets, progress)
        of_row = statistic.unsqueeze(1).expand(-1, size, *statistic.shape[1:])
        found.append(of_row.flatten(0, 1))
        begin, first = begin + size * heads, first + heads
    return method.loss(
        logits, targets, progress, torch.cat([*found, found[0].new_zeros(call.spare, *found[0].shape[1:])])
    )
