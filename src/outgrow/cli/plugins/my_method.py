"""My method: learn from the weak labels, and less from rows that they are unsure about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from outgrow import Method

if TYPE_CHECKING:
    from torch import Tensor


class MyMethod(Method):
    """Cross entropy, each row weighed by how far its weak label is from uniform, to the power `strength`."""

    strength: float = Field(default=1.0, ge=0)

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """One loss per row."""
        import torch

        cross_entropy = torch.nn.functional.cross_entropy(logits, weak, reduction="none")
        doubt = -torch.special.xlogy(weak, weak).sum(dim=-1) / torch.tensor(float(weak.shape[-1])).log()
        loss: Tensor = (1 - doubt).clamp_min(0) ** self.strength * cross_entropy
        return loss
