"""`--student auto`: the students that this machine has, the cheapest first, as long as a time budget lasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, Any

from outgrow.core.errors import UsageError
from outgrow.core.identity import digest
from outgrow.core.inputs.input_type import TEXT, InputType
from outgrow.core.text.units import shown_duration
from outgrow.execution.machine import cores
from outgrow.execution.step import Step, kind_of, walk
from outgrow.execution.throughput import Rates, matrix_product
from outgrow.models.checkpoints.locate import SHORT
from outgrow.teaching.options import Candidate, learning

if TYPE_CHECKING:
    from outgrow.teaching.teach import Laboratory, Work

AUTO = "auto"
BUDGET = 600.0  # seconds


def asked(
    student: str | Mapping[str, Any],
    method: Any,
    *,
    inputs: InputType = TEXT,
    l2: float | None = None,
    careful: bool = False,
    choose: bool = False,
    mix: bool | None = None,
) -> list[Candidate]:
    """The candidates to choose among, as of `learning`; of `auto` those of every student that is here and may be meant."""
    if student != AUTO:
        return learning(student, method, inputs=inputs, l2=l2, careful=careful, choose=choose, mix=mix)
    problems = []
    if not careful:
        problems.append(
            "--student auto: a student is chosen by careful labels, and there are none: give them by --truth, or name a student"
        )
    if choose:
        problems.append("--choose: --student auto chooses the student; name one, and its method and l2 are chosen")
    if problems:
        raise UsageError(*problems)
    found: list[Candidate] = []
    for written, usual in _here():
        try:
            found += learning(written, method or usual, inputs=inputs, l2=l2, careful=True, mix=mix)
        except UsageError as error:  # not with this method, strength or kind of inputs
            problems += error.problems
    if not found:
        nothing = "--student auto: no model that it knows is on this machine; name a student (`outgrow list models`)"
        raise UsageError(*(dict.fromkeys(problems) or [nothing]))
    return found


def seconds_for(student: str | Mapping[str, Any] | None, budget: float | None) -> float | None:
    """For how long students are tried; None: one is named. Raises UsageError for a budget of one that is named."""
    if student == AUTO:
        return BUDGET if budget is None else budget
    if budget is not None:
        raise UsageError("--budget: is for how long --student auto tries students; leave it out, or take that")
    return None


def _here() -> list[tuple[Any, str | None]]:
    """What `--student` could name here, and the method that it then learns by; None: its usual one.

    Heads on the features of all short names' models, and the transformers among them finetuned from such a head.
    """
    heads = [name for name, short in SHORT.items() if short.here]
    tuned = [name for name in heads if SHORT[name].form == "transformer"]
    return [*((name, None) for name in heads), *(({"finetune": name}, "lp_ft") for name in tuned)]


def of_students(choices: Sequence[Candidate]) -> list[list[Candidate]]:
    """The candidates by student."""
    found: dict[str, list[Candidate]] = {}
    for choice in choices:
        found.setdefault(choice.learner.spec.name, []).append(choice)
    return list(found.values())


def within(work: Work, choices: Sequence[Candidate], budget: float) -> tuple[list[Candidate], list[str]]:
    """The candidates of the students that could be tried in `budget` seconds, and a note for each that could not.

    The cheapest is always tried. Before each other one its time is estimated, by the rates that this store knows by then.
    """
    begin = monotonic()
    product = _product(work.laboratory)
    left = [(group, _steps(work, group)) for group in of_students(choices)]
    tried: list[Candidate] = []
    made: list[Step] = []
    notes = []
    while left:
        forecast = Forecast.after(made, work.laboratory, product)
        times = [forecast.seconds(steps) for _, steps in left]
        cheapest = min(range(len(left)), key=times.__getitem__)
        (group, steps), seconds = left.pop(cheapest), times[cheapest]
        remaining = budget - (monotonic() - begin)
        if tried and seconds > remaining:
            notes.append(
                f"{group[0].learner.spec.name} was not tried: it takes about {shown_duration(seconds)}, and of the budget of "
                f"{shown_duration(budget)} {shown_duration(max(remaining, 0))} were left"
            )
            continue
        work.cross_fitted(group)
        tried += group
        made += steps
    return tried, notes


def _steps(work: Work, choices: Sequence[Candidate]) -> list[Step]:
    """All steps whose results say how good these candidates are."""
    return list(walk(chain.from_iterable(work.of_choices(choices))))


@dataclass(frozen=True)
class Forecast:
    """How long steps take as far as is known: by the rates of earlier steps on this store.

    Of a model that is new to it, by the slowest rate of the same steps of models of its kind (`slowest`), else by the share of
    a matrix product's rate (`product`, FLOPs a second) that its kind of step reaches.
    """

    laboratory: Laboratory
    rates: Rates
    slowest: Mapping[tuple[str, str], float]
    product: float

    @classmethod
    def after(cls, made: Sequence[Step], laboratory: Laboratory, product: float) -> Forecast:
        """With what these steps showed."""
        found = cls(laboratory, Rates(laboratory.store), {}, product)
        slowest: dict[tuple[str, str], float] = {}
        for step in made:
            if (rate := found._known(step)) is not None:
                slowest[_alike(step)] = min(rate, slowest.get(_alike(step), rate))
        return replace(found, slowest=slowest)

    def seconds(self, steps: Sequence[Step]) -> float:
        """Of those that are not in the store, on all of the machine's jobs."""
        new = [step for step in steps if not self.laboratory.store.has(step.key)]
        return sum(step.flops / self._rate(step) for step in new) / (self.laboratory.machine.jobs or 1)

    def _rate(self, step: Step) -> float:
        by_kind = self.product * kind_of(step.kind).efficiency
        return self._known(step) or self.slowest.get(_alike(step), by_kind)

    def _known(self, step: Step) -> float | None:
        machine = self.laboratory.machine
        seconds = self.rates.seconds([step], machine.device, machine.threads_each)
        return step.flops / seconds if seconds else None


def _alike(step: Step) -> tuple[str, str]:
    """Steps for which this is equal reach about the same rate."""
    return step.kind, digest(step.parents.get("features", step).params.get("model"))


def _product(laboratory: Laboratory) -> float:
    """FLOPs a second of a matrix product as one job of this machine can make it."""
    machine = laboratory.machine
    device = machine.devices()[0].partition(":")[0]
    return matrix_product(device) * (machine.threads_each / cores() if device == "cpu" else 1)
