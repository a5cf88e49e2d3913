"""How much a student loses without one of its rules: a student of the other rules' labels is scored beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from outgrow.execution.step import Step
from outgrow.models.label_sources.aggregate import FEWEST, Rule
from outgrow.results.statistics.intervals import contrast
from outgrow.teaching.labels.joins import Join
from outgrow.teaching.options import Candidate
from outgrow.teaching.plan import TeachPlan
from outgrow.teaching.steps import cheap_labels_step

if TYPE_CHECKING:
    from outgrow.teaching.teach import Work

MOST = 12  # rules: a student each, a tenth of the trainings of the measurement


def without_rules(work: Work, choice: Candidate, columns: list[str]) -> tuple[dict[str, Any], ...]:
    """For each column the share of careful texts that a student of all columns' labels is right on beyond one of the others'.

    Both students learn cheap labels alone and no careful one, so every careful text scores them. Empty where students are
    dear, or columns many; a column without which fewer than two classes are named is left out.
    """
    careful, given = work.evidence.careful, work.data.given
    if not choice.learner.cheap or not len(careful) or not 1 < len(columns) <= MOST:
        return ()
    by: Rule = work.joins.best.by if len(columns) > FEWEST else "mean"
    steps: dict[str, Step] = {}
    for place, column in enumerate(columns):
        named = given.without(place).answers
        if len(set(named[named >= 0].tolist())) > 1:
            steps[column] = cheap_labels_step(work.plan.pool, by, without=place)
    folders = work.laboratory.made(list(steps.values()))
    students = {}
    for (column, step), folder in zip(steps.items(), folders, strict=True):
        evidence = Join.read(by, step, work.data, folder).evidence
        plan = TeachPlan(evidence, work.plan.pool, step, work.plan.seed)
        students[column] = plan.taught(choice)
    whole = work.plan.taught(choice)
    work.laboratory.made([whole, *students.values()])
    right = work.right(work.answers(whole, careful), careful)
    found = []
    for column, student in students.items():
        lost = contrast(np.stack([right, work.right(work.answers(student, careful), careful)])[:, None], [1, -1])
        found.append({"column": column, "estimate": lost.estimate, "low": lost.low, "high": lost.high})
    return tuple(found)
