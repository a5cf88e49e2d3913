"""Methods that are a procedure: several students, one after another or side by side, of which the last is the student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from outgrow.methods.contract import Build, Method, Start


class Bootstrap(Method):
    """Weak -> intermediate -> … -> strong: each student's labels teach the next, larger one.

    Burns et al. 2023 (arXiv 2312.09390), section 4.3.1. `through` names the intermediate students, smallest first, as under
    `strong`. Transfer is cut into as many disjoint parts as there are students, so that none labels rows that it learned
    from, and the last student learns from its part alone; with `fresh: false` all learn from all of transfer.
    """

    through: Annotated[tuple[Any, ...], Field(max_length=10)]
    fresh: bool = True

    @field_validator("through", mode="before")
    @classmethod
    def _through_something(cls, through: Any) -> Any:
        entries = through if isinstance(through, list | tuple) else [through]
        if not entries:
            raise ValueError("is empty: bootstrapping through nothing is naive; name the models in between")
        return tuple(entries)

    @property
    def models(self) -> Sequence[Any]:
        """Those in between."""
        return self.through

    def procedure(self, build: Build) -> Any:
        """A chain of students."""
        labels, stages = build.labels, len(self.through) + 1
        for stage in range(stages):
            between = stage < stages - 1
            fold = (stage, stages) if self.fresh else None
            labels = build.train(labels, model=stage if between else None, fold=fold, asked=between)
        return labels


class SelfTrain(Method):
    """Learn from the supervisor, then `rounds` times from scratch from one's own predictions on transfer.

    Self-training (Scudder 1965; Lee 2013, *Pseudo-label*; Xie et al. 2020, arXiv 1911.04252); strong-to-strong in Burns et
    al. 2023 (arXiv 2312.09390), appendix. With a list of l2, each
    student's is chosen by the labels that it learned: the first one's by the supervisor's, every other's by its predecessor's.
    """

    rounds: Annotated[int, Field(ge=1, le=20)] = 1

    @property
    def trains_further(self) -> bool:
        """Yes: it learns `rounds` times more, from what it had learned."""
        return True

    def procedure(self, build: Build) -> Any:
        """A chain of the same student."""
        labels = build.labels
        for _ in range(self.rounds):
            labels = build.train(labels, asked=True)
        return build.train(labels)


class EarlyStop(Method):
    """Stop where the loss on validation is smallest, of ten points of training, by the weak labels or by the truth.

    Early stopping on weak-label validation as Burns et al. 2023 (arXiv 2312.09390), appendix, who take the accuracy there;
    the loss has fewer ties among ten points of a head's training. `on: truth` is their oracle: it shows what stopping
    could bring, knowing what nobody knows, and is marked so wherever it stands.
    """

    on: Literal["weak", "truth"] = "weak"

    @property
    def stops_on(self) -> Literal["weak", "truth"]:
        """`on`."""
        return self.on

    def procedure(self, build: Build) -> Any:
        """One training, judged on its way."""
        return build.train(build.labels, stop=self.on)


class Generative(Method):
    """Read the texts of transfer first, without labels, by next-token prediction; then learn from the weak labels.

    Generative finetuning of Burns et al. 2023 (arXiv 2312.09390), section 5.2.2: it makes the task salient before anybody
    says what to do with it. For finetuned causal language models. The ceiling reads the texts too, as in the paper's figure 10;
    with `ceiling: plain` it goes without, and PGR also holds what reading alone brings.
    """

    epochs: Annotated[int, Field(ge=1, le=100)] = 1
    lr: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 5e-5
    batch: Annotated[int, Field(ge=1)] = 16

    @property
    def starts(self) -> Start:
        """After the texts."""
        return "texts"

    def procedure(self, build: Build) -> Any:
        """One student, of a checkpoint that has read on."""
        options = {"epochs": self.epochs, "lr": self.lr, "batch": self.batch}
        return build.train(build.labels, start=("texts", options))


class LpFt(Method):
    """Train the head alone first, the body frozen; then finetune everything from there.

    Linear probing, then finetuning (Kumar et al. 2022, arXiv 2202.10054): a head that already fits does not bend the
    features on its way. For finetuned students; both trainings learn the same labels by the same loss. The paper trains the
    head until it converges; here it has `epochs`, with the checkpoint's dropout. The ceiling's head is trained first
    too, unless the experiment says `ceiling: plain`.
    """

    epochs: Annotated[int, Field(ge=1, le=1000)] = 2  # of the head alone
    lr: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 1e-3

    @property
    def starts(self) -> Start:
        """From a probe."""
        return "probe"

    def procedure(self, build: Build) -> Any:
        """One student, whose head learns first."""
        return build.train(build.labels, start=("probe", {"epochs": self.epochs, "lr": self.lr}))
