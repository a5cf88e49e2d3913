"""Pools of made-up tasks."""

from __future__ import annotations

from outgrow.core.pool import Pool
from outgrow.tasks.contract import RawTask
from outgrow.tasks.pool import build_pool

PARTS = ("weak_train", "transfer", "validation")


def task(*sizes: int, **more: object) -> RawTask:
    """`sizes[c]` distinct rows of class c."""
    rows = [(f"text {label} {number}", label) for label, size in enumerate(sizes) for number in range(size)]
    return RawTask([text for text, _ in rows], [label for _, label in rows], **more)  # type: ignore[arg-type]


def pool_of(raw: RawTask, test_rows: int = 10, balance: bool = True) -> Pool:
    return build_pool(raw, test_rows=test_rows, balance=balance, name="t")
