"""Cheap labels in, a trained student out, and an honest account of how good it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, Ints, harden
from outgrow.experiment.spec.method_entries import MethodSpec
from outgrow.methods.contract import Method
from outgrow.methods.losses import Naive
from outgrow.results.metrics.intervals import Interval, accuracy, contrast
from outgrow.results.metrics.worth import Worth, sizes, worth
from outgrow.teaching.dataset import Dataset
from outgrow.teaching.options import learning_method
from outgrow.teaching.students import Bench, Learner, Lesson, Progress, Student, suited, unheard

FOLDS = 10


@dataclass(frozen=True)
class Choice:
    """A method and a strength of regularisation that a student may learn with."""

    method: MethodSpec
    l2: float | None


@dataclass(frozen=True)
class Report:
    """What is known of a student. Accuracies are on careful labels that it did not learn from; None: not known."""

    taught: int  # texts with cheap labels that it learned from
    careful: int  # texts with careful labels
    mixed: bool  # whether it learned from these too; its scores are then of students that did not learn the row
    method: str
    l2: float | None
    agreement: float  # share of the cheap labels that it repeats: no accuracy
    cheap_accuracy: Interval | None = None
    cheap_rows: int = 0  # careful texts that have a cheap label too
    student_accuracy: Interval | None = None
    gain: Interval | None = None  # student less cheap labels, on the rows that have both
    worth: Worth | None = None
    tried: Sequence[Mapping[str, Any]] = ()  # candidates of a choice with their accuracy
    voters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON values; None for a number of labels that is beyond the learning curve."""
        values = asdict(self)
        if self.worth is not None:
            for end in ("estimate", "low", "high"):
                values["worth"][end] = int(at) if (at := values["worth"][end]) < math.inf else None
        return values


@dataclass(frozen=True)
class Taught:
    """The student, and what is known of it."""

    student: Student
    report: Report


def methods(written: str | Mapping[str, Any] | None, learner: Learner, choose: bool) -> list[MethodSpec]:
    """The method that is asked for, else the student's usual one, or with `choose` all there are to choose among."""
    usual = learner.methods if choose else learner.methods[:1]
    return [learning_method(one) for one in ([written] if written is not None else usual)]


def candidates(learner: Learner, methods: Sequence[MethodSpec], l2: float | None, choose: bool) -> list[Choice]:
    """The methods with the strength that is given, or with `choose` each strength. Raises UsageError."""
    if l2 is not None and not learner.strengths:
        raise UsageError("--l2: this kind of student has no such option; give it options in --student '{finetune: …}'")
    strengths: Sequence[float | None] = learner.strengths if choose and l2 is None and learner.strengths else [l2]
    if choose and len(methods) * len(strengths) < 2:
        raise UsageError("--choose: nothing is left to choose; take away --method or --l2")
    return [Choice(one, strength) for one in methods for strength in strengths]


def teach(
    evidence: Dataset,
    learner: Learner,
    choices: Sequence[Choice],
    *,
    mix: bool = False,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[str], Progress] = lambda label: unheard,
) -> Taught:
    """Train a student on the cheap labels (with `mix`, on the careful ones too), and measure it by the careful ones.

    Of several choices, the one with the best accuracy on the careful labels; its own accuracy is then measured by
    cross-validation, each row scored by the choice that the other folds would have made.
    """
    bench = learner.read(evidence.texts, device, progress("reading the texts"))
    work = _Work(evidence, bench, learner, mix, seed)
    students = bench.learn([work.lesson(choice) for choice in choices], progress("teaching"))
    if len(evidence.gold) == 0:
        (student,) = students
        return Taught(student, work.report(choices[0], student))
    right, best, student = work.best(students)
    scores = work.scores(choices, right, progress("cross-fitting"))
    if mix:
        (student,) = bench.learn([work.lesson(choices[best], evidence.gold)], progress("teaching the kept student"))
    tried = [
        {"method": choice.method.name, "l2": choice.l2, "accuracy": float(row.mean())}
        for choice, row in zip(choices, right, strict=True)
    ]
    strengths = list(dict.fromkeys(choice.l2 for choice in choices))
    curve = work.curve(strengths, progress("learning from careful labels alone"))
    return Taught(student, work.report(choices[best], student, scores, curve, tried if len(choices) > 1 else ()))


def _best(right: Floats, rows: Any) -> int:
    """The choice `[choices, rows]` that is right most often; of equals the first."""
    return int(right[:, rows].mean(axis=1).argmax())


