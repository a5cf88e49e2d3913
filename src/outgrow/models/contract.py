"""What a model of frozen features is: options that can be checked without torch, and one pass over the texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from outgrow.core.inputs import InputType

TEXTS = frozenset({"text"})
ANY = frozenset({"any"})

Strength = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


@dataclass(frozen=True)
class Location:
    """Where a checkpoint's bytes are. `fingerprint` says which bytes they are: it alone belongs in a key."""

    name: str  # as the user wrote it, for messages
    path: str | None  # a folder or file on this machine
    hub: str | None  # a Hugging Face name, where there is no path
    revision: str | None  # the hub's commit
    fingerprint: str  # the hub's commit, else a SHA-256 of weights, tokenizer and config
    parameters: int  # how many numbers the weights are; 0 where the hub does not say


@dataclass(frozen=True)
class Features:
    """A pass over n texts: values `[n, d]` float32, and what is to be told about it."""

    values: NDArray[np.float32]
    truncated: int  # texts longer than the model's limit
    tokens: int  # real tokens read
    padding: float  # padded tokens, as a share of the real ones


def can_read(reads: frozenset[str], inputs: InputType) -> bool:
    """Whether a model that declares `reads` can read inputs of this type."""
    return inputs.name in reads or reads == ANY


Reader = Callable[[Sequence[str], Callable[[int, int], None]], Features]


class FeatureModel(BaseModel, ABC):
    """A frozen model with a linear head. Fields a subclass adds decide its features; those here decide the head."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    reads: ClassVar[frozenset[str]] = TEXTS  # names of input types

    checkpoint: Annotated[str, Field(min_length=1)]
    rows: Annotated[int, Field(ge=1)] | None = None  # as a supervisor: learn from the first `rows` of weak_train only
    l2: Strength | Annotated[list[Strength], Field(min_length=1)] = 0.03  # a list: chosen on validation
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    lr: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 0.05

    def identity(self) -> dict[str, Any]:
        """The options that decide the features: every field but the checkpoint and the head's."""
        return self.model_dump(exclude=set(FeatureModel.model_fields))

    def problems(self, location: Location) -> list[str]:
        """What can be seen to be wrong with these options for that checkpoint without loading it, a sentence each."""
        return []

    def reader(self, location: Location, device: str) -> Reader:
        """`features` for many calls: what can be loaded once is loaded once, where a model offers that."""
        return lambda inputs, progress: self.features(inputs, location, device, progress)

    @abstractmethod
    def features(
        self, inputs: Sequence[str], location: Location, device: str, progress: Callable[[int, int], None]
    ) -> Features:
        """Features of `inputs`, in their order; `progress(texts done, of all)`. Raises OutgrowError, UsageError."""
