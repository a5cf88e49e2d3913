"""Trained students outside the store: what predicts texts, and what is written for others to load."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats
from outgrow.core.inputs.input_type import TEXT, InputType
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.models.contract import FeatureModel, LinearHead, Location
from outgrow.models.heads import saved as heads
from outgrow.models.heads.choices import scores as scores_of
from outgrow.models.heads.onnx_graph import missing_packages
from outgrow.models.heads.solver import Head, Solver, predict
from outgrow.teaching.report import Report

NO_GRAPH = (
    "--onnx: a graph is written of heads on transformers that read texts, in float32: take one, or leave --onnx out"
)
Progress = Callable[[int, int], None]
Read = Callable[[Sequence[Any], Progress], Floats]


def no_progress(done: int, total: int) -> None:
    """Discard progress."""


class Student(Protocol):
    """A trained model that predicts and can be written."""

    @property
    def member(self) -> Mapping[str, str]:
        """The identity of its model kind in the registry."""

    def reader(self, device: str, *, scores: bool = False) -> Read:
        """A function from inputs to class probabilities `[n, classes]` that loads what it needs once.

        scores: of a student of choices, from candidates to their scores `[n]`.
        """

    def write(self, folder: Path, classes: Sequence[str]) -> dict[str, Any]:
        """Write the files that others can load into an empty folder; what `saved_student.load` needs besides."""

    def write_onnx(self, path: Path) -> None:
        """Write it as an ONNX graph, where its kind has one."""

    def tempered(self, temperature: float) -> Student | None:
        """The same with its logits divided by a temperature; None where that cannot be kept in its files."""

    def packed(self) -> Student:
        """The same without files that may go, and fit to be pickled."""


@dataclass(frozen=True)
class HeadStudent:
    """A linear head on the frozen features of a model."""

    model: FeatureModel
    location: Location
    head: Head
    norm: float | None
    member: Mapping[str, str]

    def reader(self, device: str, *, scores: bool = False) -> Read:
        read = self.model.reader(self.location, device)
        solver = Solver(norm=self.norm)
        answer = scores_of if scores else predict
        return lambda inputs, progress: answer(read(inputs, progress).values, self.head, solver)

    def write(self, folder: Path, classes: Sequence[str]) -> dict[str, Any]:
        return heads.write(folder, self.model, self.location, self.head, self.norm, classes)

    def write_onnx(self, path: Path) -> None:
        self.model.write_onnx(path, self.location, LinearHead(self.head.weight, self.head.bias, self.norm))

    def tempered(self, temperature: float) -> HeadStudent:
        cold = np.float32(1 / temperature)
        return replace(self, head=Head(self.head.weight * cold, self.head.bias * cold))

    def packed(self) -> HeadStudent:
        return self


@dataclass(frozen=True)
class FinetunedStudent:
    """A finetuned model in its folder."""

    folder: Path
    member: Mapping[str, str]
    temperature: float = 1.0  # that its written classifier's logits are divided by

    def reader(self, device: str, *, scores: bool = False) -> Read:
        from outgrow.models.finetune.saved import reader

        if self.temperature != 1:
            return self.packed().reader(device, scores=scores)
        return reader(self.folder, device, scores=scores)

    def write(self, folder: Path, classes: Sequence[str]) -> dict[str, Any]:
        from outgrow.models.finetune.temperature import divide_logits

        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        if self.temperature != 1:
            divide_logits(folder, self.temperature)
        return {}

    def write_onnx(self, path: Path) -> None:
        raise UsageError(NO_GRAPH)

    def tempered(self, temperature: float) -> FinetunedStudent | None:
        from outgrow.models.finetune.temperature import last_layer

        return None if last_layer(self.folder) is None else replace(self, temperature=self.temperature * temperature)

    def packed(self) -> PackedStudent:
        with tempfile.TemporaryDirectory() as place:
            self.write(Path(place), ())
            files = [path for path in sorted(Path(place).rglob("*")) if path.is_file()]
            return PackedStudent({str(path.relative_to(place)): path.read_bytes() for path in files}, self.member)


@dataclass(frozen=True)
class PackedStudent:
    """A finetuned model as the bytes of its files: what an estimator holds, which can be pickled."""

    files: Mapping[str, bytes]
    member: Mapping[str, str]

    def reader(self, device: str, *, scores: bool = False) -> Read:
        from outgrow.models.finetune.saved import reader

        place = tempfile.TemporaryDirectory()
        self.write(Path(place.name), ())
        read = reader(Path(place.name), device, scores=scores)

        def answers(texts: Sequence[str], progress: Progress) -> Floats:
            assert place  # the files stay as long as this function does: the tokenizer is read from them
            return read(texts, progress)

        return answers

    def write(self, folder: Path, classes: Sequence[str]) -> dict[str, Any]:
        for name, data in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return {}

    def write_onnx(self, path: Path) -> None:
        raise UsageError(NO_GRAPH)

    def tempered(self, temperature: float) -> PackedStudent | None:
        with tempfile.TemporaryDirectory() as place:
            self.write(Path(place), ())
            found = FinetunedStudent(Path(place), self.member).tempered(temperature)
            return None if found is None else found.packed()

    def packed(self) -> PackedStudent:
        return self


def trained(spec: ModelSpec, location: Location, params: Mapping[str, Any], folder: Path) -> Student:
    """The student that a training step left in its folder; params: the step's."""
    if not spec.able.has_features:
        return FinetunedStudent(folder / "model", spec.member.identity)
    from safetensors.numpy import load_file

    tensors = load_file(folder / "head.safetensors")
    solver = Solver(**params["solver"])
    return HeadStudent(
        spec.options, location, Head(tensors["weight"], tensors["bias"]), solver.norm, spec.member.identity
    )


def calibrated(student: Student, report: Report) -> tuple[Student, Report]:
    """The student with the temperature that its report says helps, and the report of what it then has."""
    found = report.calibration
    if found is None or not found.applied:
        return student, report
    tempered = student.tempered(found.temperature)
    if tempered is None:
        return student, replace(report, calibration=replace(found, applied=False))
    return tempered, report


def graph_problems(spec: ModelSpec, inputs: InputType) -> list[str]:
    """Why a student could not be written as an ONNX graph, a sentence each."""
    problems = [] if inputs is TEXT and spec.able.exports_onnx else [NO_GRAPH]
    if missing := missing_packages():
        problems.append(f"--onnx: {' and '.join(missing)} must be installed for it: pip install 'outgrow[onnx]'")
    return problems
