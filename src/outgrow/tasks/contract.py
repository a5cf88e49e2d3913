"""What a task is: `RawTask`, the rows as they come, and `Pool`, the rows that every split of the task is dealt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.core.inputs.input_type import InputType


@dataclass(frozen=True)
class RawTask:
    """What a task function returns: n rows in any order, duplicates and all."""

    inputs: Sequence[Any]  # values of the input type
    labels: Sequence[str | int | bool | float | None]  # class names, spelled by `core.class_name`; None: not known
    groups: Sequence[Any] | None = None  # rows that share a value belong together; None in it: belongs with no other
    classes: tuple[str, ...] | None = None  # in the order of the class numbers; default: the names there are, sorted
    test: Sequence[bool] | None = None  # rows of an official test split
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # every column of the source, n values each
    input_type: str | type[InputType] = "text"  # a registered name, or the class itself
    allowed: Sequence[Sequence[bool]] | None = None  # n rows of one bool per class, in the order of `classes`
    orders: Sequence[Sequence[int]] | None = None  # of classes that are places: where each was in the source
    notes: Sequence[str] = ()  # sentences for people: rows that the task left out

    def __post_init__(self) -> None:
        lengths = {
            "labels": self.labels,
            "groups": self.groups,
            "test": self.test,
            "allowed": self.allowed,
            "orders": self.orders,
        }
        lengths |= self.columns
        for name, values in lengths.items():
            if values is not None and len(values) != len(self.inputs):
                raise OutgrowError(f"a task has {len(self.inputs)} inputs and {len(values)} values in {name}")
        if self.allowed is not None:
            if self.classes is None:
                raise OutgrowError("a task with `allowed` names its `classes`: they say which is which")
            if any(len(row) != len(self.classes) or not any(row) for row in self.allowed):
                raise OutgrowError(
                    f"each row of `allowed` has {len(self.classes)} values, one per class, not all false"
                )
