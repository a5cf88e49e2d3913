"""What every floor speaks: errors, canonical JSON, labels that know whose they are."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Strings = NDArray[np.str_]


def class_name(value: Any) -> str | None:
    """The one spelling of a label (or of an id), whatever kind of file it comes from; None where there is none.

    1, 1.0, "1", "+1" and "1.0" are all "1", but "01" is a name of its own; true, "True" and "TRUE" are "true"; null, the
    number NaN and blank cells are None. Words stay as they are written: nan, NA, None and null may be classes.
    Raises TypeError on lists, mappings and other things that name no class.
    """
    if isinstance(value, np.generic):
        value = value.item()
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            if math.isnan(value):
                return None
            return str(int(value)) if value.is_integer() else repr(value)
        case str():
            text = value.strip()
            if text == "":
                return None
            if text.lower() in ("true", "false"):
                return text.lower()
            whole = re.fullmatch(r"([+-]?)(0|[1-9][0-9]*)(\.0*)?", text)
            return text if not whole else f"-{whole[2]}" if whole[1] == "-" and whole[2] != "0" else whole[2]
        case _:
            raise TypeError(f"a {type(value).__name__} names no class")


def whole_number(text: str | None) -> int | None:
    """The whole number that a text is, of at most 18 digits; None where it is none."""
    return int(text) if text is not None and re.fullmatch(r"-?[0-9]{1,18}", text) else None


def sorted_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Class names without repeats in their one order: by number where all are integers, else as text."""
    distinct = set(names)
    if all(re.fullmatch(r"[+-]?[0-9]{1,300}", name) for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def harden(probabilities: Floats, ids: Strings | Sequence[str]) -> Ints:
    """The likeliest class of each row, `[n, classes]` -> `[n]`.

    An exact tie goes to one of the tied classes by a hash of the row's id: always the same one for the same row,
    and no class is favoured, as class 0 is by a plain argmax.
    """
    best: Ints = probabilities.argmax(axis=1)
    tied = probabilities == probabilities.max(axis=1, keepdims=True)
    for row in np.flatnonzero(tied.sum(axis=1) > 1).tolist():
        candidates = np.flatnonzero(tied[row])
        turn = int.from_bytes(hashlib.sha256(str(ids[row]).encode()).digest()[:8], "big")
        best[row] = candidates[turn % len(candidates)]
    return best


@dataclass(frozen=True)
class Examples:
    """Inputs with the content ids they are known by: ids `[n]`, inputs of length n.

    exchangeable: a class is a place in the input, which tells nothing by itself.
    """

    ids: Strings
    inputs: Sequence[Any]
    exchangeable: bool = False

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Labels:
    """Class probabilities `[n, classes]` of the rows `ids [n]`: truth as one-hot rows, weak labels, or predictions."""

    ids: Strings
    probabilities: Floats

    def __post_init__(self) -> None:
        if self.probabilities.ndim != 2 or len(self.ids) != len(self.probabilities):
            raise OutgrowError(
                f"labels need one row of probabilities an id: {len(self.ids)} ids, "
                f"probabilities of shape {list(self.probabilities.shape)}"
            )

    @classmethod
    def one_hot(cls, ids: Strings, classes: Ints, n_classes: int) -> Labels:
        """Certain labels from class numbers `[n]`."""
        return cls(ids, np.eye(n_classes, dtype=np.float32)[classes])

    @property
    def hard(self) -> Ints:
        """Class numbers `[n]`, ties by id (see `harden`)."""
        return harden(self.probabilities, self.ids)

    def align(self, ids: Strings) -> Labels:
        """The labels of `ids`, in that order. Raises OutgrowError where one of them has none."""
        place = {id_: row for row, id_ in enumerate(self.ids.tolist())}
        missing = [id_ for id_ in ids.tolist() if id_ not in place]
        if missing:
            raise OutgrowError(f"{len(missing)} of {len(ids)} examples have no label here, the first is {missing[0]}")
        return Labels(ids, self.probabilities[[place[id_] for id_ in ids.tolist()]])
