"""Methods that are a loss on the student's logits. p: the student's probabilities, w: the weak label, a row each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from outgrow.core.answers import OUT
from outgrow.core.errors import UsageError
from outgrow.methods.contract import Method

if TYPE_CHECKING:
    from torch import Tensor


Weight = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Power = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
SHARP = 0.1
OFFSET = 1e3  # of a class that a prior has no share for: never chosen by those that are less than this surer of it


class ByRow(Method):
    """A loss in which no row looks at another, but through `statistic`."""

    @property
    def by_row(self) -> bool:
        """Yes."""
        return True


class Naive(ByRow):
    """Imitate the weak labels, soft or (`hard`) hardened: CE(w, p) = -sum_c w_c log p_c.

    Burns et al. 2023 (arXiv 2312.09390), section 3.
    """

    hard: bool = Field(default=False, exclude_if=lambda hard: not hard)  # left out: the keys of soft students stay

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """CE(w, p) of each example, `[n, classes]` twice -> `[n]`; classes that tie for the likeliest share the row."""
        if self.hard:
            likeliest = (weak == weak.amax(dim=-1, keepdim=True)).to(weak.dtype)
            weak = likeliest / likeliest.sum(dim=-1, keepdim=True)
        return cross_entropy(weak, logits)


class Confidence(ByRow):
    """Trust the weak labels a little less, the student's own decisions a little more.

    (1 - a) CE(w, p) + a CE(h(p), p), the auxiliary confidence loss of Burns et al. 2023 (arXiv 2312.09390). h: the
    student's prediction, hardened, with no gradient through it; a rises linearly from 0 to `alpha` over the first
    `warmup` share of training.

    `prior`: as many predictions of a batch are hardened to each class as it says. `labels`, the default, is the mean of the
    weak labels that the student learns from; the paper's tasks are balanced, and `balanced` is its own rule: one half of
    two classes, and no rule for more, where the likeliest class is taken. With a prior, more than two classes are assigned by
    optimal transport (Asano, Rupprecht & Vedaldi 2020, arXiv 1911.05371). The paper's code takes the mean of each batch's weak
    labels, and its threshold is of the pass with dropout; here the threshold is of a pass without.
    """

    alpha: Weight = 0.5
    warmup: Share = 0.2
    prior: Literal["labels", "balanced"] | tuple[float, ...] = "labels"  # of the classes

    @field_validator("prior")
    @classmethod
    def _is_a_distribution(
        cls, prior: Literal["labels", "balanced"] | tuple[float, ...]
    ) -> Literal["labels", "balanced"] | tuple[float, ...]:
        if not isinstance(prior, str):
            if not all(math.isfinite(share) and share >= 0 for share in prior):
                raise ValueError(f"the prior {list(prior)} has a share that is not a number of 0 or more")
            if abs(sum(prior) - 1) > 1e-6:
                raise ValueError(f"the prior {list(prior)} sums to {sum(prior):g}; the shares of the classes sum to 1")
        return prior

    def weight(self, progress: float) -> float:
        """a, the weight of the student's own decisions: rises without a jump and is `alpha` from `warmup` on."""
        return risen(self.alpha, progress, self.warmup)

    @property
    def takes_shares(self) -> bool:
        """Where the prior is `labels`."""
        return self.prior == "labels"

    def for_task(self, shares: Sequence[float]) -> Method:
        """Predictions are hardened by these shares where the prior is `labels`."""
        if not self.takes_shares:
            return self
        return Confidence(
            alpha=self.alpha, warmup=self.warmup, prior=tuple(float(s) / float(sum(shares)) for s in shares)
        )

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """The loss of each example, `[n, classes]` twice -> `[n]`. Raises UsageError on a prior of other classes."""
        a = self.weight(progress)
        statistic = self.statistic(logits) if statistic is None else statistic
        # Cross entropy is linear in its target, so the formula's two are one; and a = 0 leaves w as it is, to the bit.
        return cross_entropy((1 - a) * weak + a * hardened(logits, statistic), logits)

    def statistic(self, logits: Tensor) -> Tensor | None:
        """Two classes: the threshold on logit 1 - logit 0 that hardens by the prior, `[..., n, 2]` -> `[...]`.

        More: `offsets`, `[..., n, classes]` -> `[..., classes]`, or None without a prior. A prior that is `labels` still, as
        no task states its shares, is as good as `balanced`.
        """
        classes = logits.shape[-1]
        if classes != 2 and isinstance(self.prior, str):
            return None
        shares = self._shares(classes)
        return threshold(margin(logits), shares[1]) if classes == 2 else offsets(logits, shares)

    @property
    def apart_from_statistic(self) -> Method:
        """Without the prior: given its statistic, the loss reads it no more."""
        return self.model_copy(update={"prior": "labels"})

    def statistics(self, methods: Sequence[Confidence], logits: Tensor) -> Tensor:
        """The statistic of each batch by its own method's prior; without one, more than two classes have offsets of 0."""
        import torch

        if logits.shape[-1] == 2:
            return threshold(margin(logits), [method._shares(2)[1] for method in methods])
        none = logits.new_zeros(logits.shape[-1])
        found = [method.statistic(batch) for method, batch in zip(methods, logits, strict=True)]
        return torch.stack([none if each is None else each for each in found])

    def _shares(self, classes: int) -> Sequence[float]:
        """Of the classes: the prior, or equal ones. Raises UsageError where it is of another number of classes."""
        if isinstance(self.prior, str):
            return (1 / classes,) * classes
        if len(self.prior) != classes:
            raise UsageError(
                f"confidence: the prior {list(self.prior)} has {len(self.prior)} shares and the task has "
                f"{classes} classes; give one share for each class, in the order of the classes"
            )
        return self.prior


