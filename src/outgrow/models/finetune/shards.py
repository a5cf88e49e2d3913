"""A model in shards: each of several processes holds a part of every weight, and gathers the others' parts as it computes.

Zhao et al. 2023 (*PyTorch FSDP*, arXiv 2304.11277), as torch's `fully_shard` does it: block by block, in the precision in which
the weights are held. On GPUs and, slowly, on CPUs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from outgrow.core.group import size


def place(module: Any, device: str) -> None:
    """Put a module on the device, or where there are several processes, this one's shards of it."""
    import torch

    if size() == 1:
        module.to(device if device != "auto" else "cpu")
        return
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(torch.device(device).type, (size(),))
    for part in (*_blocks(module), module):
        # By default what is outside the blocks stays whole after a pass, and copies of it are no longer of this process's part.
        fully_shard(part, mesh=mesh, reshard_after_forward=True)


def _blocks(module: Any) -> Iterator[Any]:
    """The blocks of a model, which are the members of its outermost lists of modules."""
    from torch.nn import ModuleList

    for child in module.children():
        yield from child if isinstance(child, ModuleList) else _blocks(child)


def own(value: Any) -> Any:
    """What this process holds of a weight: its shard of it, or all."""
    from torch.distributed.tensor import DTensor

    return value.to_local() if isinstance(value, DTensor) else value


def like(weight: Any, value: Any) -> Any:
    """What was this process's part of something that has a weight's shape, in shards as the weight is."""
    from torch.distributed.tensor import DTensor

    if not isinstance(weight, DTensor) or value.shape != own(weight).shape:
        return value
    here, mesh, placements = value.to(own(weight).device), weight.device_mesh, weight.placements
    return DTensor.from_local(here, mesh, placements, run_check=False, shape=weight.shape, stride=weight.stride())


def whole(value: Any) -> Any:
    """The whole of a weight; where there are shards, all processes have to ask for it."""
    from torch.distributed.tensor import DTensor

    return value.full_tensor() if isinstance(value, DTensor) else value
