"""What a method is: what a student does with weak labels. Options are its fields; a YAML list composes members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from outgrow.core import UsageError

if TYPE_CHECKING:
    from torch import Tensor

Part = Literal["labels", "loss", "procedure"]


class Method(BaseModel):
    """Base of every method. A member overrides the part it supplies: `loss`, so far."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def by_row(self) -> bool:
        """Whether a row's loss never depends on other rows, so batches may be joined. Only a method can say so."""
        return False

    @property
    def parts(self) -> frozenset[Part]:
        """Which parts of learning from weak labels this method supplies; two of one part don't compose."""
        return frozenset({"loss"}) if type(self).loss is not Method.loss else frozenset()

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
        """Loss of each example `[n]`, of logits and weak labels `[n, classes]`; the caller takes the (weighted) mean.

        progress: share of training already done, in [0, 1]. statistic: what `statistic` found on the whole batch, where
        these rows are a part of one; None: these rows are the whole batch. With it, an example's loss depends on its
        own row only, so a batch may be cut into parts without changing what is learned.
        """
        raise NotImplementedError(f"{type(self).__name__} supplies no loss")

    def statistic(self, logits: Tensor) -> Tensor | None:
        """What the loss must know of the whole batch's logits `[n, classes]`, without gradient; None: nothing."""
        return None


def compose(members: Sequence[Method]) -> Method:
    """One method from the members of a list. Raises UsageError where none, or more than one, supplies a part."""
    problems = []
    part: Part
    for part in ("labels", "loss", "procedure"):
        rivals = [type(member).__name__.lower() for member in members if part in member.parts]
        if len(rivals) > 1:
            problems.append(
                f"{' and '.join(rivals)} each bring a {part} of their own, and a student learns by one; "
                "list them as separate methods"
            )
    suppliers = [member for member in members if "loss" in member.parts]
    if not suppliers:
        problems.append("a list of methods needs one that brings a loss, such as naive")
    if problems:
        raise UsageError(*problems)
    return suppliers[0]
