"""Several supervisors' labels joined into one, in `run` and `teach` alike. A voter may be silent on a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints, Strings, harden
from outgrow.models.label_sources.dawid_skene import LEAST, DawidSkene, Votes, column_votes, dawid_skene, one_sided

Rule = Literal["mean", "majority", "dawid_skene", "pseudo_votes", "one_coin", "wawa", "mace", "glad", "safest"]
MODELS: Mapping[Rule, Mapping[str, Any]] = {  # what each rule asks of the model of Dawid & Skene
    "dawid_skene": {},
    "pseudo_votes": {"pseudo": 5.0},
    "one_coin": {"pseudo": 5.0, "one_coin": True},
}
FEWEST = 3  # voters for the Dawid-Skene model: with two that disagree nothing indicates which is right


@dataclass(frozen=True)
class Aggregated:
    """Labels `[n, classes]`, NaN where every voter is silent; what a model took each voter's accuracy to be."""

    probabilities: Floats
    accuracies: Sequence[float] = ()


def usual_rule(voters: int, *, hard: bool) -> Rule:
    """The rule where none is given: the safest for three or more voters that give class names (`hard`), else the mean."""
    return "safest" if hard and voters >= FEWEST else "mean"


def rules(voters: int, *, one_sided: bool) -> Sequence[Rule]:
    """The rules worth trying on class names by careful labels; the first is the safest where there are none.

    one_sided: a voter never names some class, as a rule does. Such rules are less independent than the model of Dawid &
    Skene takes them to be, and the majority is safer; for crowds it is pseudo-votes: benchmarks/science/joins.py. MACE takes
    what a rule always says for its habit, and gives all classes one half.
    """
    if voters < FEWEST:
        return ("mean",)
    if one_sided:
        return ("majority", "pseudo_votes", "one_coin", "wawa")
    return ("pseudo_votes", "majority", "one_coin", "mace")


def join(voters: Sequence[Floats], ids: Strings, fitted: Ints, by: Rule) -> Aggregated:
    """Join voters' probabilities `[n, classes]`. Raises OutgrowError where every voter is silent on all of `fitted`.

    fitted: the rows that Dawid-Skene learns each voter's habits from; all others are joined by these habits. Rows that a
    voter learned from would show it better than it is.
    """
    values: Floats = np.stack(voters)
    given: NDArray[np.bool_] = np.array([~np.isnan(one).any(axis=1) for one in voters])  # [voters, n]
    if not given[:, fitted].any():
        raise OutgrowError(f"join: none of the {len(voters)} supervisors labels any row of transfer")
    if by == "mean":
        return Aggregated(_mean(values, given))
    answers = np.stack(
        [np.where(there, harden(np.nan_to_num(p), ids), -1) for p, there in zip(voters, given, strict=True)], axis=1
    )
    return join_answers(answers, values.shape[2], by, fitted=fitted)


def join_answers(
    answers: Ints, classes: int, by: Rule, *, row: Ints | None = None, fitted: Ints | None = None
) -> Aggregated:
    """Join a table of class numbers `[m, voters]`, -1 where a voter is silent, to labels of n rows.

    row `[m]`: which row a line of the table is about; default: each its own. fitted: lines, as in `join`; default: all.
    """
    fitted = np.arange(len(answers)) if fitted is None else fitted
    silent = one_sided(answers[fitted], classes)
    if by == "safest":
        by = rules(answers.shape[1], one_sided=bool(silent.any()))[0]
    # An accuracy is of classes: a silence that names none cannot be right.
    silent &= by in MODELS and by != "one_coin"
    votes = column_votes(answers, classes, row, silent)
    n = len(answers) if row is None else int(row.max(initial=-1)) + 1
    of_fitted = column_votes(answers[fitted], classes, None if row is None else row[fitted], silent)
    if by not in MODELS:
        return join_votes(votes, n, answers.shape[1], classes, by, of_fitted)
    model = dawid_skene(
        of_fitted.row,
        of_fitted.voter,
        of_fitted.answer,
        len(fitted) if row is None else n,
        answers.shape[1],
        classes,
        **MODELS[by],
    )
    return _by_model(model, votes, n)


def join_votes(votes: Votes, n: int, voters: int, classes: int, by: Rule, fitted: Votes | None = None) -> Aggregated:
    """Join votes about n rows, each of one of `voters`, as of a crowd whose silence is chance.

    fitted: votes that Wawa, MACE and GLAD learn from how far each voter is to be trusted, in n rows at most; default: all.
    """
    if by == "safest":
        by = rules(voters, one_sided=False)[0]
    if by in MODELS:
        model = dawid_skene(votes.row, votes.voter, votes.answer, n, voters, classes, **MODELS[by])
        return _by_model(model, votes, n)
    counts = np.zeros((n, classes))
    np.add.at(counts, (votes.row, votes.answer), 1)
    if by == "wawa" or by == "mace" or by == "glad":
        from outgrow.models.label_sources.crowd_models import trusted

        found, right = trusted(by, votes, votes if fitted is None else fitted, n, voters, classes)
        found[counts.sum(axis=1) == 0] = np.nan
        return Aggregated(found, right.tolist())
    return Aggregated(shares(counts))


def shares(counts: Floats) -> Floats:
    """Counts `[n, classes]` of votes, or sums of probabilities, as probabilities; NaN where there is none."""
    with np.errstate(invalid="ignore"):
        found: Floats = counts / counts.sum(axis=1, keepdims=True)
    return found


def _mean(values: Floats, given: NDArray[np.bool_]) -> Floats:
    total = np.where(given[:, :, None], values, 0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean: Floats = total / given.sum(axis=0)[:, None]
    return mean


def _by_model(model: DawidSkene, votes: Votes, n: int) -> Aggregated:
    """What the habits make of the votes: p(c) times each voter's p(answer | c), normalised; NaN where none names a class."""
    classes = len(model.priors)
    logs = np.tile(np.log(np.maximum(model.priors, LEAST)), (n, 1))
    known = (
        votes.answer < model.confusion.shape[2]
    )  # a silence that never occurred where the habits were learned is none
    row, voter, answer = votes.row[known], votes.voter[known], votes.answer[known]
    np.add.at(logs, row, np.log(model.confusion[voter, :, answer]))
    belief: Floats = np.exp(logs - logs.max(axis=1, keepdims=True))
    belief /= belief.sum(axis=1, keepdims=True)
    belief[np.bincount(row[answer < classes], minlength=n) == 0] = np.nan
    right = np.einsum("vcc,c->v", model.confusion[:, :, :classes], model.priors)
    return Aggregated(belief, right.tolist())
