"""FLOPs per second: as measured on this machine, or as expected before anything was measured."""

from __future__ import annotations

from time import perf_counter

from outgrow.execution.step import Context, Step, kind_of
from outgrow.execution.store import Store


def expected_rate(kind: str, product: float) -> float:
    """FLOPs a second that a step of `kind` may reach where a matrix product reaches `product`."""
    return product * kind_of(kind).efficiency


def matrix_product() -> float:
    """FLOPs a second of a float32 matrix product on this machine's processor, measured for a quarter of a second."""
    import numpy as np

    size, done = 1024, 0
    left = np.ones((size, size), dtype=np.float32)
    left @ left  # the first one starts the threads
    begin = perf_counter()
    while (elapsed := perf_counter() - begin) < 0.25 or not done:
        left @ left
        done += 1
    return done * 2.0 * size**3 / elapsed


RATES = "rates.json"  # in the store: "kind/device/threads" -> FLOPs a second, as last measured


def rates(store: Store) -> dict[str, float]:
    """FLOPs a second by "kind/device/threads", as runs on this store measured them."""
    known = store.read_json(RATES)
    if not isinstance(known, dict):
        return {}
    return {name: rate for name, rate in known.items() if isinstance(rate, (int, float)) and rate > 0}


def rate_name(step: Step, context: Context) -> str:
    """The name of a step's rate in `rates`."""
    return f"{step.kind}/{context.device}/{context.threads}"
