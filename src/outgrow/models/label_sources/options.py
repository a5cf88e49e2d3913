"""What an experiment may say of labels that no single model makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, field_validator, model_validator

from outgrow.core.examples import class_name
from outgrow.models.contract import ANY, Model
from outgrow.models.label_sources.aggregate import FEWEST, MODELS, Rule


class Given(Model):
    """`{given: crowd.csv, on: id}`: a file with a label column, or with one probability column a class."""

    reads = ANY
    step = "given"
    cannot_learn = "`given` labels can supervise but not learn: give a model under `strong`"
    may_leave_rows_out = True

    file: str = Field(validation_alias=AliasChoices("file", "checkpoint"))
    label: str | None = None  # default: the column `label`
    probabilities: list[str] | dict[str, str] | None = None  # columns, or class -> column; default: by their names
    on: str | None = None  # an id column of both files, or `row`; default: the text itself
    text: str | None = None  # the column or template that gives the text here; default: the task's own

    @property
    def files(self) -> Sequence[str]:
        """The labels."""
        return (self.file,)

    @property
    def hard(self) -> bool:
        """Without probabilities."""
        return self.probabilities is None

    @field_validator("probabilities", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        # In YAML a class or a column may be called 0, or true: the same spelling as everywhere.
        if isinstance(value, dict):
            return {class_name(name) or "": column for name, column in value.items()}
        if isinstance(value, list):
            return [str(column) if isinstance(column, int) else column for column in value]
        return value


class Join(Model):
    """`[a, b, c]` or `{join: [a, b, c], by: dawid_skene}`: several supervisors' labels joined into one.

    mean: of their probabilities. majority: of their hardened votes, as shares. dawid_skene: votes weighed by how often each
    voter seems to be right (Dawid & Skene 1979), which is estimated on transfer, without any truth. pseudo_votes: the same,
    each voter given five votes a class of what all do, so that few votes decide little. one_coin: the same, with one accuracy
    a voter instead of one a class. wawa: the majority, each vote weighed by how often its voter agrees with the majority.
    mace: a voter knows the class, or answers by a habit of its own (Hovy et al. 2013); not for rules, whose one answer would
    be a habit. glad: how often a voter is right depends on its ability and on how easy the row is (Whitehill et al. 2009).
    safest: majority where a voter never names some class, as a rule does, else pseudo_votes. EM ends where a round raises the
    likelihood bound of a vote by less than .00001; crowd-kit goes on until that of all votes together rises so little.
    Default: safest for three or more that give class names, else mean.
    """

    reads = ANY
    step = "join"
    cannot_learn = "several models joined can supervise but not learn: list them one by one under `strong`"

    voters: tuple[Any, ...] = Field(validation_alias="join")
    by: Rule | None = None

    @property
    def beneath(self) -> Sequence[tuple[Any, bool]]:
        """The voters."""
        return [(entry, False) for entry in self.voters]

    @field_validator("voters", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError(f"a join is a list of supervisors, as in [[a, b, c]], not {value!r}")
        if len(value) < 2:
            raise ValueError(
                f"{'one supervisor' if value else 'no supervisor'} is nothing to join: name two or more, or the one "
                "without brackets"
            )
        return tuple(value)

    @model_validator(mode="after")
    def _are_enough(self) -> Self:
        if self.by in MODELS and len(self.voters) < FEWEST:
            raise ValueError(
                f"{self.by} needs three supervisors or more: of two that disagree nothing says which is right; "
                "take `by: mean`"
            )
        return self


Errors = Literal["random", "hard", "biased", "longest", "shortest", "confident"]


class Simulate(Model):
    """`{simulate: {accuracy: .75, errors: random}}`: the truth, with mistakes of one kind until that accuracy is reached.

    random: anywhere. longest, shortest: on the longest or shortest texts, a rule that is easy to imitate. biased: one class
    given too often. hard: on the rows whose truth the model `by` finds least likely. confident: on those that it finds
    likeliest, so that it knows better. (Of these Burns et al. 2023 have random, longest and shortest in their appendix on
    simulated supervisors, and two by what a strong model is sure of.) A mistake is the likeliest other class by that model,
    else a class at random.
    """

    reads = ANY
    step = "simulate"
    cannot_learn = "`simulate` labels can supervise but not learn: give a model under `strong`"

    accuracy: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    errors: Errors = "random"
    by: Any = None  # hard, confident: a model as under `strong`, taught the truth on weak_train
    toward: str | None = None  # biased: the class given too often; default: the first

    @property
    def beneath(self) -> Sequence[tuple[Any, bool]]:
        """The model that finds rows hard or easy."""
        return () if self.by is None else [(self.by, True)]

    @field_validator("toward", mode="before")
    @classmethod
    def _name(cls, value: Any) -> Any:
        return class_name(value)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        judged = self.errors in ("hard", "confident")
        if judged and self.by is None:
            raise ValueError(f"`errors: {self.errors}` needs `by`: the model that finds rows hard or easy")
        if not judged and self.by is not None:
            raise ValueError(f"`by` goes with hard and confident errors; {self.errors} ones ask no model")
        if self.errors != "biased" and self.toward is not None:
            raise ValueError(f"`toward` goes with biased errors, not with {self.errors} ones")
        return self


Placed = Literal["random", "least_sure"]


class BudgetOfTruth(Model):
    """`{static: wordllama, truth: .25, placed: least_sure}`: a supervisor's labels, a share of them replaced by true ones.

    truth: the share of the rows of transfer that have a weak label. placed: on rows at random, or on those where the
    likeliest class is least above the next (Lewis & Gale 1994, uncertainty sampling); the rows of a smaller share are among
    those of a larger one. What is learned changes and who supervises does not: the labels are right more often
    (`weak_label_accuracy`), and the supervisor's accuracy on test is its own, without any truth. So gain and PGR count what
    these labels bring; the same entry without `truth` beside it says how much that is, and `label_curve` how many true labels
    alone would do. Validation keeps its weak labels. In the control weak = strong the own labels get the same budget.
    """

    reads = ANY
    step = "true_labels"
    cannot_learn = "`truth` puts true labels among a supervisor's: it is for entries of `weak`"

    of: Any
    truth: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    placed: Placed = "random"

    @property
    def beneath(self) -> Sequence[tuple[Any, bool]]:
        """The supervisor."""
        return [(self.of, False)]

    @property
    def budget(self) -> Mapping[str, Any] | None:
        """Share and placement."""
        return {"share": self.truth, "placed": self.placed}
