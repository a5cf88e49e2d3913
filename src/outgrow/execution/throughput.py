"""How long steps take: FLOPs per second as runs on this store measured them, by kind, model, device and threads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.core.files import disk
from outgrow.core.identity import digest
from outgrow.core.registry import nearest
from outgrow.execution.step import Step, kind_of
from outgrow.execution.store import Store

LONG = 600.0  # seconds: a step that is expected to take longer is warned of before it starts
RATES = "rates.json"  # in the store: {"rates": {name: FLOPs a second}, "auto": {host: the device that `auto` meant}}

# What of a step's parameters its speed depends on, beside its kind: never how long it learns or from what.
_MODEL = ("model", "fingerprint")
_OPTIONS = ("precision", "lora", "bitfit", "max_length")


class Rates:
    """FLOPs per second of steps: as this run measured them, else as earlier runs on this store did."""

    def __init__(self, store: Store) -> None:
        self._store = store
        known = store.read_json(RATES)
        known = known if isinstance(known, dict) else {}
        self._known = {
            name: rate for name, rate in _mapping(known, "rates") if isinstance(rate, (int, float)) and rate > 0
        }
        self._auto = {host: device for host, device in _mapping(known, "auto") if isinstance(device, str)}
        self._work: dict[str, float] = defaultdict(float)  # FLOPs measured in this run, by name
        self._time: dict[str, float] = defaultdict(float)  # and their seconds
        self._names: dict[tuple[str, str, int], str] = {}  # asked for again and again, for what is left of a run

    def device(self, device: str) -> str:
        """The kind of a device; of `auto`, the one that it last meant on this host, `auto` if that is not known."""
        device = self._auto.get(disk.this_host(), device) if device == "auto" else device
        return device.partition(":")[0]

    def seconds(self, steps: Iterable[Step], device: str, threads: int) -> float | None:
        """Expected seconds of work, None if a rate is not known. A step of no FLOPs counts as no time."""
        total, device = 0.0, self.device(device)
        for step in steps:
            if step.flops > 0:
                name = self._names.get((step.key, device, threads))
                if name is None:
                    name = self._names[step.key, device, threads] = rate_name(step, device, threads)
                rate = self._rate(name)
                if rate is None:
                    return None
                total += step.flops / rate
        return total

    def add(self, steps: Sequence[Step], device: str, threads: int, seconds: float, meant_by: str) -> None:
        """These steps took `seconds` together on a device, which `--device` named `meant_by`."""
        flops = sum(step.flops for step in steps)
        if flops > 0 and seconds > 0:
            name = rate_name(steps[0], device.partition(":")[0], threads)
            self._work[name] += flops
            self._time[name] += seconds
            if meant_by == "auto":
                self._auto[disk.this_host()] = device.partition(":")[0]

    def save(self) -> None:
        """Keep what was measured for later runs. Raises OutgrowError if the store cannot be written."""
        if self._work:
            measured = {name: self._work[name] / self._time[name] for name in self._work}
            now = Rates(self._store)  # another run may have written since
            auto = {**now._auto, **self._auto}
            self._store.write_json(RATES, {"rates": {**now._known, **measured}, "auto": auto})

    def _rate(self, name: str) -> float | None:
        return self._work[name] / self._time[name] if name in self._work else self._known.get(name)


# FLOPs a second of matrix products in float32 (without TF32) and in bfloat16. The H200's were measured; the others are the
# data sheets' dense rates times what a large product reached of them there (.76, .78).
ACCELERATORS: Mapping[str, Mapping[str, float]] = {
    "a100": {"fp32": 15e12, "bf16": 243e12},
    "h100": {"fp32": 51e12, "bf16": 776e12},
    "h200": {"fp32": 51e12, "bf16": 776e12},
}


@dataclass(frozen=True)
class PaperRates:
    """Estimates for an accelerator that is not at hand: its matrix products' rate, times what a kind reaches of it.

    Raises UsageError for a name that is not in `ACCELERATORS`.
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in ACCELERATORS:
            raise UsageError(f"--rates {self.name}: is not known{nearest(self.name, ACCELERATORS)}")

    def seconds(self, steps: Iterable[Step], device: str, threads: int) -> float:
        """Expected seconds of work on one such accelerator, whatever the device and threads here."""
        rates = ACCELERATORS[self.name]
        total = 0.0
        for step in steps:
            precision = (step.params.get("options") or {}).get("precision", "fp32")
            total += step.flops / (rates.get(precision, rates["fp32"]) * kind_of(step.kind).efficiency)
        return total


def rate_name(step: Step, device: str, threads: int) -> str:
    """kind/model/device/threads: steps of one name have one speed."""
    source = step.parents.get("features", step).params  # heads are as fast as their features are narrow
    options = source.get("options")
    options = options if isinstance(options, dict) else {}
    model = {name: source[name] for name in _MODEL if name in source}
    model |= {name: options[name] for name in _OPTIONS if name in options}
    place = f"{device}/{threads}" if step.processes == 1 else f"{device}/{step.processes} processes"
    return "/".join([step.kind, digest(model)[:12] if model else "-", place])


def matrix_product(device: str = "cpu") -> float:
    """FLOPs a second of a float32 matrix product on a device, measured for a tenth of a second."""
    size, done = (1024 if device == "cpu" else 4096), 0
    product = _product(device, size)
    product()  # the first one starts the threads
    begin = perf_counter()
    while (elapsed := perf_counter() - begin) < 0.1 or not done:
        product()
        done += 1
    return done * 2.0 * size**3 / elapsed


def _product(device: str, size: int) -> Callable[[], object]:
    """A product of two square matrices; of the processor without loading torch."""
    if device == "cpu":
        import numpy as np

        matrix = np.ones((size, size), dtype=np.float32)
        return lambda: matrix @ matrix
    import torch

    values = torch.ones((size, size), device=device)
    return lambda: (values @ values)[0, 0].item()  # reading a value waits for the product


def _mapping(values: dict[str, Any], name: str) -> list[tuple[str, Any]]:
    found = values.get(name)
    return list(found.items()) if isinstance(found, dict) else []
