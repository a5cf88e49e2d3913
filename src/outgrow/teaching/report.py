"""What is known of a student, as numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from outgrow.results.statistics.intervals import Interval
from outgrow.results.statistics.worth import Point, Worth
from outgrow.teaching.calibration import Calibration


@dataclass(frozen=True)
class Report:
    """What is known of a student. Accuracies are on careful labels that it did not learn from; None: not known."""

    taught: int  # texts with cheap labels that it learned from
    careful: int  # texts with careful labels
    mixed: bool  # whether it learned from these too; its scores are then of students that did not learn the row
    method: str
    l2: float | None
    weight: float  # how many cheap labels a careful one counted as; 0: it did not learn from them
    corrections: int  # how often the cheap labels were corrected by them before it learned them
    agreement: float  # share of the cheap labels that it repeats: no accuracy
    cheap_accuracy: Interval | None = None
    cheap_rows: int = 0  # careful texts that have a cheap label too
    student_accuracy: Interval | None = None
    gain: Interval | None = None  # student less cheap labels, on the rows that have both
    calibration: Calibration | None = None  # what a temperature does to its probabilities
    worth: Worth | None = None  # of the cheap labels alone
    worth_counted: bool = False  # if so and there is none, the careful labels are too few
    tried: Sequence[Mapping[str, Any]] = ()  # candidates of a choice with their accuracy and log loss
    voters: Mapping[str, Mapping[str, float]] = field(
        default_factory=dict
    )  # column -> coverage, accuracy by Dawid-Skene
    without: Sequence[Mapping[str, Any]] = ()  # `column`, and how much a student of cheap labels alone loses without it
    joined_by: str | None = None  # the rule that joined several voters
    joins: Sequence[Mapping[str, Any]] = ()  # of several rules tried, `by` and accuracy on careful texts with votes
    chosen: int = 0  # further texts with careful labels that were chosen and not drawn: learned from, never scored
    notes: tuple[str, ...] = ()
    noun: str = "text"  # what one input is called

    def plain(self) -> dict[str, Any]:
        """As JSON values; None for a number of labels that is beyond the learning curve."""
        values = asdict(self)
        if self.worth is not None:
            for end in ("estimate", "low", "high"):
                values["worth"][end] = int(at) if (at := values["worth"][end]) < math.inf else None
        return values

    @classmethod
    def read(cls, numbers: Mapping[str, Any]) -> Report:
        """What `plain` gave, of older versions too; what these did not know has its default. Raises KeyError, TypeError."""
        known = {one.name: numbers[one.name] for one in fields(cls) if one.name in numbers}
        for name in ("cheap_accuracy", "student_accuracy", "gain"):
            known[name] = _interval(numbers.get(name))
        if (found := numbers.get("calibration")) is not None:
            known["calibration"] = Calibration(**{**found, "fall": _interval(found["fall"])})
        if (found := numbers.get("worth")) is not None:
            ends = {end: math.inf if found[end] is None else found[end] for end in ("estimate", "low", "high")}
            known["worth"] = Worth(**{**found, **ends, "points": tuple(Point(**point) for point in found["points"])})
        for name in ("tried", "without", "joins", "notes"):
            known[name] = tuple(numbers.get(name, ()))
        return cls(**known)


def _interval(numbers: Mapping[str, Any] | None) -> Interval | None:
    return None if numbers is None else Interval(**numbers)
