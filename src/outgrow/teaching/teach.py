"""Cheap labels in, a trained student out, and an honest account of how good it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import Floats, Ints, harden
from outgrow.core.pool import Pool
from outgrow.execution.execute import execute
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Display
from outgrow.execution.step import Step
from outgrow.execution.store import Store
from outgrow.experiment.near_copies import careful_copies, features_of
from outgrow.experiment.steps.choose import candidates, chosen
from outgrow.experiment.steps.job_files import facts
from outgrow.models.contract import TUNED
from outgrow.results.statistics.chosen import accuracy_of_choice, best_of, over_deals, scores_of_choice
from outgrow.results.statistics.intervals import accuracy
from outgrow.results.statistics.worth import chosen_by_others, of_parts, sizes
from outgrow.results.statistics.worth import worth as worth_by
from outgrow.teaching.auto import of_students, within
from outgrow.teaching.calibration import calibration, losses_at_temperatures
from outgrow.teaching.labels.dataset import Dataset, Evidence
from outgrow.teaching.labels.dataset_notes import far_from_labels
from outgrow.teaching.labels.joins import Join, Joins
from outgrow.teaching.options import Candidate, Learner, for_labels
from outgrow.teaching.plan import TeachPlan
from outgrow.teaching.report import Report
from outgrow.teaching.saved.sealed import without_folders
from outgrow.teaching.steps import cheap_labels_step, folds
from outgrow.teaching.without_rules import without_rules

CHOOSING = 10  # repeats of a curve's size by which its strength of regularisation is chosen


@dataclass(frozen=True)
class Taught:
    """The step of the student that is kept, and what is known of it and of its data."""

    student: Step
    learner: Learner
    report: Report
    evidence: Evidence
    data: Dataset
    voters: Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Laboratory:
    """Where steps are made: a store, a machine, and where the bytes are that the steps read."""

    store: Store
    machine: Machine
    sources: Mapping[str, Any]
    display: Display

    def made(self, steps: Sequence[Step]) -> list[Path]:
        """The folders of the steps' results, made where the store lacks them."""
        execute(steps, self.store, self.machine, self.sources, self.display)
        return [self.opened(step) for step in steps]

    def opened(self, step: Step) -> Path:
        """The folder of a result that was made. Raises OutgrowError where it has gone since."""
        folder = self.store.open(step.key)
        if folder is None:
            raise OutgrowError(f"{step.label}: its result is gone from {self.store.root}; run the same command again")
        return folder

    def trained(self, step: Step) -> Step:
        """The step that trained a student: of a choice, the one that was chosen."""
        while tried := candidates(step):
            step = tried[chosen(step, self.opened(step))]
        return step


def teach(
    pool: Step,
    choices: Sequence[Candidate],
    laboratory: Laboratory,
    *,
    seed: int = 0,
    worth: bool = True,
    budget: float | None = None,
    before_worth: Callable[[Taught], None] | None = None,
) -> Taught:
    """Train a student on the cheap labels, and on careful ones where a choice gives them weight, and measure it.

    pool: the step of the data set. Of several choices, the one with the least log loss on the careful labels, each scored by
    students that did not learn it, at the temperature that suits it best: 200 rows say more by probabilities than by being
    right or wrong. The student's own accuracy is then measured by cross-validation: each row is scored by the choice that the
    rows of other parts make, over many deals into parts.
    budget: seconds for which students are tried, the cheapest first; None: all are.
    worth: whether what the cheap labels are worth is counted, which is most of the trainings; before_worth gets the student
    and all else that is known of it before that.
    Whatever was trained is in the store: after a kill, the same call goes on where it was.
    """
    work = work_on(pool, laboratory, seed)
    evidence = work.evidence
    _check_judged(choices, evidence)
    if len(evidence.careful) == 0:
        student = work.plan.taught(choices[0])
        laboratory.made([student])
        return work.taught(choices[0], student, work.report(choices[0], student))
    choices, untried = (choices, []) if budget is None else within(work, choices, budget)
    answers = work.cross_fitted(choices)
    right = np.stack([work.right(of_choice, evidence.careful) for of_choice in answers])
    labels = evidence.pool.labels[evidence.careful]
    losses = np.stack([losses_at_temperatures(of_choice, labels) for of_choice in answers])
    scores = scores_of_choice(right, losses, evidence.careful_groups, seed)
    best = best_of(losses)
    kept = choices[best]
    student, alone = work.plan.kept(kept), work.plan.taught(kept)
    laboratory.made([student, alone] if worth else [student])
    tried = [
        {
            "student": without_folders(choice.learner.spec.name),
            "method": choice.method.name,
            "l2": choice.l2,
            "weight": choice.weight,
            "accuracy": float(scored.mean()),
            "log_loss": float(loss.mean(axis=1).min()),
        }
        for choice, scored, loss in zip(choices, right, losses, strict=True)
    ]
    report = work.report(kept, student, scores, tried if len(choices) > 1 else ())
    report = replace(report, notes=(*report.notes, *untried))
    if evidence.pool.input_type.name == "text":
        parts = folds(evidence.careful_groups, seed)
        picked = np.empty_like(answers[best])
        for part in parts:
            picked[part] = answers[best_of(np.delete(losses, part, axis=2)), part]
        measured = calibration(picked, answers[best], labels, parts, evidence.careful_groups)
        report = replace(report, calibration=measured)
    if worth and report.voters:
        report = replace(report, without=without_rules(work, kept, list(report.voters)))
    taught = work.taught(kept, student, report)
    if not worth:
        return taught
    if before_worth is not None and sizes(len(evidence.careful)):
        before_worth(taught)
    strengths = [choice.l2 for choice in choices if choice.learner == kept.learner]
    heads = TUNED if kept.learner.spec.able.strengths else ()
    curve = work.curve(kept.learner, list(dict.fromkeys([*strengths, *heads])))
    worth_of = scores.mean(axis=0) if student == alone else work.alone(kept)
    found = worth_by(worth_of, curve) if curve else None
    return replace(taught, report=replace(report, worth=found, worth_counted=True))


