"""The processes that make one step together, each with a part of the model: which of them this one is."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


def size() -> int:
    """How many they are; 1 where a step is made by one process alone."""
    from torch import distributed

    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """The place of this one among them, from 0."""
    from torch import distributed

    return distributed.get_rank() if size() > 1 else 0


def started_again() -> bool:
    """Whether torchrun started them once more, after one of them had ended."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def summed(values: Tensor) -> Tensor:
    """The sum of what all of them have, written over `values`."""
    from torch import distributed

    if size() > 1:
        distributed.all_reduce(values)
    return values


def meet() -> None:
    """Wait until all of them are here."""
    from torch import distributed

    if size() > 1:
        distributed.barrier()


def of_first(value: bool) -> bool:
    """What the first of them has."""
    import torch

    return bool(summed(torch.tensor(int(value and rank() == 0)))) if size() > 1 else value


def all_have(number: int) -> bool:
    """Whether all of them have the same number."""
    import torch

    if size() == 1:
        return True
    found = torch.zeros(size(), dtype=torch.int64)
    found[rank()] = number
    return bool((summed(found) == number).all())


def in_turn(make: Callable[[], T]) -> T:
    """`make()` in one of them after the other, so that what it holds meanwhile is held once."""
    for turn in range(size()):
        if turn == rank():
            made = make()
        meet()
    return made
