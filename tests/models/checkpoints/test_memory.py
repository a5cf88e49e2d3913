"""Work that does not fit in a device's memory: half as much once, then a sentence."""

from __future__ import annotations

import pytest
import torch

from outgrow.core.errors import OutgrowError
from outgrow.models.checkpoints.device import with_memory_for


def test_half_the_budget_is_tried_once() -> None:
    tried: list[int] = []

    def work(budget: int) -> str:
        tried.append(budget)
        if budget > 60:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return "done"

    assert with_memory_for(work, 100, "finetune:x", "give fewer `tokens`") == "done"
    assert tried == [100, 50]
    assert with_memory_for(work, 60, "finetune:x", "give fewer `tokens`") == "done"
    with pytest.raises(OutgrowError) as caught:
        with_memory_for(work, 1000, "finetune:x", "give fewer `tokens`")
    assert str(caught.value) == (
        "finetune:x: the device's memory does not suffice, with batches of 1000 and of 500 padded tokens "
        "(CUDA out of memory): give fewer `tokens`"
    )
    assert tried == [100, 50, 60, 1000, 500]


def test_other_errors_are_left_as_they_are() -> None:
    def work(budget: int) -> None:
        raise ValueError("another fault")

    with pytest.raises(ValueError, match="another fault"):
        with_memory_for(work, 100, "x", "y")
