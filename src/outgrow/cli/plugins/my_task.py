"""My task: a task of its own: is the sum of two numbers even?"""

from __future__ import annotations

from outgrow import RawTask


def my_task(numbers: int = 60) -> RawTask:
    """Sentences about pairs of numbers; those with the same first number belong together, so none is split."""
    pairs = [(a, b) for a in range(numbers) for b in range(a, numbers, 7)]
    return RawTask(
        inputs=[f"{a} and {b} make an even number" for a, b in pairs],
        labels=["yes" if (a + b) % 2 == 0 else "no" for a, b in pairs],
        groups=[f"first {a}" for a, _ in pairs],
    )