@dataclass(frozen=True)
class _Work:
    """What all parts of the measurement share."""

    evidence: Dataset
    bench: Bench
    learner: Learner
    mix: bool
    seed: int

    def lesson(self, choice: Choice, careful: Ints | None = None) -> Lesson:
        """The cheap labels, with the careful ones of some rows."""
        rows, targets = self.evidence.taught, self.evidence.cheap[self.evidence.taught]
        if careful is not None:
            rows = np.concatenate([rows, careful])
            targets = np.concatenate([targets, self.truth(careful)])
        return self._lesson(rows, targets, choice.method.method, choice.l2)

    def _lesson(self, rows: Ints, targets: Floats, method: Method, l2: float | None) -> Lesson:
        return Lesson(rows, targets, suited(method, targets), l2, self.seed, classes=self.evidence.classes)

    def truth(self, rows: Ints) -> Floats:
        """The careful labels as one-hot rows."""
        targets: Floats = np.eye(len(self.evidence.classes), dtype=np.float32)[self.evidence.truth[rows]]
        return targets

    def right(self, student: Student, rows: Ints | None = None) -> Floats:
        """1 where the student is right, `[gold rows]`, or for some rows."""
        rows = self.evidence.gold if rows is None else rows
        said = harden(self.bench.ask(student, rows), self.evidence.ids[rows])
        scores: Floats = np.asarray(said == self.evidence.truth[rows], dtype=np.float64)
        return scores

    def best(self, students: Iterable[Student]) -> tuple[Floats, int, Student]:
        """Which of the students is right where `[students, gold rows]`, and the place and the best of them.

        One after the other: a finetuned one is large, and only the best so far is held.
        """
        kept: tuple[float, int, Student] | None = None
        rows = []
        for place, student in enumerate(students):
            rows.append(self.right(student))
            if kept is None or rows[-1].mean() > kept[0]:
                kept = float(rows[-1].mean()), place, student
        assert kept is not None, "no student was asked for"
        return np.stack(rows), kept[1], kept[2]

    def scores(self, choices: Sequence[Choice], right: Floats, progress: Progress) -> Floats:
        """1 where right, each gold row by a student that it had no part in: neither as a lesson nor in the choice."""
        gold = self.evidence.gold
        scores: Floats = right[0].copy()
        if not self.mix and len(choices) == 1:
            return scores
        order = np.random.default_rng(self.seed).permutation(len(gold))
        folds = [order[fold::FOLDS] for fold in range(FOLDS)]
        picks = [_best(right, np.setdiff1d(order, fold)) for fold in folds]
        if self.mix:
            lessons = [
                self.lesson(choices[pick], gold[np.setdiff1d(order, fold)])
                for pick, fold in zip(picks, folds, strict=True)
            ]
            for fold, student in zip(folds, self.bench.learn(lessons, progress), strict=True):
                scores[fold] = self.right(student, gold[fold])
        else:
            for fold, pick in zip(folds, picks, strict=True):
                scores[fold] = right[pick, fold]
        return scores

    def curve(self, strengths: Sequence[float | None], progress: Progress) -> dict[int, Floats]:
        """Scores `[repeats, gold rows]` of students that learned some careful labels alone; NaN where learned.

        A repeat's smaller sets are the beginnings of its larger ones. Of several strengths, each size has its best:
        whoever had careful labels only would choose too.
        """
        gold, generator = self.evidence.gold, np.random.default_rng(self.seed + 1)
        orders = [self._mixed(generator) for _ in range(self.learner.repeats)]
        asked = [
            (size, strength, repeat)
            for size in sizes(len(gold))
            for strength in strengths
            for repeat in range(len(orders))
        ]
        lessons = []
        for size, strength, repeat in asked:
            rows = gold[orders[repeat][:size]]
            lessons.append(self._lesson(rows, self.truth(rows), Naive(), strength))
        tables: dict[int, list[Floats]] = {}
        found: dict[tuple[int, Any], list[Floats]] = {}
        for (size, strength, repeat), student in zip(asked, self.bench.learn(lessons, progress), strict=True):
            row = np.full(len(gold), np.nan)
            rest = orders[repeat][size:]
            row[rest] = self.right(student, gold[rest])
            found.setdefault((size, strength), []).append(row)
        for (size, _), rows_of in found.items():
            tables.setdefault(size, []).append(np.stack(rows_of))
        return {size: max(of_size, key=lambda table: float(np.nanmean(table))) for size, of_size in tables.items()}

    def _mixed(self, generator: np.random.Generator) -> Ints:
        """The gold rows in random order, with two classes among the first ones: one alone teaches nothing."""
        order = generator.permutation(len(self.evidence.gold))
        labels = self.evidence.truth[self.evidence.gold[order]]
        other = int(np.flatnonzero(labels != labels[0])[0])
        place = min(other, 1 + int(generator.integers(sizes(len(order))[0] - 1)) if sizes(len(order)) else other)
        order[[place, other]] = order[[other, place]]
        return order

    def report(
        self,
        choice: Choice,
        student: Student,
        scores: Floats | None = None,
        curve: Mapping[int, Floats] | None = None,
        tried: Sequence[Mapping[str, Any]] = (),
    ) -> Report:
        """The numbers; without scores, those that need no careful label."""
        evidence = self.evidence
        rows, hard = evidence.taught, evidence.hard
        said = harden(self.bench.ask(student, rows), evidence.ids[rows])
        report = Report(
            taught=len(rows),
            careful=len(evidence.gold),
            mixed=self.mix,
            method=choice.method.name,
            l2=choice.l2,
            agreement=float((said == hard[rows]).mean()),
            voters=evidence.voters,
            notes=evidence.notes,
        )
        if scores is None:
            return report
        gold = evidence.gold
        both = hard[gold] >= 0
        cheap = (hard[gold] == evidence.truth[gold]).astype(np.float64)[both]
        gain = contrast(np.stack([scores[both], cheap])[:, None], [1, -1]) if both.any() else None
        known = {
            "cheap_accuracy": accuracy(cheap[None]) if both.any() else None,
            "cheap_rows": int(both.sum()),
            "student_accuracy": accuracy(scores[None]),
            "gain": gain,
            "worth": worth(scores, curve) if curve else None,
            "tried": tuple(tried),
        }
        return Report(**{**report.__dict__, **known})
