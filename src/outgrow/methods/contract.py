"""What a method is: what a student does with weak labels. Options are its fields; a YAML list composes members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from outgrow.core.answers import Allowed
from outgrow.core.examples import Floats, Strings

if TYPE_CHECKING:
    from torch import Tensor


Part = Literal["labels", "loss", "procedure"]
Start = Literal["texts", "probe"]
PARTS: tuple[Part, ...] = ("labels", "loss", "procedure")


@dataclass(frozen=True)
class Rows:
    """The n examples that a student is about to learn from, as far as a method may know them: no truth is here."""

    ids: Strings  # [n]
    groups: Strings  # [n] examples that belong together; an example's own id where it belongs with no other
    seed: int
    features: Floats | None = None  # [n, d] of the student, where the method says `reads_features`
    allowed: Allowed | None = None  # [n, classes] the classes that a row can have; None: all, in every row


class Build(Protocol):
    """What a procedure builds with. A step stands for what it will leave: probabilities of every row, thus labels."""

    @property
    def labels(self) -> Any:
        """The step of the weak labels, as the method's `labels` part left them."""

    def train(
        self,
        labels: Any,
        *,
        model: int | None = None,
        fold: tuple[int, int] | None = None,
        stop: Literal["weak", "truth"] | None = None,
        start: tuple[Start, Mapping[str, Any]] | None = None,
        asked: bool = False,
    ) -> Any:
        """The step of a student that learns these labels by the method's loss.

        model: which of the procedure's `models` learns; None: the student itself. fold: part i of k disjoint ones of
        transfer; None: all. stop: take it at the point of training with the smallest loss on validation, by the weak
        labels or by the truth, which is an oracle. start: where a finetuned model begins, with options of that (epochs,
        lr, and batch for texts): after reading transfer's texts without labels, or from a trained head. asked: whether
        its predictions on transfer and validation are wanted.
        """


class Method(BaseModel):
    """Base of every method. A member overrides the part it supplies: `labels`, `loss` or `procedure`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def by_row(self) -> bool:
        """Whether a row's loss depends on no other row but through `statistic`, so batches may be joined in one call.

        `statistic` then takes several batches of equal size at once, `[batches, n, classes]` -> one value each,
        `[batches, ...]`, and `loss` takes the value of each row's batch, `[n, ...]`. Only a method can say so.
        """
        return False

    @property
    def apart_from_statistic(self) -> Method:
        """The method without options that `statistic` alone reads: batches of methods that are equal in it may be joined.

        Where it is another method than this one, `statistics` takes the options of each batch's own.
        """
        return self

    @property
    def reads_features(self) -> bool:
        """Whether `labels` looks at the student's frozen features."""
        return False

    @property
    def reads_contrasts(self) -> bool:
        """Whether `labels` looks at those of each text with each class's name after it, in `Rows.features`.

        They are `[n, classes * d]`, each less their mean over the classes, as those of candidates are where classes are texts.
        """
        return False

    @property
    def needs_supervisor(self) -> bool:
        """Whether `labels` takes more from weak labels than which class is which: else its students learn nothing of them."""
        return True

    @property
    def models(self) -> Sequence[Any]:
        """Other models that `procedure` trains, written as under `strong`."""
        return ()

    @property
    def starts(self) -> Start | None:
        """Where `procedure` begins finetuning, if not at the checkpoint: it is then for finetuned students alone."""
        return None

    @property
    def trains_further(self) -> bool:
        """Whether `procedure` trains a student further than once on its labels: a ceiling may be trained by it too.

        Its `procedure` must then do with the truth as `build.labels` as it does with weak labels.
        """
        return self.starts is not None

    @property
    def stops_on(self) -> Literal["weak", "truth"] | None:
        """Whose labels of validation `procedure` stops training on; None: it trains to the end."""
        return None

    @property
    def knows_truth(self) -> bool:
        """Whether the truth decides what its students learn: an oracle, marked so wherever its results are shown."""
        return self.stops_on == "truth"

    @property
    def parts(self) -> frozenset[Part]:
        """Which parts of learning from weak labels this method supplies; two of one part don't compose."""
        return frozenset(part for part in PARTS if getattr(type(self), part) is not getattr(Method, part))

    @property
    def takes_shares(self) -> bool:
        """Whether its loss depends on the classes' shares among the labels that a student learns (`for_task`)."""
        return False

    def for_task(self, shares: Sequence[float]) -> Method:
        """The method for a task whose classes have these shares `[classes]`; by default the same for every task."""
        return self

    def labels(self, weak: Floats, rows: Rows) -> Floats:
        """Weak labels `[n, classes]` -> those to learn from, `[n, classes]`; a row of NaN is left out.

        What is left on classes that a row does not allow is taken off, and the row sums to one again.
        Made once, of the rows of transfer that have a weak label. Raises OutgrowError on labels it can do nothing with.
        """
        raise NotImplementedError(f"{type(self).__name__} supplies no labels")

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

    def statistics(self, methods: Sequence[Any], logits: Tensor) -> Tensor | None:
        """Where `by_row`: the statistic of each batch of `[batches, n, classes]` by its own method."""
        return self.statistic(logits)

    def procedure(self, build: Build) -> Any:
        """The step of the finished student, made of steps by `build`. Nothing is computed here."""
        raise NotImplementedError(f"{type(self).__name__} supplies no procedure")
