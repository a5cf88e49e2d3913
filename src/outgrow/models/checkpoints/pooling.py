"""What is read of a batch of hidden states, and batches padded in front, so that all texts end at the same place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def pooled(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """One vector per text, `[batch, longest, d]` -> `[batch, d]`: the mean of its real tokens or the `last` of them.

    The mask `[batch, longest]` alone says which tokens are real.
    """
    import torch

    lengths = mask.sum(dim=1)
    if pooling == "last":
        return states[
            torch.arange(states.shape[0], device=states.device), lengths - 1
        ]  # len() would fix an exported graph
    return (states * mask.unsqueeze(-1)).sum(dim=1) / lengths.unsqueeze(-1)


def padded_in_front(texts: Sequence[Sequence[int]], device: str) -> dict[str, Tensor]:
    """Token ids of several texts as a causal model takes them: input_ids, attention_mask, position_ids `[batch, longest]`."""
    import torch

    longest = max(map(len, texts))
    ids, mask = torch.zeros(2, len(texts), longest, dtype=torch.int64)
    for place, text in enumerate(texts):
        ids[place, longest - len(text) :] = torch.tensor(text)
        mask[place, longest - len(text) :] = 1
    positions = (mask.cumsum(dim=1) - 1).clamp_min(0)
    return {
        "input_ids": ids.to(device),
        "attention_mask": mask.to(device),
        "position_ids": positions.to(device),
    }
