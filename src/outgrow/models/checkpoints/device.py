"""What a device has of its own: random states, memory, and the place that training takes."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.core.group import short_of_memory, size

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


def put(values: NDArray[Any], device: Any) -> Tensor:
    """An array on a device. On a GPU it is copied while other work goes on: the host does not wait for it."""
    import torch

    tensor = torch.from_numpy(values)
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def with_memory_for(work: Callable[[int], T], budget: int, where: str, advice: str) -> T:
    """`work(budget)`; where the device's memory does not suffice, once more with half the budget of padded tokens.

    Of several processes none can begin again alone: the first lack of memory ends them, and they are started once more.
    Raises OutgrowError, which ends in `advice`, where half does not suffice either.
    """
    import torch

    half = max(1, budget // 2)
    again = short_of_memory()
    for tokens in (half,) if again else (budget, half):
        try:
            return work(tokens)
        except torch.OutOfMemoryError as error:
            if size() > 1 and not again:
                raise
            reason = str(error).partition(". ")[0]
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    raise OutgrowError(
        f"{where}: the device's memory does not suffice, with batches of {budget} and of {half} padded tokens ({reason}): "
        f"{advice}"
    )


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


@contextmanager
def same_bits(device: str) -> Iterator[None]:
    """On a GPU: only kernels that sum in the same order each time, where there are such."""
    import torch

    if not device.startswith("cuda"):
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or torch warns that it does not know
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    settings: Any = torch.utils.deterministic
    filled = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    settings.fill_uninitialized_memory = False  # nothing here reads what was never written
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        settings.fill_uninitialized_memory = filled


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
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    return {"device": kind, "gpus": gpus, "processes": size(), **versions}
