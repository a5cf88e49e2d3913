"""Trained students outside the store: what predicts texts, and what is written for others to load."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from outgrow.core.examples import Floats
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.models.contract import FeatureModel, Location
from outgrow.models.heads import saved as heads
from outgrow.models.heads.solver import Head, Solver, predict

Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Discard progress."""


class Student(Protocol):
    """A trained model that predicts and can be written."""

    @property
    def kind(self) -> str:
        """`probe`, `static` or `finetune`."""

    def reader(self, device: str) -> Callable[[Sequence[str], Progress], Floats]:
        """A function from texts to class probabilities `[n, classes]` that loads what it needs once."""

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the files that others can load into an empty folder; what `saved_student.load` needs besides."""

    def packed(self) -> Student:
        """The same without files that may go, and fit to be pickled."""


@dataclass(frozen=True)
class HeadStudent:
    """A linear head on the frozen features of a model."""

    model: FeatureModel
    location: Location
    head: Head
    norm: float

    @property
    def kind(self) -> str:
        return type(self.model).__name__.lower()

    def reader(self, device: str) -> Callable[[Sequence[str], Progress], Floats]:
        read = self.model.reader(self.location, device)
        solver = Solver(norm=self.norm)

        def probabilities(texts: Sequence[str], progress: Progress) -> Floats:
            return predict(read(texts, progress).values, self.head, solver)

        return probabilities

    def write(self, folder: Path) -> dict[str, Any]:
        return heads.write(folder, self.model, self.location, self.head, self.norm)

    def packed(self) -> HeadStudent:
        return self


@dataclass(frozen=True)
class FinetunedStudent:
    """A finetuned model in its folder."""

    folder: Path
    kind: str = "finetune"

    def reader(self, device: str) -> Callable[[Sequence[str], Progress], Floats]:
        from outgrow.models.finetune.saved import reader

        return reader(self.folder, device)

    def write(self, folder: Path) -> dict[str, Any]:
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return {}

    def packed(self) -> PackedStudent:
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return PackedStudent({str(path.relative_to(self.folder)): path.read_bytes() for path in files})


@dataclass(frozen=True)
class PackedStudent:
    """A finetuned model as the bytes of its files: what an estimator holds, which can be pickled."""

    files: Mapping[str, bytes]
    kind: str = "finetune"

    def reader(self, device: str) -> Callable[[Sequence[str], Progress], Floats]:
        from outgrow.models.finetune.saved import reader

        place = tempfile.TemporaryDirectory()
        self.write(Path(place.name))
        read = reader(Path(place.name), device)

        def probabilities(texts: Sequence[str], progress: Progress) -> Floats:
            assert place  # the files stay as long as this function does: the tokenizer is read from them
            return read(texts, progress)

        return probabilities

    def write(self, folder: Path) -> dict[str, Any]:
        for name, data in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return {}

    def packed(self) -> PackedStudent:
        return self


def trained(spec: ModelSpec, location: Location, params: Mapping[str, Any], folder: Path) -> Student:
    """The student that a training step left in its folder; params: the step's."""
    if not spec.able.has_features:
        return FinetunedStudent(folder / "model")
    from safetensors.numpy import load_file

    tensors = load_file(folder / "head.safetensors")
    solver = Solver(**params["solver"])
    return HeadStudent(spec.options, location, Head(tensors["weight"], tensors["bias"]), solver.norm)