def usual(choices: Sequence[Candidate], data: Dataset, *, careful: bool) -> list[Candidate]:
    """The candidates where no method is named, for these labels; careful: careful ones may be learned from."""
    found: list[Candidate] = []
    for group in of_students(choices):
        alone = data.alone if group[0].learner.cheap and not careful else 0
        found += for_labels(group, len(data.pool.classes), data.both, alone)
    return found


def work_on(pool: Step, laboratory: Laboratory, seed: int) -> Work:
    """The cheap labels of a data set's step joined, by the rule that its careful labels choose, and what is planned."""
    data = Dataset.load(*laboratory.made([pool]))
    rules = data.given.rules if (data.pool.labels >= 0).any() else data.given.rules[:1]
    steps = [cheap_labels_step(pool, by) for by in rules]
    folders = laboratory.made(steps)
    tried = [Join.read(by, step, data, folder) for by, step, folder in zip(rules, steps, folders, strict=True)]
    joins = Joins.of(tried, seed)
    plans = {join.by: TeachPlan(join.evidence, pool, join.step, seed) for join in tried}
    of_folds = [plans[join.by] for join in joins.of_folds]
    return Work(plans[joins.best.by], of_folds, laboratory, data, joins, facts(folders[0])["voters"])


def _check_judged(choices: Sequence[Candidate], evidence: Evidence) -> None:
    """Raise UsageError for methods that stop or choose by cheap labels of careful texts where there are none."""
    if (evidence.hard[evidence.careful] >= 0).any():
        return
    for method in dict.fromkeys(choice.method.name for choice in choices if choice.method.validated_on is not None):
        raise UsageError(
            f"--method: {method} stops or chooses by texts that have a careful and a cheap label, and there are none: "
            "label some of the texts of the cheap labels with care, or take another method"
        )