class Entropy(ByRow):
    """Trust the weak labels a little less, and be sure: (1 - a) CE(w, p) + a H(p), H(p) = -sum_c p_c log p_c.

    The confidence loss with p itself in place of its hardened self, the gradient going through both: entropy minimisation
    (Grandvalet & Bengio 2004, *Semi-supervised learning by entropy minimization*), which Burns et al. 2023 (arXiv
    2312.09390) name beside it. a rises linearly from 0 to `alpha` over the first `warmup` share of training.
    """

    alpha: Weight = 0.5
    warmup: Share = 0.2

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """The loss of each example, `[n, classes]` twice -> `[n]`."""
        a = risen(self.alpha, progress, self.warmup)
        imitation = cross_entropy(weak, logits)
        if a == 0:
            return imitation
        log_p = logits.log_softmax(dim=-1)
        return (1 - a) * imitation - a * (log_p.exp() * log_p).sum(dim=-1)


class Product(ByRow):
    """Learn what weak label and student agree on: CE(t, p), t proportional to p^b * w^a, no gradient through t.

    A product of experts (Hinton 2002, *Training products of experts by minimizing contrastive divergence*) as target. b
    rises linearly from 0 to `beta` over the first `warmup` share of training, a is `alpha`: with a = 1, b = 0, naive.
    """

    alpha: Power = 1.0
    beta: Power = 1.0
    warmup: Share = 0.2

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """The loss of each example, `[n, classes]` twice -> `[n]`. A class that w rules out stays out while a > 0."""
        b = risen(self.beta, progress, self.warmup)
        if self.alpha == 1 and b == 0:
            return cross_entropy(weak, logits)
        # In logarithms, and normalised by a softmax: products of small numbers never underflow, nothing is divided by.
        exponent = b * logits.detach().log_softmax(dim=-1)
        if self.alpha > 0:
            exponent = exponent + self.alpha * weak.log()  # of 0: -inf, and one class of a row is above 0
        return cross_entropy(exponent.softmax(dim=-1), logits)


