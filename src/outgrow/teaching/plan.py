"""What `teach` trains, as steps: candidates, students of folds, the student that is kept, the curve of careful labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from outgrow.execution.step import Step
from outgrow.experiment.planning.supervision import student_step
from outgrow.experiment.planning.training import training_step
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.experiment.steps.training_request import NAIVE, TRUTH, TaskPlan, Terms
from outgrow.teaching.labels.correction import PARTS
from outgrow.teaching.labels.dataset import Evidence
from outgrow.teaching.options import CORRECTED_WEIGHT, Candidate, Learner
from outgrow.teaching.steps import FOLDS, Careful, careful_order_step, corrected_step, folds, lesson_step

STEPS = 60  # of the optimizer at least, where `epochs` is not given: two epochs of 25 texts are two steps, and teach nothing

SEEN = 2.0  # cheap labels that a careful one counts as, to the students by whose opinion cheap labels are corrected


@dataclass(frozen=True)
class TeachPlan:
    """The steps of teaching from one data set."""

    evidence: Evidence
    pool: Step
    labels: Step  # the cheap labels, joined
    seed: int

    def taught(self, candidate: Candidate) -> Step:
        """A student that learned the cheap labels alone; it never saw a careful one."""
        return self._student(replace(candidate, weight=0.0, rounds=0), "none", "all", keep=True)

    def of_fold(self, candidate: Candidate, fold: int) -> Step:
        """A student that has not seen the careful labels of a fold: it learned the cheap ones and those of all others."""
        if candidate.weight == 0:
            return self.taught(candidate)
        return self._student(candidate, ("others", fold), ("fold", fold), keep=False)

    def kept(self, candidate: Candidate) -> Step:
        """A student that learned everything it may."""
        return self._student(candidate, "all", "none", keep=True) if candidate.weight else self.taught(candidate)

    def opinions(self, candidate: Candidate) -> list[Step]:
        """Students of which the i-th left part i of all rows out: of each row, one has learned neither text nor label."""
        learn: Careful = "all" if candidate.weight else "none"
        return [self._student(candidate, learn, "none", keep=False, leave=part) for part in range(PARTS)]

    def curve(
        self, learner: Learner, sizes: Sequence[int], strengths: Sequence[float | None]
    ) -> dict[int, list[list[Step]]]:
        """Students that learned some careful labels alone, by size, for each strength a step per repeat.

        A repeat's smaller sets are the beginnings of its larger ones.
        """
        orders = [careful_order_step(self.pool, self.seed, repeat) for repeat in range(learner.repeats)]
        careful = len(self.evidence.careful)
        found = {}
        for size in sizes:
            task, terms = self._task(learner, size, careful), Terms(rows=size, predict_on=("validation",))
            models = [fitted(learner, strength, size, keep=False) for strength in strengths]
            found[size] = [
                [training_step(task, model, "transfer", order, TRUTH, NAIVE, self.seed, terms) for order in orders]
                for model in models
            ]
        return found

    def _labels(self, candidate: Candidate, learn: Careful) -> Step:
        """The cheap labels, corrected as often as the candidate says by the careful ones that it may learn from."""
        labels, seen = self.labels, replace(candidate, weight=SEEN, method=NAIVE)
        for correction in range(candidate.rounds):
            # The first students learn the cheap labels as they are; the others what the round before made of them.
            used: Careful = "none" if correction == 0 else learn
            opinions = [
                self._student(seen, used, "none", keep=False, labels=labels, leave=part) for part in range(PARTS)
            ]
            labels = corrected_step(self.pool, self.labels, learn, self.seed, opinions)
        return labels

    def _student(
        self,
        candidate: Candidate,
        learn: Careful,
        judge: Careful,
        *,
        keep: bool,
        labels: Step | None = None,
        leave: int | None = None,
    ) -> Step:
        weight = None if candidate.weight in (0, 1) else candidate.weight
        labels = self._labels(candidate, learn) if labels is None else labels
        evidence = self.evidence
        chosen = self._weight_of_chosen(candidate)
        lesson = lesson_step(self.pool, labels, learn, judge, self.seed, weight, leave, None if chosen == 1 else chosen)
        learned = evidence.careful[:0] if learn == "none" else evidence.careful
        if not isinstance(learn, str):
            fold = folds(evidence.careful_groups, self.seed)[learn[1]]
            learned = np.delete(evidence.careful, fold)
        targets = evidence.targets(learned)
        method = candidate.method
        if labels is self.labels:  # what corrected ones are is known when they are learned
            weights = np.repeat([1.0, candidate.weight or 1.0], [len(evidence.taught), len(learned)])
            weights[: len(evidence.taught)][np.isin(evidence.taught, evidence.chosen)] = chosen
            method = method.for_task(np.average(targets, axis=0, weights=weights).tolist())
        judged = {"none": 0, "all": len(evidence.careful)}.get(str(judge), math.ceil(len(evidence.careful) / FOLDS))
        return student_step(
            self._task(candidate.learner, len(targets), judged),
            fitted(candidate.learner, candidate.l2, len(targets), keep=keep),
            method,
            lesson,
            lesson if len(learned) or len(evidence.chosen) else labels,
            self.seed,
            predict_on=("transfer", "validation") if keep else ("validation",),
        )

    def _weight_of_chosen(self, candidate: Candidate) -> float:
        """How many cheap labels a careful one counts as that was chosen and not drawn: as those that are learned from."""
        if not len(self.evidence.chosen):
            return 1.0
        return candidate.weight or (CORRECTED_WEIGHT if candidate.learner.cheap else 1.0)

    def _task(self, learner: Learner, learned: int, judged: int) -> TaskPlan:
        sizes = {"weak_train": 0, "transfer": learned, "validation": judged}
        return TaskPlan("teach", self.evidence.pool, self.pool, sizes, learner.locations)


def fitted(learner: Learner, l2: float | None, rows: int, *, keep: bool) -> ModelSpec:
    """The student with a strength of its own, trained for long enough, its weights left in the store where asked for."""
    options = learner.spec.options
    changes: dict[str, object] = {} if l2 is None else {"l2": l2}
    if "epochs" in type(options).model_fields:
        changes["keep"] = "students" if keep else None
        if "epochs" not in options.model_fields_set:
            changes["epochs"] = max(options.epochs, math.ceil(STEPS / math.ceil(rows / options.batch)))
    return replace(learner.spec, options=options.model_copy(update=changes))
