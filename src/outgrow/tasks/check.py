"""Checks a user's task against its contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from outgrow.core.findings import Findings, global_randomness
from outgrow.core.identity import content_id
from outgrow.tasks.contract import RawTask
from outgrow.tasks.pool import build_pool


def check_task(task: Callable[..., Any], name: str) -> list[str]:
    """A task function: called twice without arguments, it returns the same RawTask, from which a pool can be made."""
    found = Findings(name)
    with global_randomness(found):
        first, second = (found.attempt(task, "the task function") for _ in range(2))
    if first is None or second is None:
        return found.close()
    if not found.expect(
        isinstance(first, RawTask), "returns a RawTask", f"returns {type(first).__name__}, not a RawTask"
    ):
        return found.close()
    found.expect(
        [content_id(value) for value in first.inputs] == [content_id(value) for value in second.inputs]
        and list(first.labels) == list(second.labels),
        "returns the same rows each time",
        "returns other rows when called again: take randomness from a fixed seed",
    )
    blank = [row for row, value in enumerate(first.inputs) if not str(value).strip()]
    found.expect(not blank, "has no empty input", f"has empty inputs, the first in row {blank[:1]}")
    size = None if first.test is not None else max(1, len(first.inputs) // 5)
    pool = found.attempt(lambda: build_pool(first, test_rows=size, balance=True, name=name), "making a pool of it")
    if pool is not None:
        counts = ", ".join(f"{c} {int((pool.labels == i).sum())}" for i, c in enumerate(pool.classes))
        found.held.append(f"ok: makes a pool of {len(pool)} distinct rows ({counts})")
    return found.close()
