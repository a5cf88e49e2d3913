"""Checks a user's task against its contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from outgrow.core.findings import Findings, global_randomness
from outgrow.core.inputs.input_type import type_of_class
from outgrow.tasks.contract import RawTask
from outgrow.tasks.pool import build_pool


def check_task(task: Callable[..., Any], name: str) -> list[str]:
    """A task function: called twice without arguments, it returns the same RawTask, from which a pool can be made."""
    found = Findings(name)
    with global_randomness(found):
        first, second = (found.attempt(task, "the task function") for _ in range(2))
    if found.wrong:
        return found.close()
    kinds = " and then ".join(dict.fromkeys(type(one).__name__ for one in (first, second)))
    if not found.expect(
        isinstance(first, RawTask) and isinstance(second, RawTask),
        "returns a RawTask",
        f"returns {kinds}, not a RawTask; end the function with `return RawTask(inputs=…, labels=…)`",
    ):
        return found.close()
    kind = found.attempt(lambda: type_of_class(first.input_type), "its input_type")
    if kind is None:
        return found.close()
    wrong = [(row, problem) for row, value in enumerate(first.inputs) if (problem := kind.problem(value)) is not None]
    if not found.expect(
        not wrong,
        f"every input is of type {kind.name}",
        f"{len(wrong)} inputs cannot be of type {kind.name}; the first, in row {wrong[:1] and wrong[0][0]}, "
        f"{wrong[:1] and wrong[0][1]}",
    ):
        return found.close()
    found.expect(
        [kind.id(value) for value in first.inputs] == [kind.id(value) for value in second.inputs]
        and list(first.labels) == list(second.labels),
        "returns the same rows each time",
        "returns other rows when called again: take randomness from a fixed seed",
    )
    with TemporaryDirectory() as folder:
        again = found.attempt(
            lambda: kind.read(kind.write(list(first.inputs), Path(folder)), Path(folder)),
            "writing and reading its inputs",
        )
    found.expect(
        again is None or [kind.id(value) for value in again] == [kind.id(value) for value in first.inputs],
        "inputs that are written and read again are the same",
        f"an input of type {kind.name} that is written and read again has another identity",
    )
    size = None if first.test is not None else max(1, len(first.inputs) // 5)
    pool = found.attempt(lambda: build_pool(first, test_rows=size, balance=True, name=name), "making a pool of it")
    if pool is not None:
        counts = ", ".join(f"{c} {int((pool.labels == i).sum())}" for i, c in enumerate(pool.classes))
        found.held.append(f"ok: makes a pool of {len(pool)} distinct rows ({counts})")
    return found.close()
