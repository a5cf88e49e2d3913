"""Models that learn as students do: one interface for all kinds, so that teaching and scoring need not know which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from outgrow.core.examples import Floats, Ints
from outgrow.methods.contract import Method
from outgrow.methods.losses import Confidence
from outgrow.models.contract import FeatureModel, Location
from outgrow.models.heads import saved as export
from outgrow.models.heads.solver import TOGETHER, Head, Problem, Solver, predict, solve

Progress = Callable[[int, int], None]
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3)  # what is tried where a strength of regularisation is to be chosen


def unheard(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Lesson:
    """What one student learns: rows `[m]` of a bench's texts, targets `[m, classes]`, by which method."""

    rows: Ints
    targets: Floats
    method: Method
    l2: float | None  # None: what the student's own options say
    seed: int
    weights: Floats | None = None  # [m]; None: all alike
    classes: Sequence[str] = ()  # their names, which a finetuned model carries


class Student(Protocol):
    """A trained model: it can be asked and kept."""

    @property
    def kind(self) -> str:
        """`probe`, `static` or `finetune`."""

    def reader(self, device: str) -> Callable[[Sequence[str], Progress], Floats]:
        """A function from texts to class probabilities `[n, classes]` that loads what it needs once."""

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the files that others can load into an empty folder; what `student.load` needs besides."""


class Bench(Protocol):
    """Texts that many students learn from and are asked about."""

    def learn(self, lessons: Sequence[Lesson], progress: Progress = unheard) -> Iterable[Student]:
        """A student each, in order."""

    def ask(self, student: Student, rows: Ints) -> Floats:
        """Probabilities `[m, classes]` for rows `[m]`."""


class Learner(Protocol):
    """A kind of student with its options and its checkpoint."""

    @property
    def location(self) -> Location:
        """Where the checkpoint is."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods to choose among; the first is the usual one, and wins a tie."""

    @property
    def repeats(self) -> int:
        """How often a learning curve can be repeated in a reasonable time."""

    @property
    def strengths(self) -> tuple[float, ...]:
        """The strengths of regularisation to choose among; none where there is no such option."""

    def read(self, texts: Sequence[str], device: str, progress: Progress = unheard) -> Bench:
        """What can be done once for all students."""


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
        return export.write(folder, self.model, self.location, self.head, self.norm)


@dataclass(frozen=True)
class HeadBench:
    """The features of the texts."""

    model: FeatureModel
    location: Location
    features: Floats
    device: str

    def learn(self, lessons: Sequence[Lesson], progress: Progress = unheard) -> list[HeadStudent]:
        solver = Solver(self.model.steps, self.model.lr)
        own = self.model.l2[0] if isinstance(self.model.l2, list) else self.model.l2
        students: list[HeadStudent] = []
        for start in range(0, len(lessons), TOGETHER):
            group = lessons[start : start + TOGETHER]
            used, places = np.unique(np.concatenate([lesson.rows for lesson in group]), return_inverse=True)
            problems, end = [], 0
            for lesson in group:
                rows = places[end : (end := end + len(lesson.rows))]
                l2 = own if lesson.l2 is None else lesson.l2
                problems.append(Problem(rows, lesson.targets, lesson.weights, lesson.method, l2, lesson.seed))

            def report(step: int, steps: int, before: int = start, many: int = len(group)) -> None:
                progress(before + step * many // steps, len(lessons))

            heads = solve(self.features[used], problems, solver, self.device, report)
            students += [HeadStudent(self.model, self.location, head, solver.norm) for head in heads]
        return students

    def ask(self, student: Student, rows: Ints) -> Floats:
        assert isinstance(student, HeadStudent)
        return predict(self.features[rows], student.head, Solver(norm=student.norm))


@dataclass(frozen=True)
class HeadLearner:
    """Heads on one model's features."""

    model: FeatureModel
    location: Location
    methods: tuple[str, ...] = ("confidence", "naive")
    repeats: int = 40
    strengths: tuple[float, ...] = STRENGTHS

    def read(self, texts: Sequence[str], device: str, progress: Progress = unheard) -> HeadBench:
        values = self.model.features(texts, self.location, device, progress).values
        return HeadBench(self.model, self.location, values, device)


def suited(method: Method, targets: Floats, weights: Floats | None = None) -> Method:
    """The method with what it must know of the task: the classes' shares in the targets, where none are given.

    `confidence` hardens two classes by a prior, in the paper a balanced one since its tasks are balanced. A student's
    task need not be: half of all mail is no spam.
    """
    if isinstance(method, Confidence) and targets.shape[1] == 2 and "prior" not in method.model_fields_set:
        shares = np.average(targets.astype(np.float64), axis=0, weights=weights)
        return Confidence(alpha=method.alpha, warmup=method.warmup, prior=tuple((shares / shares.sum()).tolist()))
    return method
