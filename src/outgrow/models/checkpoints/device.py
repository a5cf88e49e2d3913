"""What a device has of its own: random states, and the place that training takes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def randomness(device: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Python's, numpy's and torch's global random states, as JSON values and tensors."""
    import torch

    name, keys, position, has_gauss, gauss = np.random.get_state()
    facts = {"python": random.getstate(), "numpy": [name, position, has_gauss, gauss]}
    tensors = {"random.numpy": torch.from_numpy(np.asarray(keys).astype(np.int64)), "random.cpu": torch.get_rng_state()}
    if device.startswith("cuda"):
        tensors |= {f"random.cuda{place}": value for place, value in enumerate(torch.cuda.get_rng_state_all())}
    if device == "mps":
        tensors["random.mps"] = torch.mps.get_rng_state()
    return facts, tensors


def set_randomness(facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Put back what `randomness` gave."""
    import torch

    version, words, gauss = facts["python"]
    random.setstate((version, tuple(words), gauss))
    name, position, has_gauss, cached = facts["numpy"]
    np.random.set_state((name, tensors["random.numpy"].numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(tensors["random.cpu"])
    on_gpu = [name for name in tensors if name.startswith("random.cuda")]
    if on_gpu:
        torch.cuda.set_rng_state_all([tensors[f"random.cuda{place}"] for place in range(len(on_gpu))])
    if "random.mps" in tensors:
        torch.mps.set_rng_state(tensors["random.mps"])


@contextmanager
def own_randomness(device: str) -> Iterator[None]:
    """The global random states as they were afterwards."""
    before = randomness(device)
    try:
        yield
    finally:
        set_randomness(*before)


def settle(args: Any, device: str) -> None:
    """Let a Trainer's arguments mean one device, the one that was asked for; by themselves they mean all, or the first."""
    import torch

    _ = args.device  # settles it, and how many there are
    args._n_gpu = 1  # one process drives one device: no DataParallel
    if device.startswith("cuda:"):
        torch.cuda.set_device(device)
        args.__dict__["_setup_devices"] = torch.device(device)


def fingerprint(device: str) -> dict[str, Any]:
    """What bits depend on beside the work itself: a training goes on only where all of this is as it was."""
    import torch
    import transformers

    kind = device.partition(":")[0]
    gpus = [torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count())] if kind == "cuda" else []
    return {"device": kind, "gpus": gpus, "torch": torch.__version__, "transformers": transformers.__version__}