class Window(ByRow):
    """Leave alone what the student is sure of: CE(w, p) where max(p) < 0.5 + `radius`, nothing elsewhere.

    A row that the student has left the window with comes back when the student doubts it again: it is the weak labels'
    mistakes against its own conviction that are not learned (as self-paced learning, the other way round: Kumar, Packer
    & Koller 2010, *Self-paced learning for latent variable models*).
    """

    radius: float = Field(default=0.3, allow_inf_nan=False)

    @field_validator("radius")
    @classmethod
    def _holds_something(cls, radius: float) -> float:
        if radius <= 0:
            raise ValueError(
                f"a radius of {radius:g} leaves no window: one class of two always has .5 or more, so nothing would be "
                "learned; take one above 0"
            )
        if radius > 0.5:
            raise ValueError(f"a radius of {radius:g} leaves nothing out, as no probability is above 1: write naive")
        return radius

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """The loss of each example, `[n, classes]` twice -> `[n]`; 0 outside the window."""
        sure = logits.detach().softmax(dim=-1).amax(dim=-1) >= 0.5 + self.radius
        return cross_entropy(weak, logits).masked_fill(sure, 0.0)


class ReverseKl(ByRow):
    """Settle on one of what the weak label allows: KL(p, w) = sum_c p_c log(p_c / w_c), mode seeking, not covering.

    Yao et al. 2025 (arXiv 2502.11107) for weak-to-strong generalization; Minka 2005 (*Divergence measures and message passing*)
    on what each direction seeks; Gu et al. 2023 (MiniLLM, arXiv 2306.08543) on teaching by it. Unlike theirs, w is
    (1 - s) w + s / classes with `smoothing` s: a label of exactly 0 would make every doubt infinitely wrong.
    """

    smoothing: float = Field(default=0.01, gt=0, le=1, allow_inf_nan=False)

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """KL(p, w) of each example, `[n, classes]` twice -> `[n]`."""
        log_p = logits.log_softmax(dim=-1)
        log_w = ((1 - self.smoothing) * weak + self.smoothing / _classes(logits)).log()
        return (log_p.exp() * (log_p - log_w)).sum(dim=-1)


def _classes(logits: Tensor) -> int | Tensor:
    """How many classes a row has: all of `[n, classes]`, or `[n, 1]` where some rows are without some."""
    there = logits.detach() > OUT / 2
    return logits.shape[-1] if bool(there.all()) else there.sum(dim=-1, keepdim=True)


def risen(height: float, progress: float, warmup: float) -> float:
    """A coefficient that rises in a line from 0 to `height` over the first `warmup` share of training, then stays."""
    return height * min(1.0, progress / warmup) if warmup > 0 else height


def cross_entropy(target: Tensor, logits: Tensor) -> Tensor:
    """CE of a target distribution and softmax(logits), `[n, classes]` twice -> `[n]`."""
    from torch.nn.functional import cross_entropy

    # As one row of pixels: where logits lie class by class in memory, as a head's do, that is several times faster.
    return cross_entropy(logits.T.unsqueeze(0), target.T.unsqueeze(0), reduction="none").squeeze(0)


def margin(logits: Tensor) -> Tensor:
    """Logit 1 - logit 0 of two classes, `[..., n, 2]` -> `[..., n]`, no gradient: in the order of p but never saturated."""
    scores = logits.detach()
    return scores[..., 1] - scores[..., 0]


def hardened(logits: Tensor, statistic: Tensor | None) -> Tensor:
    """h(p) as one-hot rows `[n, classes]`, no gradient: 1[margin > statistic] for two classes.

    More: the likeliest class, with an offset per class added where there is one. statistic: of the rows' one batch, or of
    each row's own.
    """
    from torch.nn.functional import one_hot

    if statistic is not None and logits.shape[-1] == 2:
        choice = (margin(logits) > statistic).long()
    else:
        scores = logits.detach()
        choice = (scores if statistic is None else scores + statistic).argmax(dim=-1)
    return one_hot(choice, logits.shape[-1]).to(logits.dtype)


