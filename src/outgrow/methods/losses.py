"""Methods that are a loss on the student's logits. p: the student's probabilities, w: the weak label, a row each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from outgrow.core import UsageError
from outgrow.methods.contract import Method

if TYPE_CHECKING:
    from torch import Tensor


class Naive(Method):
    """Imitate the weak labels, soft or hard: CE(w, p) = -sum_c w_c log p_c (Burns et al. 2023, arXiv 2312.09390)."""

    @property
    def by_row(self) -> bool:
        """Yes: no row looks at another."""
        return True

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """CE(w, p) of each example, `[n, classes]` twice -> `[n]`."""
        return cross_entropy(weak, logits)


class Confidence(Method):
    """Trust the weak labels a little less, the student's own decisions a little more.

    (1 - a) CE(w, p) + a CE(h(p), p), the auxiliary confidence loss of Burns et al. 2023 (arXiv 2312.09390). h: the
    student's prediction, hardened, with no gradient through it; a rises linearly from 0 to `alpha` over the first
    `warmup` share of training.
    """

    alpha: float = Field(default=0.5, ge=0, le=1, allow_inf_nan=False)
    warmup: float = Field(default=0.2, ge=0, le=1, allow_inf_nan=False)
    prior: Literal["balanced"] | tuple[float, ...] = "balanced"  # of the classes; more than two are hardened without it

    @field_validator("prior")
    @classmethod
    def _is_a_distribution(
        cls, prior: Literal["balanced"] | tuple[float, ...]
    ) -> Literal["balanced"] | tuple[float, ...]:
        if prior != "balanced":
            if not all(math.isfinite(share) and share >= 0 for share in prior):
                raise ValueError(f"the prior {list(prior)} has a share that is not a number of 0 or more")
            if abs(sum(prior) - 1) > 1e-6:
                raise ValueError(f"the prior {list(prior)} sums to {sum(prior):g}; the shares of the classes sum to 1")
        return prior

    def weight(self, progress: float) -> float:
        """a, the weight of the student's own decisions: rises without a jump and is `alpha` from `warmup` on."""
        return self.alpha * min(1.0, progress / self.warmup) if self.warmup > 0 else self.alpha

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """The loss of each example, `[n, classes]` twice -> `[n]`. Raises UsageError on a prior of other classes."""
        a = self.weight(progress)
        threshold = self.statistic(logits) if statistic is None else statistic
        # Cross entropy is linear in its target, so the formula's two are one; and a = 0 leaves w as it is, to the bit.
        return cross_entropy((1 - a) * weak + a * hardened(logits, threshold), logits)

    def statistic(self, logits: Tensor) -> Tensor | None:
        """Two classes: the threshold on logit 1 - logit 0 (a scalar) that hardens by the prior. More: None."""
        classes = logits.shape[-1]
        if self.prior != "balanced" and len(self.prior) != classes:
            raise UsageError(
                f"confidence: the prior {list(self.prior)} has {len(self.prior)} shares and the task has "
                f"{classes} classes; give one share a class, in the order of the classes"
            )
        if classes != 2:
            return None
        return threshold(margin(logits), 0.5 if self.prior == "balanced" else self.prior[1])


def cross_entropy(target: Tensor, logits: Tensor) -> Tensor:
    """CE of a target distribution and softmax(logits), `[n, classes]` twice -> `[n]`."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits, target, reduction="none")


def margin(logits: Tensor) -> Tensor:
    """Logit 1 - logit 0 of two classes, `[n, 2]` -> `[n]`, no gradient: in the order of p but never saturated."""
    scores = logits.detach()
    return scores[:, 1] - scores[:, 0]


def hardened(logits: Tensor, threshold: Tensor | None) -> Tensor:
    """h(p) as one-hot rows `[n, classes]`, no gradient: 1[margin > threshold] for two classes, argmax for more."""
    from torch.nn.functional import one_hot

    choice = logits.detach().argmax(dim=-1) if threshold is None else (margin(logits) > threshold).long()
    return one_hot(choice, logits.shape[-1]).to(logits.dtype)


def threshold(scores: Tensor, share: float) -> Tensor:
    """The scalar that `share` of the scores `[n]` lie above: half way between two neighbours, so rounding flips no row.

    The count above is `share * n` rounded, a half downwards (of an odd batch the median itself is not above). Equal
    scores can't be told apart: where the cut would fall among them it moves to the nearer end of their run.
    """
    import torch

    ends = scores.new_tensor([-math.inf, math.inf])
    ordered = torch.cat([ends[:1], scores.sort().values, ends[1:]])
    cut = len(scores) - math.ceil(share * len(scores) - 0.5)  # ordered[: cut + 1] are not above
    if ordered[cut] == ordered[cut + 1]:
        first = int(torch.searchsorted(ordered, ordered[cut]))
        last = int(torch.searchsorted(ordered, ordered[cut], right=True)) - 1
        cut = last if last - cut <= cut - (first - 1) else first - 1
    low, high = ordered[cut], ordered[cut + 1]
    middle = (low + high) / 2
    return middle if middle < high or math.isinf(high) else low
