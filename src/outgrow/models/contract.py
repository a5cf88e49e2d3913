"""What a model kind declares, and what a model of frozen features is: options that are checked without torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from outgrow.core.inputs.input_type import InputType

TEXTS = frozenset({"text"})
ANY = frozenset({"any"})
Form = Literal["table", "transformer"]  # of a checkpoint: static embeddings of tokens, or config, tokenizer and weights
TUNED = (0.01, 0.03, 0.1, 0.3)  # l2 of heads: what is taught the truth in a curve takes the best of these and its own
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
    """A pass over n inputs: values `[n, d]` float32, and what is reported of it."""

    values: NDArray[np.float32]
    truncated: int  # texts longer than the model's limit
    tokens: int  # real tokens read
    padding: float  # padded tokens, as a share of the real ones


@dataclass(frozen=True)
class LinearHead:
    """A trained head: logits = features @ weight + bias, of features at length `norm` or, where that is None, as they are."""

    weight: NDArray[np.float32]  # [d, classes]
    bias: NDArray[np.float32]  # [classes]
    norm: float | None
    classes: Sequence[str] = ()  # none once it is opened


Module = tuple[str, str, dict[str, Any] | None]  # of sentence-transformers: path, class, config
Reader = Callable[[Sequence[Any], Callable[[int, int], None]], Features]


@dataclass(frozen=True)
class Saved:
    """How a trained model is kept for others: what it is in words, which library loads it, and by which code.

    scores: the code where it was taught choices, and gives a text one score. task: the hub's name of what it does.
    """

    what: str
    library: str
    code: str
    scores: str | None = None
    task: str = "text-classification"


SENTENCE_TRANSFORMERS = (  # of `Saved`: library, and code for classes and for scores
    "sentence-transformers",
    "import torch\nfrom sentence_transformers import SentenceTransformer\n\n"
    "logits = SentenceTransformer(folder).encode(texts, convert_to_tensor=True)\n"
    "probabilities = torch.softmax(logits, dim=1)  # one column per class, in the order above",
    "from sentence_transformers import SentenceTransformer\n\n"
    "scores = SentenceTransformer(folder).encode(texts)[:, 0]  # of context and answer as one text: higher is better",
)

IMAGE_CLASSIFIER = Saved(
    "An image classifier",
    "transformers",
    "from transformers import pipeline\n\n"
    'pipeline("image-classification", folder)(images, top_k=100)  # paths or Pillow images; the likeliest classes first',
    task="image-classification",
)


class Model(BaseModel):
    """Base of the model kinds: options are fields, and the class declares what it can do, so that nobody asks its name.

    A class that extends this and no other of ours has `fit(examples, targets, objective, seed)`, which returns an
    object with `predict(examples)`: probabilities `[n, classes]`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reads: ClassVar[frozenset[str]] = TEXTS  # names of input types
    step: ClassVar[str] = "custom"  # the step kind that plans and makes its training: a name or `path/to/file.py:KIND`
    form: ClassVar[Form | None] = (
        None  # what it reads of the checkpoint that its field `checkpoint` names; None: nothing
    )
    cannot_learn: ClassVar[str | None] = None  # a sentence: why it supervises and is never a student
    trained: ClassVar[bool] = True  # whether a method can change what it learns
    by_loss: ClassVar[bool] = True  # whether it learns by the method's loss; else its changes of labels alone reach it
    stops: ClassVar[bool] = False  # whether its training can be taken at a point on the way
    starts: ClassVar[frozenset[str]] = frozenset()  # where a method may begin its training, other than the checkpoint
    has_features: ClassVar[bool] = False  # whether it is a head on frozen features, which a method may look at
    cheap_ceilings: ClassVar[bool] = False  # whether ceilings at many sizes cost little
    may_leave_rows_out: ClassVar[bool] = False  # whether rows may have no label of it
    scores_parts: ClassVar[bool] = (
        False  # whether, of inputs whose classes are parts of a type it reads, it scores each
    )
    saved: ClassVar[Saved | None] = None  # None: a trained one cannot be kept as a student, but see `saved_for`

    def can_read(self, inputs: InputType) -> bool:
        """Whether it reads inputs of this type, or scores their parts."""
        return self.reads == ANY or inputs.name in self.reads or (self.scores_parts and inputs.made_of in self.reads)

    @property
    def learns(self) -> bool:
        """Whether labels change it with these options."""
        return self.cannot_learn is None

    @property
    def pretrained(self) -> bool:
        """Whether it knows anything before it learns; else it shows what its shape alone is good for."""
        return True

    @property
    def exports_onnx(self) -> bool:
        """Whether a student of texts can be kept as an ONNX graph too, by `write_onnx`."""
        return False

    @property
    def hard(self) -> bool:
        """Whether its labels are class names, not probabilities."""
        return False

    @property
    def first_rows(self) -> int | None:
        """As a supervisor: how many rows of weak_train, from the first, it learns from; None: all."""
        return None

    @property
    def budget(self) -> Mapping[str, Any] | None:
        """Where it is the supervisor `beneath` with true labels among its own: which share of them, and how placed."""
        return None

    @property
    def strengths(self) -> Sequence[float]:
        """The l2 that it learns with, several where it chooses among them, if others cost little to try; else none."""
        return ()

    def at_strength(self, l2: float) -> Self:
        """Itself with this l2 alone, of a kind that has `strengths`."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is regularised")

    @property
    def validates(self) -> str | None:
        """What it needs validation rows for, as the end of a sentence; None: nothing."""
        return None

    @property
    def files(self) -> Sequence[str]:
        """Paths of files that it reads."""
        return ()

    @property
    def beneath(self) -> Sequence[tuple[Any, bool]]:
        """The entries whose predictions it is made of, as under `weak`; True: one that could be under `strong`."""
        return ()

    @property
    def frozen(self) -> Any:
        """The entry of a model with features of the same checkpoint, for methods that look at them; None: there is none."""
        return None

    @classmethod
    def locate(cls, checkpoint: str) -> Location | None:
        """Where what it is made of lies, where that is not a checkpoint of a `form`; None: it is, or there is none.

        Features are computed again where the fingerprint is another one. Raises UsageError on what is not there.
        """
        return None

    def count_parameters(self, location: Location | None) -> int | None:
        """How many numbers its weights are, by which figures order students; None: not known.

        location: of its checkpoint, where it has one. By default the checkpoint's own count.
        """
        return None if location is None or not location.parameters else location.parameters

    @property
    def has_checkpoint(self) -> bool:
        """Whether its field `checkpoint` names something with a fingerprint."""
        return self.form is not None or self.has_features

    @classmethod
    def saved_for(cls, inputs: InputType) -> Saved | None:
        """How a student of these inputs is kept, where that differs between types; by default as `saved` says."""
        return cls.saved

    def as_student(self, location: Location, inputs: InputType) -> Model:
        """With the options that a student of these inputs has where none are asked for; by default the same."""
        return self

    def problems(self, location: Location) -> list[str]:
        """What can be seen to be wrong with these options for that checkpoint without loading it, a sentence each."""
        return []


class FeatureModel(Model, ABC):
    """A frozen model with a linear head. Fields a subclass adds decide its features; those here decide the head."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    step = "head"
    form: ClassVar[Form | None] = "transformer"
    stops = True
    has_features = True
    cheap_ceilings = True
    scores_parts = True

    checkpoint: Annotated[str, Field(min_length=1)]
    rows: Annotated[int, Field(ge=1)] | None = None  # as a supervisor: learn from the first `rows` of weak_train only
    l2: Strength | Annotated[list[Strength], Field(min_length=1)] = 0.03  # a list: chosen on validation
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    lr: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 0.05

    def identity(self) -> dict[str, Any]:
        """The options that decide the features: every field but the checkpoint and the head's."""
        return self.model_dump(exclude=set(FeatureModel.model_fields))

    @property
    def first_rows(self) -> int | None:
        """`rows`."""
        return self.rows

    @property
    def strengths(self) -> Sequence[float]:
        """`l2`: heads are cheap."""
        return self.l2 if isinstance(self.l2, list) else [self.l2]

    def at_strength(self, l2: float) -> Self:
        """The same features, another head."""
        return self.model_copy(update={"l2": l2})

    @property
    def validates(self) -> str | None:
        """Several strengths of regularisation."""
        return "chooses l2 there" if isinstance(self.l2, list) else None

    @property
    def linear(self) -> bool:
        """Whether all features are scaled by one number, so that the head is linear in them; else each row to one length."""
        return False

    @property
    def whole(self) -> bool:
        """Whether a student's body and head are kept together, by `write_whole`; else as modules, by `write_body`."""
        return False

    def write_whole(self, folder: Path, location: Location, head: LinearHead) -> dict[str, Any]:
        """Write features and head into an empty folder, in a form of its own; options for `open_whole`."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is saved")

    @classmethod
    def open_whole(cls, folder: Path, options: Mapping[str, Any]) -> tuple[FeatureModel, Location, LinearHead]:
        """What `write_whole` wrote."""
        raise NotImplementedError(f"{cls.__name__} does not say how it is opened")

    def write_body(self, folder: Path, location: Location) -> tuple[list[Module], dict[str, Any]]:
        """Write what gives its features into an empty folder, as modules of sentence-transformers; options for `open_body`.

        For kinds that say how they are `saved`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it is saved")

    @classmethod
    def open_body(cls, folder: Path, options: Mapping[str, Any]) -> tuple[FeatureModel, Location]:
        """What `write_body` wrote, ready for `reader`."""
        return cls(checkpoint=str(folder), **options), Location(str(folder), str(folder), None, None, "", 0)

    def write_onnx(self, path: Path, location: Location, head: LinearHead) -> None:
        """Write features and head as an ONNX graph, of kinds that can; see `exports_onnx`."""
        raise NotImplementedError(f"{type(self).__name__} has no ONNX graph")

    def reader(self, location: Location, device: str) -> Reader:
        """`features` for many calls: what can be loaded once is loaded once, where a model offers that."""
        return lambda inputs, progress: self.features(inputs, location, device, progress)

    @abstractmethod
    def features(
        self, inputs: Sequence[Any], location: Location, device: str, progress: Callable[[int, int], None]
    ) -> Features:
        """Features of `inputs`, in their order; `progress(inputs done, of all)`. Raises OutgrowError, UsageError."""