def offsets(logits: Tensor, prior: Sequence[float], rounds: int = 40) -> Tensor:
    """What to add to a batch's logits so that the likeliest classes have the shares `prior`, no gradient.

    `[..., n, classes]` -> `[..., classes]`. Sinkhorn & Knopp's (1967) iteration in logarithms: the assignment of rows to
    classes with these shares that is closest to the predictions (optimal transport, Cuturi 2013), which Asano et al. 2020
    harden. It is sharpened by a tenth of the logits' own spread, so that soft shares and hard ones agree.
    """
    import torch

    if logits.ndim > 2:  # one batch after the other: sums over several at once may round in another way
        return torch.stack([offsets(batch, prior, rounds) for batch in logits])
    scores = logits.detach().contiguous()
    inside = scores > OUT / 2
    spread = scores[inside].std().clamp(min=1e-6) * SHARP
    scores = scores / spread
    shares = torch.tensor(list(prior), dtype=scores.dtype, device=scores.device).log()
    found = torch.zeros_like(shares)
    for _ in range(rounds):
        reached = (scores + found).log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(scores))
        found = (found + shares - reached).clamp(-OFFSET, OFFSET)
    return found * spread


def threshold(scores: Tensor, share: float | Sequence[float]) -> Tensor:
    """What `share` of the scores lie above, `[..., n]` -> `[...]`: half way between two neighbours, so rounding flips no row.

    The count above is `share * n` rounded, a half downwards (of an odd batch the median itself is not above). Equal
    scores cannot be distinguished: where the cut would fall among them it moves to the nearer end of their run. Of
    `[batches, n]`, each batch may have a share of its own.
    """
    import torch

    n, of_each = scores.shape[-1], [share] if isinstance(share, float | int) else share
    cuts = [n - math.ceil(one * n - 0.5) for one in of_each]  # scores that are not above
    if len(set(cuts)) == 1:
        cuts = cuts[:1]
    if not any(cuts):
        return scores.new_full(scores.shape[:-1], -math.inf)
    # A selection and counts, without a sort or a look at any value: this runs at each step for all heads at once.
    low = _smallest(scores, cuts).unsqueeze(-1)
    run_begins, run_ends = (scores < low).sum(dim=-1), (scores <= low).sum(dim=-1)
    next_above = scores.masked_fill(scores <= low, math.inf).amin(dim=-1)
    next_below = scores.masked_fill(scores >= low, -math.inf).amax(dim=-1)
    low = low.squeeze(-1)
    cut = cuts[0] if len(cuts) == 1 else torch.tensor(cuts, device=scores.device)
    upwards = run_ends - cut <= cut - run_begins
    below, above = torch.where(upwards, low, next_below), torch.where(upwards, next_above, low)
    middle = (below + above) / 2
    found = torch.where((middle < above) | above.isinf(), middle, below)
    if all(cuts):
        return found
    return found.masked_fill(torch.tensor([cut == 0 for cut in cuts], device=scores.device), -math.inf)


def _smallest(scores: Tensor, places: Sequence[int]) -> Tensor:
    """The score at a place, counted from 1, in the order of each row of `[..., n]`: one place for all, or one per row."""
    import torch

    if len(places) == 1:
        return scores.kthvalue(max(places[0], 1), dim=-1).values
    if scores.device.type == "cpu":  # where a sort takes as long as five selections
        rows = zip(scores, places, strict=True)
        return torch.stack([row.kthvalue(max(place, 1)).values for row, place in rows])
    where = torch.tensor(places, device=scores.device).clamp(min=1).unsqueeze(-1) - 1
    return scores.sort(dim=-1).values.gather(-1, where).squeeze(-1)
