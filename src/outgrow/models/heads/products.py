"""The two matrix products of a step for many heads: logits of each head's rows, and the slopes of its weights.

Weights are `[slots, columns, width]`, a slot a head; logits and their gradients `[classes, N]`, the rows of the first
head, then those of the second and so on. What a slot gets never depends on what the others hold. A head on texts has a
column per class; one on candidates has one, whose products are the logits of a row's candidates.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from outgrow.core.answers import OUT
from outgrow.core.examples import Ints

if TYPE_CHECKING:
    from torch import Tensor


R = TypeVar("R")
CACHED = 2**22  # floats of rows that a thread works on in turn (16 MB): more would come from memory at each step


class Products(Protocol):
    """How logits and slopes are computed on one kind of device."""

    slots: int
    columns: int
    width: int
    device: Any

    def logits(self, weight: Tensor) -> Tensor:
        """`[slots, columns, width]` -> `[classes, N]`."""

    def slopes(self, gradient: Tensor, weight: Tensor) -> Tensor:
        """`[classes, N]` -> like the weights: the sum over a head's rows of gradient times features."""


class OwnRows:
    """On a CPU: each head's products by calls of its own on a copy of its rows, whose shapes only that head decides."""

    def __init__(self, rows: Sequence[Tensor], classes: int) -> None:
        """rows: features `[m, width]` of each head."""
        self.rows, self.device = rows, "cpu"
        self.sizes, self.across = [len(own) for own in rows], [own.T for own in rows]
        self.slots, self.columns, self.width = len(rows), classes, rows[0].shape[1]
        # Buffers of their own begin where BLAS likes it: a part of a common one could begin elsewhere, and round otherwise.
        self.buffers = [own.new_empty(classes, len(own)) for own in rows]

    def logits(self, weight: Tensor) -> Tensor:
        """See `Products`."""
        import torch

        # All heads' parts in one call: of small heads, taking them one by one would cost as much as the products.
        for own, across, buffer in zip(weight.unbind(), self.across, self.buffers, strict=True):
            torch.mm(own, across, out=buffer)
        return torch.cat(self.buffers, dim=1)

    def slopes(self, gradient: Tensor, weight: Tensor) -> Tensor:
        """See `Products`."""
        import torch

        slopes = torch.empty_like(weight)
        parts = torch.split(gradient, self.sizes, dim=1)
        for own, rows, buffer, part in zip(slopes.unbind(), self.rows, self.buffers, parts, strict=True):
            torch.mm(buffer.copy_(part), rows, out=own)
        return slopes


@dataclass(frozen=True)
class Candidates:
    """The candidates of a head's rows: features `[m * k, width]`, and which of `[m, k]` are absent."""

    features: Tensor
    absent: Tensor


class CandidateRows:
    """Each head's products by calls of its own on its rows' candidates, k to a row."""

    columns = 1

    def __init__(self, rows: Sequence[Candidates]) -> None:
        """rows: the candidates of each head."""
        self.rows, self.slots = rows, len(rows)
        self.width, self.device = rows[0].features.shape[1], rows[0].features.device

    def logits(self, weight: Tensor) -> Tensor:
        """See `Products`; those of absent candidates are `OUT`."""
        import torch

        scores = [(own @ rows.features.T).view(rows.absent.shape) for own, rows in zip(weight, self.rows, strict=True)]
        return torch.cat(
            [own.masked_fill(rows.absent, OUT).T for own, rows in zip(scores, self.rows, strict=True)], dim=1
        )

    def slopes(self, gradient: Tensor, weight: Tensor) -> Tensor:
        """See `Products`."""
        import torch

        parts = torch.split(gradient, [len(rows.absent) for rows in self.rows], dim=1)
        there = [part.T.masked_fill(rows.absent, 0) for part, rows in zip(parts, self.rows, strict=True)]
        slopes = [own.reshape(1, -1) @ rows.features for own, rows in zip(there, self.rows, strict=True)]
        return torch.stack(slopes)