@dataclass(frozen=True)
class Work:
    """What all parts of the measurement share."""

    plan: TeachPlan
    of_folds: Sequence[TeachPlan]  # those whose cheap labels no careful one of a fold had a part in joining
    laboratory: Laboratory
    data: Dataset
    joins: Joins
    voters: Sequence[Mapping[str, float]]  # what each one labels, and how much of it is right

    @property
    def evidence(self) -> Evidence:
        return self.plan.evidence

    def taught(self, choice: Candidate, student: Step, report: Report) -> Taught:
        """What `teach` returns."""
        return Taught(student, choice.learner, report, self.evidence, self.data, self.voters)

    def right(self, answers: Floats, rows: Ints) -> Floats:
        """1 where answers `[rows, classes]` are right, `[rows]`."""
        pool: Pool = self.evidence.pool
        scores: Floats = np.asarray(harden(answers, pool.ids[rows]) == pool.labels[rows], dtype=np.float64)
        return scores

    def answers(self, student: Step, rows: Ints) -> Floats:
        """A student's probabilities `[rows, classes]`."""
        found: Floats = np.load(self.laboratory.opened(student) / "probabilities.npy", mmap_mode="r")[rows]
        return found

    def cross_fitted(self, choices: Sequence[Candidate]) -> Floats:
        """Probabilities `[choices, careful rows, classes]`, each row's by a student that owes nothing to its careful label."""
        return self._by_fold(self.of_choices(choices))

    def of_choices(self, choices: Sequence[Candidate]) -> list[list[Step]]:
        """The students that choices are scored by, `[choices][folds]`."""
        plans = list(enumerate(self.of_folds))
        return [[plan.of_fold(choice, fold) for fold, plan in plans] for choice in choices]

    def alone(self, choice: Candidate) -> Floats:
        """1 where right, `[careful rows]`, by students that learned cheap labels alone."""
        (answers,) = self._by_fold([[plan.taught(choice) for plan in self.of_folds]])
        return self.right(answers, self.evidence.careful)

    def _by_fold(self, steps: Sequence[Sequence[Step]]) -> Floats:
        """Probabilities `[choices, careful rows, classes]`, by the students of each fold, `[choices][folds]`."""
        careful = self.evidence.careful
        parts = folds(self.evidence.careful_groups, self.plan.seed)
        self.laboratory.made(list(dict.fromkeys(step for of_choice in steps for step in of_choice)))
        answers = np.empty((len(steps), len(careful), len(self.evidence.pool.classes)))
        for table, of_choice in zip(answers, steps, strict=True):
            for part, step in zip(parts, of_choice, strict=True):
                table[part] = self.answers(step, careful[part])
        return answers

    def curve(self, learner: Learner, strengths: Sequence[float | None]) -> dict[int, Floats]:
        """Scores `[repeats, careful rows]` of students that learned some careful labels alone; NaN where learned.

        Of several strengths, each row of a size has the best on all other folds' rows: anybody with careful labels
        only would choose too. The first repeats choose; the others are trained at what they chose alone.
        """
        parts = folds(self.evidence.careful_groups, self.plan.seed)
        steps = self.plan.curve(learner, sizes(len(self.evidence.careful)), strengths)
        first = {size: [of[:CHOOSING] for of in of_size] for size, of_size in steps.items()}
        best = {size: chosen_by_others(of, parts) for size, of in self._curve_scores(first).items()}
        taken = {size: sorted(set(of)) for size, of in best.items()}
        scores = self._curve_scores({size: [steps[size][number] for number in of] for size, of in taken.items()})
        return {
            size: of_parts([scores[size][taken[size].index(number)] for number in of], parts)
            for size, of in best.items()
        }

    def _curve_scores(self, steps: Mapping[int, Sequence[Sequence[Step]]]) -> dict[int, list[Floats]]:
        """Tables of scores `[repeats, careful rows]`, one per list of a size's steps; NaN where a row was learned."""
        careful = self.evidence.careful
        self.laboratory.made([step for of_size in steps.values() for repeats in of_size for step in repeats])
        found: dict[int, list[Floats]] = {size: [] for size in steps}
        for size, of_size in steps.items():
            for repeats in of_size:
                table = np.full((len(repeats), len(careful)), np.nan)
                for scores, step in zip(table, repeats, strict=True):
                    order = np.load(self.laboratory.opened(step.parents["split"]) / "transfer.npy")
                    rest = np.sort(order[size:])
                    scores[np.searchsorted(careful, rest)] = self.right(self.answers(step, rest), rest)
                found[size].append(table)
        return found

    def report(
        self,
        choice: Candidate,
        student: Step,
        scores: Floats | None = None,
        tried: Sequence[Mapping[str, Any]] = (),
    ) -> Report:
        """The numbers; without scores `[deals, careful rows]`, those that need no careful label."""
        evidence = self.evidence
        rows, hard, pool = np.setdiff1d(evidence.taught, evidence.chosen), evidence.hard, evidence.pool
        probabilities = np.load(self.laboratory.opened(student) / "probabilities.npy", mmap_mode="r")[rows]
        predicted = harden(probabilities, pool.ids[rows])
        report = Report(
            taught=len(rows),
            careful=len(evidence.careful),
            mixed=choice.weight > 0,
            method=choice.method.name,
            l2=choice.l2,
            weight=choice.weight,
            corrections=choice.rounds,
            agreement=float((predicted == hard[rows]).mean()),
            chosen=len(evidence.chosen),
            notes=() if pool.input_type.exchangeable else far_from_labels(predicted, hard[rows], pool.classes),
        )
        if self.data.given.kind == "columns":
            columns = self.plan.pool.params["form"]["columns"]
            report = replace(report, voters=dict(zip(columns, self.voters, strict=False)))
        if self.data.given.kind in ("columns", "votes"):
            report = replace(report, joined_by=self.joins.best.by, joins=self.joins.described)
        if scores is None:
            return report
        both, cheap = self.joins.both, self.joins.scores
        pairs = np.stack([scores[:, both], np.broadcast_to(cheap, (len(scores), len(cheap)))], axis=1)
        gain = over_deals(pairs, [1, -1]) if len(both) else None
        known = {
            "cheap_accuracy": accuracy(cheap[None]) if len(both) else None,
            "cheap_rows": len(both),
            "student_accuracy": accuracy_of_choice(scores),
            "gain": gain,
            "tried": tuple(tried),
        }
        return Report(**{**report.__dict__, **known, "notes": (*report.notes, *self._near_copies(student))})

    def _near_copies(self, student: Step) -> list[str]:
        """Careful texts with nearly the same text among those that are learned from, by the student's features."""
        found, pool = features_of([student]), self.evidence.pool
        if found is None or pool.parts is not None:
            return []
        features, whose = found
        values = np.load(self.laboratory.opened(features) / "features.npy", mmap_mode="r")
        careful = self.evidence.careful
        return careful_copies(pool, values, careful, np.concatenate([self.evidence.taught, careful]), whose)
