"""What a task is: `RawTask`, the rows as they come, and `Pool`, the rows that every split of the task is dealt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from outgrow.core.errors import OutgrowError


@dataclass(frozen=True)
class RawTask:
    """What a task function returns: n rows in any order, duplicates and all."""

    inputs: Sequence[Any]  # texts
    labels: Sequence[str | int | bool | float | None]  # class names, spelled by `core.class_name`; None: not known
    groups: Sequence[Any] | None = None  # rows that share a value belong together; None in it: belongs with no other
    classes: tuple[str, ...] | None = None  # in the order of the class numbers; default: the names there are, sorted
    test: Sequence[bool] | None = None  # rows of an official test split
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # every column of the source, n values each

    def __post_init__(self) -> None:
        lengths = {"labels": self.labels, "groups": self.groups, "test": self.test, **self.columns}
        for name, values in lengths.items():
            if values is not None and len(values) != len(self.inputs):
                raise OutgrowError(f"a task has {len(self.inputs)} inputs and {len(values)} values in {name}")
