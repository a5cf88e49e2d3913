"""How the rows that an estimator was given are learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from outgrow.core.examples import Floats, Strings, harden
from outgrow.core.identity import content_id, digest, digest_file
from outgrow.core.pool import Pool
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.step import Step
from outgrow.execution.store import Store
from outgrow.experiment.planning.supervision import student_step
from outgrow.experiment.steps.training_request import TaskPlan
from outgrow.teaching.estimator.arrays import TRUTH, WEAK
from outgrow.teaching.labels.dataset import Dataset
from outgrow.teaching.labels.dataset_notes import notes
from outgrow.teaching.options import Candidate, Learner, read_by
from outgrow.teaching.plan import fitted
from outgrow.teaching.report import Report
from outgrow.teaching.students import Student, calibrated, trained
from outgrow.teaching.teach import Laboratory, teach


@dataclass(frozen=True)
class Rows:
    """n distinct texts in the order of their ids, with the mean of their labels and the sum of their weights."""

    ids: Strings
    texts: Sequence[str]
    targets: Floats  # [n, classes]
    weights: Floats  # [n], above 0


def distinct(texts: Sequence[str], targets: Floats, weights: Floats | None) -> Rows:
    ids, first, place = np.unique([content_id(one) for one in texts], return_index=True, return_inverse=True)
    counts: Floats = np.ones(len(texts)) if weights is None else weights
    total = np.bincount(place, counts).astype(np.float64)
    sums = np.stack([np.bincount(place, column * counts) for column in targets.T.astype(np.float64)], axis=1)
    kept = np.flatnonzero(total > 0)
    means = (sums[kept] / total[kept, None]).astype(np.float32)
    return Rows(ids[kept], [texts[row] for row in first[kept].tolist()], means, total[kept])


@dataclass(frozen=True)
class FitPlace:
    """Where one `fit` trains: an empty folder that goes afterwards, the machine, and the seed."""

    folder: Path
    machine: Machine
    seed: int

    def laboratory(self, choices: Sequence[Candidate], save: Callable[[Path], None]) -> tuple[Step, Laboratory]:
        """The step that has the files which `save` writes into a folder, and where steps are made."""
        given = self.folder / "rows"
        given.mkdir()
        save(given)
        content = digest({path.name: digest_file(path) for path in given.iterdir()})
        sources = {**read_by(choices), content: str(given)}
        laboratory = Laboratory(Store(self.folder / "store"), self.machine, sources, Silent())
        return Step("handed_over", {"digest": content}, label="rows"), laboratory


def taught(
    choices: Sequence[Candidate], data: Dataset, place: FitPlace, budget: float | None
) -> tuple[Student, Learner, Report]:
    """What `outgrow teach` makes of the same rows in files, and of which student."""
    pool, laboratory = place.laboratory(choices, data.save)
    made = teach(pool, choices, laboratory, seed=place.seed, budget=budget)
    found = made.learner
    report = replace(made.report, notes=(*notes(data, WEAK, TRUTH), *made.report.notes))
    step = laboratory.trained(made.student)
    student, report = calibrated(trained(found.spec, found.location, step.params, laboratory.opened(step)), report)
    return student.packed(), found, report


def weighted(choice: Candidate, rows: Rows, place: FitPlace) -> tuple[Student, Report]:
    """A student of labels that have weights, by the steps of an experiment."""
    names = [str(number) for number in range(rows.targets.shape[1])]
    nobody = np.zeros(len(rows.ids), dtype=np.bool_)
    pool = Pool(rows.ids, rows.texts, np.full(len(rows.ids), -1), tuple(names), rows.ids, nobody)

    def save(given: Path) -> None:
        pool.save(given)
        np.save(given / "probabilities.npy", rows.targets)
        np.save(given / "transfer.npy", np.arange(len(rows.ids)))
        np.save(given / "validation.npy", np.arange(0))
        np.save(given / "weights.npy", rows.weights)

    found = choice.learner
    data, laboratory = place.laboratory([choice], save)
    task = TaskPlan("fit", pool, data, {"weak_train": 0, "transfer": len(pool), "validation": 0}, found.locations)
    method = choice.method.for_task(np.average(rows.targets, axis=0, weights=rows.weights).tolist())
    model = fitted(found, choice.l2, len(pool), keep=True)
    step = student_step(task, model, method, data, data, place.seed, predict_on=("transfer",))
    laboratory.made([step])
    step = laboratory.trained(step)
    folder = laboratory.opened(step)
    repeated = harden(np.load(folder / "probabilities.npy"), rows.ids) == harden(rows.targets, rows.ids)
    report = Report(
        taught=len(rows.ids),
        careful=0,
        mixed=False,
        method=choice.method.name,
        l2=choice.l2,
        weight=0.0,
        corrections=0,
        agreement=float(repeated.mean()),
    )
    return trained(found.spec, found.location, step.params, folder).packed(), report
