"""What work may use: an executor, processes, threads, devices; and what a result records of where it was made."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from outgrow.core.errors import UsageError


@dataclass(frozen=True)
class Machine:
    """What work may use: one object from the command line to the executor. None of it is part of a result's identity.

    device: auto, cpu, mps, cuda (the first GPU, or all of them where there are several jobs), cuda:1, or cuda:0,cuda:1.
    executor: a name of the registry, a package's, or path/to/file.py:Name. Default: `local` for one job, else `processes`.
    Raises UsageError for what cannot be meant.
    """

    jobs: int | None = None  # batches of steps at once; default: one here, as many as there is room for elsewhere
    threads: int | None = (
        None  # a process; default: the cores, shared among the jobs, or OMP_NUM_THREADS where that is less
    )
    device: str = "auto"
    checkpoint_every: float | None = None  # minutes; None: a training that is killed starts again from its beginning
    executor: str | None = None
    address: str | None = None  # where an executor beyond this machine finds its cluster

    def __post_init__(self) -> None:
        check_device(self.device)
        if self.jobs is not None and self.jobs < 1:
            raise UsageError(f"--jobs {self.jobs}: at least one process has to do the work")

    @property
    def executor_name(self) -> str:
        """The executor that this machine means."""
        return self.executor or ("local" if (self.jobs or 1) == 1 else "processes")

    @property
    def threads_each(self) -> int:
        """Threads of each process on this machine."""
        return self.threads_for(1)

    def threads_for(self, processes: int) -> int:
        """Threads of each of the processes that make a step: several have the machine to themselves."""
        allowed = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
        share = max(1, cores() // (processes if processes > 1 else self.jobs or 1))
        return self.threads or (min(int(allowed), share) if allowed.isdecimal() and int(allowed) else share)

    @property
    def checkpoint_seconds(self) -> float | None:
        """`checkpoint_every` in seconds."""
        return None if self.checkpoint_every is None else 60 * self.checkpoint_every

    def devices(self) -> tuple[str, ...]:
        """The devices that are there, for the jobs to take in turn. Loads torch unless the device is `cpu`.

        Raises UsageError if one of them is not there.
        """
        found = tuple(resolve_device(device) for device in self.device.split(","))
        if found == ("cuda",) and (self.jobs or 1) > 1:
            import torch

            if (count := torch.cuda.device_count()) > 1:
                return tuple(f"cuda:{place}" for place in range(count))
        return found

    def devices_for(self, processes: int) -> str:
        """One device for each of the processes that make a step together, joined by commas; `cpu` for all of them.

        Raises UsageError where there are not as many GPUs.
        """
        found = tuple(dict.fromkeys(self.devices()))
        if found == ("cuda",):
            import torch

            found = tuple(f"cuda:{place}" for place in range(torch.cuda.device_count()))
        if found[0] == "cpu":
            return "cpu"
        if len(found) < processes or not found[0].startswith("cuda"):
            raise UsageError(
                f"a step is made by {processes} processes with a GPU each, and there {'is' if len(found) == 1 else 'are'} "
                f"{len(found)} for it here (--device {self.device}): give the model fewer `processes`, or another --device"
            )
        return ",".join(found[:processes])


def cores() -> int:
    """Cores that this process may use: a scheduler such as Slurm may leave it fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment(device: str, threads: int) -> dict[str, Any]:
    """What results may depend on and keys do not, of this process: versions, device, threads, platform.

    Loads no library. Which of several GPUs it was makes no difference: `cuda:1` is recorded as `cuda`.
    """
    packages = {name: _version(name) for name in ("outgrow", "torch", "transformers", "numpy")}
    return {
        "python": platform.python_version(),
        **packages,
        "device": device.partition(":")[0],
        "threads": threads,
        "platform": f"{platform.system()} {platform.machine()}",
    }


def check_device(device: str) -> None:
    """Raise UsageError for what names no device."""
    if not re.fullmatch(r"auto|cpu|mps|cuda|cuda:\d+(,cuda:\d+)*", device):
        raise UsageError(f"--device {device}: is not a device; choose auto, cpu, mps, cuda, cuda:1, or cuda:0,cuda:1")


def resolve_device(device: str, threads: int | None = None) -> str:
    """`auto` -> cuda, mps or cpu, as there is; another as it is, if it is there. Raises UsageError.

    With `threads`, torch uses that number in this process from here on.
    """
    check_device(device)
    if device == "cpu" and threads is None:
        return device
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


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
