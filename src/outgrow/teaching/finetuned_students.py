"""Finetuned models as students: the interface of learners.py over models/finetune.py."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, Ints
from outgrow.models.contract import Location
from outgrow.models.finetune.options import Finetune
from outgrow.teaching.students import Lesson, Progress, Student, unheard

if TYPE_CHECKING:
    from outgrow.models.checkpoints.tokens import Tokens
    from outgrow.models.finetune.train import Finetuned


STEPS = 60  # of the optimizer at least, where `epochs` is not given: two epochs of 25 texts are two steps, and teach nothing


@dataclass(frozen=True)
class FinetunedStudent:
    """A model that was finetuned in this process."""

    made: Finetuned
    location: Location
    options: Finetune
    limit: int  # tokens read of a text
    kind: str = "finetune"

    def reader(self, device: str) -> Callable[[Sequence[str], Progress], Floats]:
        from outgrow.models.checkpoints.tokens import read_texts
        from outgrow.models.finetune.classifier import predict

        def probabilities(texts: Sequence[str], progress: Progress) -> Floats:
            tokens = read_texts(self.location, texts, **self.options.reading())
            return predict(self.made.loaded, tokens, np.arange(len(texts)), self.options, progress)

        return probabilities

    def write(self, folder: Path) -> dict[str, Any]:
        from outgrow.models.finetune.saved import keep

        self.made.loaded.module.to("cpu")
        keep(self.made, self.options, self.limit, folder)
        return {**self.options.reading(), "precision": self.options.precision}

    def __reduce__(self) -> tuple[Any, ...]:
        # The module's class is made at run time, so that pickle cannot name it; its files say all.
        with tempfile.TemporaryDirectory() as folder:
            self.write(Path(folder))
            files = [path for path in Path(folder).rglob("*") if path.is_file()]
            return PackedFinetuned, ({str(path.relative_to(folder)): path.read_bytes() for path in files},)


@dataclass(frozen=True)
class PackedFinetuned:
    """A finetuned model as the bytes of its files: what a pickled estimator holds."""

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


@dataclass(frozen=True)
class KeptFinetuned:
    """A finetuned model in its folder."""

    folder: Path
    kind: str = "finetune"

    def reader(self, device: str) -> Callable[[Sequence[str], Progress], Floats]:
        from outgrow.models.finetune.saved import reader

        return reader(self.folder, device)

    def write(self, folder: Path) -> dict[str, Any]:
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return {}


@dataclass(frozen=True)
class FinetuneBench:
    """The texts as tokens."""

    options: Finetune
    location: Location
    tokens: Tokens
    device: str

    def learn(self, lessons: Sequence[Lesson], progress: Progress = unheard) -> Iterator[FinetunedStudent]:
        """One after the other, when it is asked for, so that one model is in memory and not all."""
        from outgrow.models.finetune import train as finetune

        for number, lesson in enumerate(lessons):
            options = _long_enough(self.options, len(lesson.rows))

            def report(step: int, steps: int, before: int = number) -> None:
                progress(before * steps + step, len(lessons) * steps)

            taught = finetune.Lesson(lesson.rows, lesson.targets, lesson.method, lesson.seed, lesson.weights)
            names = [str(place) for place in range(lesson.targets.shape[1])]
            made = finetune.train(
                self.location,
                options,
                self.tokens,
                lesson.classes or names,
                taught,
                device=self.device,
                progress=report,
            )
            yield FinetunedStudent(made, self.location, options, self.tokens.limit)

    def ask(self, student: Student, rows: Ints) -> Floats:
        from outgrow.models.finetune.classifier import predict

        assert isinstance(student, FinetunedStudent)
        return predict(student.made.loaded, self.tokens, rows, student.options)


@dataclass(frozen=True)
class FinetuneLearner:
    """One checkpoint, finetuned."""

    options: Finetune
    location: Location
    # In the few steps of so little data, what the student is sure of at first may be wrong: see docs/guide/finetuning.md.
    methods: tuple[str, ...] = ("naive", "confidence")
    repeats: int = 3
    strengths: tuple[float, ...] = ()

    def read(self, texts: Sequence[str], device: str, progress: Progress = unheard) -> FinetuneBench:
        from outgrow.models.checkpoints.tokens import read_texts

        tokens = read_texts(self.location, texts, **self.options.reading())
        progress(len(texts), len(texts))
        return FinetuneBench(self.options, self.location, tokens, device)


def check(options: Finetune) -> None:
    """Raise UsageError for options that a student which is kept cannot have."""
    wrong = []
    if options.pooling != "own":
        wrong.append("`pooling: mean` would leave a student that transformers cannot load: leave it out")
    if options.early_stop is not None:
        wrong.append("`early_stop` needs a validation set, which only `outgrow run` has: give `epochs`")
    if options.keep:
        wrong.append("`keep` is for `outgrow run`, this student is kept anyway: leave it out")
    if options.fsdp:
        wrong.append("`fsdp` is for `outgrow run`: leave it out")
    if wrong:
        raise UsageError(*(f"finetune:{options.checkpoint}: {sentence}" for sentence in wrong))


def _long_enough(options: Finetune, rows: int) -> Finetune:
    if "epochs" in options.model_fields_set:
        return options
    steps = math.ceil(rows / options.batch)
    return options.model_copy(update={"epochs": max(options.epochs, math.ceil(STEPS / steps))})
