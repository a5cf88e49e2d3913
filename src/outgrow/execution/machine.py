"""What work may use: processes, threads, device."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.execution.step import Context


@dataclass(frozen=True)
class Machine:
    """What work may use here. None of it is part of a result's identity."""

    jobs: int = 1
    threads: int | None = None  # a process; default: the cores, shared among the jobs
    device: str = "auto"
    checkpoint_every: float | None = None  # minutes; None: a training that is killed starts again from its beginning

    def __post_init__(self) -> None:
        check_device(self.device)

    def context(self, sources: Mapping[str, Any]) -> Context:
        """The steps' context on this machine. Raises UsageError for a device that is not there."""
        threads = self.threads or max(1, (os.cpu_count() or 1) // self.jobs)
        every = None if self.checkpoint_every is None else 60 * self.checkpoint_every
        return Context(self.device, threads, sources, checkpoint_every=every)

    def resolved(self) -> Machine:
        """With `auto` replaced by the device that is there; loads torch."""
        return replace(self, device=resolve_device(self.device))


def check_device(device: str) -> None:
    """Raise UsageError for what names no device."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise UsageError(f"--device {device}: is no device; choose auto, cpu, cuda, cuda:1 or mps")


def resolve_device(device: str, threads: int | None = None) -> str:
    """`auto` -> cuda, mps or cpu, as there is; others as they are, if they are there. Raises UsageError.

    With `threads`, torch uses so many in this process from here on.
    """
    check_device(device)
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    kind, _, place = device.partition(":")
    if not there[kind] or (place and int(place) >= torch.cuda.device_count()):
        present = ", ".join(name for name, is_there in there.items() if is_there)
        raise UsageError(f"--device {device}: there is no such device here; there is {present}")
    return device
