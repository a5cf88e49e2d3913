"""What every question about labels begins with: the files as a pool, a student of their labels, and its opinions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats
from outgrow.core.files import disk
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Display, Silent
from outgrow.execution.step import Step
from outgrow.execution.store import Store, default_store
from outgrow.teaching.labels.correction import PARTS, dealt
from outgrow.teaching.labels.dataset import Dataset
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.options import CORRECTED_WEIGHT, DOUBTED, Candidate, Learner, learning, learning_method
from outgrow.teaching.steps import dataset_step
from outgrow.teaching.teach import Laboratory, Work, work_on


@dataclass(frozen=True)
class Place:
    """Where work is done: the store, the machine, and what shows its progress."""

    store: str | Path | Store | None = None
    machine: Machine | None = None
    display: Display | None = None

    @property
    def opened(self) -> Store:
        """The store."""
        if isinstance(self.store, Store):
            return self.store
        return Store(disk.home(self.store) if self.store else default_store())

    def laboratory(self, sources: Mapping[str, Any], *, reads: bool = False) -> Laboratory:
        """Where steps are made; reads: only files are read, which needs no accelerator."""
        machine = Machine(device="cpu") if reads else self.machine or Machine()
        return Laboratory(self.opened, machine, sources, self.display or Silent())


@dataclass(frozen=True)
class Material:
    """A data set, its cheap labels joined, and students each of which left a part of it out."""

    work: Work
    learner: Learner
    opinion: Floats  # [pool, classes] by a student that learned neither text nor label; NaN where there is no label
    features: Floats  # [pool, d]
    students: Sequence[Step]  # the heads that have these opinions


def gather(
    labels: Path,
    text: str,
    form: Form,
    truth: Path | None,
    truth_label: str | None,
    student: Any,
    place: Place,
    *,
    max_classes: int | None = None,
    seed: int = 0,
    before: Callable[[list[str]], None] | None = None,
) -> Material:
    """Read the files and train five students of a head. Raises UsageError with everything that is wrong, before any training.

    before: adds what else is wrong.
    """
    problems: list[str] = []
    if before is not None:
        before(problems)
    sources: dict[str, Any] = {}
    learned = pool = None
    try:
        learned = head_of(student, careful=truth is not None)
    except UsageError as error:
        problems += error.problems
    try:
        pool = dataset_step(labels, Reading.of(text), form, truth, truth_label, sources, max_classes)
        place.laboratory(sources, reads=True).made([pool])
    except UsageError as error:
        problems += error.problems
    if problems or learned is None or pool is None:
        raise UsageError(*dict.fromkeys(problems))
    machine = place.machine or Machine()
    machine.devices()
    laboratory = place.laboratory({**sources, **learned.sources})
    data = Dataset.load(laboratory.opened(pool))
    method = ["confident_learning", "naive"] if data.alone >= DOUBTED else "naive"
    choice = Candidate(learned, learning_method(method), None, CORRECTED_WEIGHT if truth is not None else 0.0)
    work = work_on(pool, laboratory, seed)
    steps = work.plan.opinions(choice)
    folders = laboratory.made(steps)
    evidence = work.evidence
    groups = (evidence.taught, evidence.careful)
    opinion = np.full((len(evidence.pool), len(evidence.pool.classes)), np.nan)
    for part, folder in enumerate(folders):
        rows = np.concatenate([dealt(group, PARTS)[part] for group in groups])
        opinion[rows] = np.load(folder / "probabilities.npy", mmap_mode="r")[rows]
    features = laboratory.opened(laboratory.trained(steps[0]).parents["features"]) / "features.npy"
    students = [laboratory.trained(step) for step in steps]
    return Material(work, learned, opinion, np.load(features, mmap_mode="r"), students)


def head_of(student: Any, *, careful: bool = False, option: str = "--student") -> Learner:
    """The head that is named, with what its trainings read. Raises UsageError for other students. option: who asks for one."""
    learned = learning(student, "naive", careful=careful)[0].learner
    if not learned.spec.able.has_features:
        raise UsageError(
            f"{option}: {learned.spec.name}: is not a head on frozen features; take one, such as minilm, whose five "
            "trainings take a moment"
        )
    return learned
