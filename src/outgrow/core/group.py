"""The processes that make one step together, each with a part of the model: which of them this one is."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

PATIENCE = timedelta(hours=1)  # in which the others are waited for: one may be loading a large model
LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")  # by which libraries would distribute by themselves
_short = False
_size = 1  # a program that runs outgrow may use `torch.distributed` for its own purposes, which is no group


def join(device: str, *, short: bool = False) -> str:
    """Join the others as torchrun's environment says; the device of this process, where `device` is cpu or cuda.

    short: the memory of a device did not suffice when they were started before.
    """
    global _size, _short
    import torch

    distributed: Any = torch.distributed
    place, _size, _short = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), short
    here = torch.device("cpu") if device == "cpu" else torch.device("cuda", place)
    if here.type == "cuda":
        torch.cuda.set_device(here)
    meeting = distributed.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    distributed.init_process_group(
        "gloo" if here.type == "cpu" else "cpu:gloo,cuda:nccl",
        # torchrun keeps one store for all starts, where a second one would find the addresses of processes that are gone.
        store=distributed.PrefixStore(f"start {os.environ['TORCHELASTIC_RESTART_COUNT']}", meeting),
        rank=place,
        world_size=_size,
        timeout=PATIENCE,
        device_id=None if here.type == "cpu" else here,
    )
    for name in LAUNCHED:
        os.environ.pop(name, None)
    return str(here)


def size() -> int:
    """How many they are; 1 where a step is made by one process alone."""
    return _size


def rank() -> int:
    """The place of this one among them, from 0."""
    from torch import distributed

    return distributed.get_rank() if size() > 1 else 0


def short_of_memory() -> bool:
    """Whether they were started before, and the memory of a device did not suffice."""
    return _short


def of_another(error: Exception) -> bool:
    """Whether an error says no more than that another of them has ended."""
    from torch import distributed

    return isinstance(error, distributed.DistError) or (isinstance(error, RuntimeError) and "/gloo/" in str(error))


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
