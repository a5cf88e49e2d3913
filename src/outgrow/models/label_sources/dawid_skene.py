"""Several people's (rules', models') labels joined into one, each weighed by how often it seems to be right.

Dawid & Skene 1979, *Maximum likelihood estimation of observer error-rates using the EM algorithm*, Applied Statistics
28(1). Voters are taken to err independently of one another, given the true class. A voter of few votes has habits that are
all but chance: pseudo-votes of what all voters together do hold them back. With one coin (the one-coin model of Zhang, Chen,
Zhou & Jordan 2014, arXiv 1406.3824) a voter has one accuracy, whatever the class, and errs to all other classes alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints

ROUNDS = 100  # of EM at most
# EM ends where a round raises the likelihood bound of a vote by less. Not later: voters are not as independent as the
# model takes them to be, and in the end a class may come to mean what one voter says (so with the rules named below).
TOLERANCE = 1e-5
LEAST = 1e-10  # no answer is ever impossible: keeps logarithms finite


@dataclass(frozen=True)
class DawidSkene:
    """What EM found: each row's class, and each voter's habits."""

    probabilities: Floats  # [n, classes]; rows without a vote get the priors
    priors: Floats  # [classes]
    confusion: Floats  # [voters, classes, answers]: how often a voter says what, where the truth is which
    rounds: int
    one_sided: NDArray[np.bool_] | None = None  # [voters] whose silence is an answer; None: nobody's


def join_columns(answers: Ints, classes: int, row: Ints | None = None) -> DawidSkene:
    """Join the columns of a table `[m, voters]` of class numbers, -1 where a voter is silent; see `column_votes`."""
    votes = column_votes(answers, classes, row)
    lines, voters = answers.shape
    n = lines if row is None else int(row.max(initial=-1)) + 1
    found = dawid_skene(votes.row, votes.voter, votes.answer, n, voters, classes)
    return replace(found, one_sided=one_sided(answers, classes))


@dataclass(frozen=True)
class Votes:
    """v labels: the row each is about, who gave it, and the class.

    An answer of `classes`, one more than the last class, is a silence that is informative.
    """

    row: Ints
    voter: Ints
    answer: Ints


def column_votes(
    answers: Ints, classes: int, row: Ints | None = None, silent: NDArray[np.bool_] | None = None
) -> Votes:
    """The votes in a table `[m, voters]` of class numbers, -1 where a voter is silent.

    row `[m]`: which of n texts a line of the table is about; default: each its own. Silence of a voter that never names
    some class, as a rule does, is an answer of its own: "praise or nothing" would be uninformative without it (four such
    rules on the demo's sentences: joined .83 right where one of them fires, and .50 with silence left out). Silence of
    the others is taken to be chance, as in a crowd. silent `[voters]`: whose silence is an answer; default: `one_sided`.
    """
    lines, voters = answers.shape
    silent = one_sided(answers, classes) if silent is None else silent
    voter, row = np.repeat(np.arange(voters), lines), np.tile(np.arange(lines) if row is None else row, voters)
    answer = answers.T.ravel()
    answer = np.where((answer < 0) & silent[voter], classes, answer)
    given = answer >= 0
    return Votes(row[given], voter[given], answer[given])


def one_sided(answers: Ints, classes: int) -> NDArray[np.bool_]:
    """Which voters of a table `[m, voters]` never name some class, `[voters]`."""
    return np.array([len(set(column[column >= 0].tolist())) < classes for column in answers.T], dtype=np.bool_)


def dawid_skene(
    row: Ints,
    voter: Ints,
    answer: Ints,
    n: int,
    voters: int,
    classes: int,
    *,
    pseudo: float = 0.0,
    one_coin: bool = False,
    rounds: int = ROUNDS,
    tolerance: float = TOLERANCE,
) -> DawidSkene:
    """EM from the majority vote, over v votes `row [v]`, `voter [v]`, `answer [v]`.

    Answers from `classes` on are not classes but may hint at one (such as silence). pseudo: how many votes of the voters'
    pooled habits each voter is given, a class; a voter whose silence is an answer gets none of answers that it never
    gives. one_coin: one accuracy a voter, of answers that are classes. Raises OutgrowError where no vote names a class.
    """
    answers = max(classes, int(answer.max(initial=0)) + 1)
    naming = answer < classes
    if not naming.any():
        raise OutgrowError("Dawid-Skene: no vote names a class")
    cell = voter * answers + answer
    counts = np.bincount(row[naming] * classes + answer[naming], minlength=n * classes).reshape(n, classes)
    named = counts.sum(axis=1) > 0
    belief = np.empty((n, classes))
    belief[named] = counts[named] / counts[named].sum(axis=1, keepdims=True)
    belief[~named] = belief[named].mean(axis=0)
    voted = np.bincount(row, minlength=n) > 0

    possible = _possible(voter, answer, voters, classes, answers)

    def habits() -> Floats:
        """M step: `[voters * answers, classes]`, each voter's answers summing to 1 given the class."""
        of_class = [np.bincount(cell, belief[row, c], voters * answers) for c in range(classes)]
        tally: Floats = np.stack(of_class, axis=1).astype(np.float64).reshape(voters, answers, classes)
        if one_coin:
            return _coins(tally, pseudo).reshape(voters * classes, classes)
        if pseudo:
            pooled = np.maximum(tally.sum(axis=0) * possible[:, :, None], LEAST)
            tally = tally + pseudo * pooled / pooled.sum(axis=1, keepdims=True)
        tally = np.maximum(tally, LEAST)
        shares: Floats = tally / tally.sum(axis=1, keepdims=True)
        return shares.reshape(voters * answers, classes)

    priors, conditional = belief[voted].mean(axis=0), habits()
    bound, done = -np.inf, 0
    while done < rounds:
        done += 1
        logs = np.log(np.maximum(priors, LEAST)) + _per_row(np.log(conditional)[cell], row, n)
        belief = np.exp(logs - logs.max(axis=1, keepdims=True))
        belief /= belief.sum(axis=1, keepdims=True)
        priors, conditional = belief[voted].mean(axis=0), habits()
        before, bound = bound, _bound(belief[voted], priors, belief[row], conditional[cell]) / len(row)
        if bound - before < tolerance:
            break
    return DawidSkene(belief, priors, conditional.reshape(voters, answers, classes).swapaxes(1, 2), done)


def _possible(voter: Ints, answer: Ints, voters: int, classes: int, answers: int) -> NDArray[np.bool_]:
    """`[voters, answers]`: every class; but where silence is an answer, what the voter ever answers."""
    gives = np.zeros((voters, answers), dtype=np.bool_)
    gives[voter, answer] = True
    tells = gives[:, classes:].any(axis=1, keepdims=True)
    found: NDArray[np.bool_] = np.where(tells, gives, np.arange(answers) < classes)
    return found


def _coins(tally: Floats, pseudo: float) -> Floats:
    """`[voters, answers, classes]` of voters with one accuracy each, from expected counts of the same shape."""
    classes = tally.shape[2]
    right, all_ = np.einsum("vcc->v", tally), tally.sum(axis=(1, 2))
    accuracy = (right + pseudo * right.sum() / all_.sum()) / np.maximum(all_ + pseudo, LEAST)
    accuracy = np.clip(accuracy, LEAST, 1 - LEAST)[:, None, None]
    found: Floats = np.where(np.eye(classes, dtype=np.bool_), accuracy, (1 - accuracy) / max(classes - 1, 1))
    return found


def _per_row(values: Floats, row: Ints, n: int) -> Floats:
    """Sums of `values [v, classes]` over the votes of each row, `[n, classes]`."""
    return np.stack([np.bincount(row, column, n) for column in values.T], axis=1)


def _bound(belief: Floats, priors: Floats, of_votes: Floats, conditional: Floats) -> float:
    """The evidence lower bound, which EM never lowers: expected log-likelihood plus the entropy of the beliefs."""
    likely = float((belief @ np.log(np.maximum(priors, LEAST))).sum() + (of_votes * np.log(conditional)).sum())
    return likely - float((belief * np.log(np.maximum(belief, LEAST))).sum())