class JoinedRows:
    """On a GPU: one product over all rows for all slots, always of the same shape, empty slots filled with zeros."""

    def __init__(self, inputs: Tensor, rows: Sequence[Ints], slots: int, classes: int) -> None:
        """inputs: features of all rows `[n, width]`; rows: each head's."""
        import torch

        self.inputs, self.device = inputs, inputs.device
        self.slots, self.columns, self.width = slots, classes, inputs.shape[1]
        places = np.concatenate([own.astype(np.int64) + slot * len(inputs) for slot, own in enumerate(rows)])
        self.places = torch.from_numpy(places).to(inputs.device)
        self.gradients = torch.zeros(classes, slots * len(inputs), device=inputs.device)

    def logits(self, weight: Tensor) -> Tensor:
        """See `Products`."""
        everything = (weight.flatten(0, 1) @ self.inputs.T).view(*weight.shape[:2], len(self.inputs))
        return everything.transpose(0, 1).flatten(1)[:, self.places]

    def slopes(self, gradient: Tensor, weight: Tensor) -> Tensor:
        """See `Products`."""
        self.gradients[:, self.places] = gradient
        everything = self.gradients.view(-1, self.slots, len(self.inputs)).transpose(0, 1).flatten(0, 1)
        return (everything @ self.inputs).view_as(weight)


def widened(inputs: Tensor, bias: float) -> Tensor:
    """A last column of `bias`, so that a bias is one of the weights, then zeros up to a multiple of 16: `[n, width]`."""
    # Widths of whole vector registers keep BLAS from a tail path that treats some columns unlike others.
    n, d = inputs.shape
    padded = inputs.new_zeros(n, math.ceil((d + 1) / 16) * 16)
    padded[:, :d] = inputs
    padded[:, d] = bias
    return padded


def groups(rows: Sequence[Ints], width: int, threads: int) -> list[list[int]]:
    """Which heads a thread solves in one loop: those of equal rows, and of others as many as stay in its cache."""
    most = math.ceil(len(rows) / threads)
    found: list[list[int]] = []
    held = 0
    for place in sorted(range(len(rows)), key=lambda place: rows[place].tobytes()):
        size = len(rows[place]) * width
        if found and len(found[-1]) < most:
            equal = np.array_equal(rows[place], rows[found[-1][-1]])
            if equal or held + size <= CACHED:
                found[-1].append(place)
                held += 0 if equal else size
                continue
        found.append([place])
        held = size
    return found


def copies(rows: Sequence[Ints], made: Callable[[Ints], R]) -> list[R]:
    """What `made` makes of the rows of each head; of equal rows it is one copy."""
    found: dict[bytes, R] = {}
    for own in rows:
        if own.tobytes() not in found:
            found[own.tobytes()] = made(own)
    return [found[own.tobytes()] for own in rows]


class _StoppedError(Exception):
    """Ends the other threads' work after one has failed or was interrupted."""


def with_a_core_each(
    count: int,
    threads: int,
    work: Callable[[int, Callable[[int], None]], None],
    report: Callable[[int, int, int], None],
) -> None:
    """`work(place, report)` for each place in 0 .. count - 1, some of them in each of several threads of one core each.

    Each thread works by itself from beginning to end, so that none ever waits for another. report: of the first thread,
    its piece of work, how many it has, and the step within it.
    """
    import torch

    parts = [range(count)[first::threads] for first in range(min(count, threads))]
    stop = threading.Event()

    def unless_stopped(step: int) -> None:
        if stop.is_set():
            raise _StoppedError

    def others(part: Sequence[int]) -> None:
        torch.set_num_threads(1)  # BLAS counts by thread
        for place in part:
            work(place, unless_stopped)

    with _one_core_each(), ThreadPoolExecutor(max(1, len(parts) - 1)) as pool:
        rest = [pool.submit(others, part) for part in parts[1:]]
        try:
            for number, place in enumerate(parts[0]):
                work(place, lambda step, number=number: report(number, len(parts[0]), step))  # type: ignore[misc]
            for one in rest:
                one.result()
        except BaseException:
            stop.set()
            raise


@contextmanager
def _one_core_each() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
