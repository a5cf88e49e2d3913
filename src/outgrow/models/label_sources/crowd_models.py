"""Joins that know how far a voter is to be trusted, and no more: Wawa, MACE and GLAD.

Wawa (worker agreement with aggregate, Appen 2021): the majority again, each vote weighed by how often its voter agrees with
the majority. MACE (Hovy, Berg-Kirkpatrick, Vaswani & Hovy 2013, *Learning whom to trust with MACE*, NAACL): a voter gives the
true class, or, with a probability of its own, answers by a habit that does not depend on it. GLAD (Whitehill, Ruvolo, Wu,
Bergsma & Movellan 2009, *Whose vote should count more*, NIPS): how often a voter is right depends on its ability and on how
easy the row is. Each starts from what all voters say alike, not by chance, and so gives the same result every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import digamma, expit, log_expit, logsumexp

from outgrow.core.examples import Floats
from outgrow.models.label_sources.dawid_skene import LEAST, TOLERANCE, Votes

Trust = Literal["wawa", "mace", "glad"]
MACE_ROUNDS, GLAD_ROUNDS = 50, 100  # of EM at most, as in the papers' programs
KNOWS, HABIT = 0.5, 10.0  # MACE's priors: Beta(.5, .5) of knowing, Dirichlet(10) of the habit
ASCENT = {"maxiter": 25}  # steps of conjugate gradients in one round of GLAD


def vote_sums(votes: Votes, weights: Floats, n: int, classes: int) -> Floats:
    """Weights `[v]` of votes, summed over each row and class, `[n, classes]`."""
    cells = np.bincount(votes.row * classes + votes.answer, weights, minlength=n * classes)
    return cells.reshape(n, classes).astype(np.float64)


def _of_voter(votes: Votes, values: Floats, voters: int) -> Floats:
    sums: Floats = np.bincount(votes.voter, values, minlength=voters).astype(np.float64)
    return sums


def wawa(votes: Votes, n: int, voters: int, classes: int) -> Floats:
    """How often each voter agrees with the majority, `[voters]`; of voters without a vote, how often all do.

    Where classes tie for the majority, agreement with each counts as its part of one.
    """
    counts = vote_sums(votes, np.ones(len(votes.row)), n, classes)
    most = counts == counts.max(axis=1, keepdims=True)
    agrees = (most / most.sum(axis=1, keepdims=True))[votes.row, votes.answer]
    given = np.bincount(votes.voter, minlength=voters)
    found: Floats = _of_voter(votes, agrees, voters) / np.maximum(given, 1)
    return np.where(given > 0, found, agrees.mean())


def mace(votes: Votes, n: int, voters: int, classes: int, *, rounds: int = MACE_ROUNDS) -> Floats:
    """How likely each voter says what, where the truth is which, `[voters, classes, answers]`, by variational EM.

    All classes are equally likely beforehand.
    """
    knows = np.full(voters, 0.5)
    habit = np.full((voters, classes), 0.5 / classes)  # times how often it is followed
    cell = votes.voter * classes + votes.answer
    said = np.arange(classes) == votes.answer[:, None]
    for _ in range(rounds):
        by_habit = habit[votes.voter, votes.answer]
        likely = np.maximum(by_habit[:, None] + knows[votes.voter, None] * said, LEAST)
        belief = by_votes(votes, np.log(likely), n)
        followed = by_habit * (belief[votes.row] / likely).sum(axis=1)  # [v] the share of a vote that is no knowledge
        tally = np.bincount(cell, followed, minlength=voters * classes).reshape(voters, classes)
        knew, guessed = _of_voter(votes, 1 - followed, voters), tally.sum(axis=1)
        both = digamma(knew + guessed + 2 * KNOWS)
        knows = np.exp(digamma(knew + KNOWS) - both)
        often = np.exp(digamma(guessed + KNOWS) - both)
        shares = np.exp(digamma(tally + HABIT) - digamma(guessed + HABIT * classes)[:, None])
        habit = often[:, None] * shares
    found: Floats = knows[:, None, None] * np.eye(classes) + habit[:, None, :]
    return found


@dataclass(frozen=True)
class Glad:
    """What GLAD found. A voter is right on a row with probability sigmoid(ability * exp(ease))."""

    ability: Floats  # [voters]
    ease: Floats  # [n]
    probabilities: Floats  # [n, classes]


def glad(
    votes: Votes,
    n: int,
    voters: int,
    classes: int,
    *,
    ability: Floats | None = None,
    rounds: int = GLAD_ROUNDS,
    tolerance: float = TOLERANCE,
) -> Glad:
    """EM; abilities and eases have normal priors around 1. ability: what is known of the voters already."""
    from scipy.optimize import minimize  # a fifth of a second, and the other two do without

    fixed = ability is not None
    point = np.ones(n if fixed else voters + n)

    def parts(at: Floats) -> tuple[Floats, Floats]:
        return (ability, at) if ability is not None else (at[:voters], at[voters:])

    def beliefs(at: Floats) -> Floats:
        able, ease = parts(at)
        sure = able[votes.voter] * np.exp(ease[votes.row])
        wrong = log_expit(-sure) - np.log(max(classes - 1, 1))
        said = np.arange(classes) == votes.answer[:, None]
        return by_votes(votes, np.where(said, log_expit(sure)[:, None], wrong[:, None]), n)

    def loss(at: Floats, right: Floats) -> tuple[float, Floats]:
        """Minus the expected log-likelihood with the priors, and its slope; right `[v]`: belief that a vote is right."""
        able, ease = parts(at)
        times = np.exp(ease[votes.row])
        sure = able[votes.voter] * times
        wrong = log_expit(-sure) - np.log(max(classes - 1, 1))
        value = float((right * log_expit(sure) + (1 - right) * wrong).sum() - ((at - 1) ** 2).sum() / 2)
        off = right - expit(sure)
        of_rows = np.bincount(votes.row, off * sure, minlength=n)
        slope = of_rows if fixed else np.concatenate([_of_voter(votes, off * times, voters), of_rows])
        return -value, -(slope - (at - 1))

    before, belief = np.inf, beliefs(point)
    for _ in range(rounds):
        right = belief[votes.row, votes.answer]
        found = minimize(loss, point, args=(right,), method="CG", jac=True, tol=1e-2, options=ASCENT)
        point, now = found.x, float(found.fun) / max(len(right), 1)
        if before - now < tolerance:
            break
        before, belief = now, beliefs(point)
    able, ease = parts(point)
    return Glad(able, ease, belief)


def by_votes(votes: Votes, logs: Floats, n: int) -> Floats:
    """Class probabilities of each row, `[n, classes]`, from log-likelihoods `[v, classes]` and equal priors."""
    sums = np.stack([np.bincount(votes.row, column, minlength=n) for column in logs.T], axis=1)
    found: Floats = np.exp(sums - logsumexp(sums, axis=1, keepdims=True))
    return found


def trusted(by: Trust, votes: Votes, fitted: Votes, n: int, voters: int, classes: int) -> tuple[Floats, Floats]:
    """Class probabilities `[n, classes]` by the trust that each voter earns with its `fitted` votes, and `[voters]` how
    often it is right, by GLAD on a row of usual ease. All votes name classes.
    """
    if by == "wawa":
        right = wawa(fitted, n, voters, classes)
        sums = vote_sums(votes, np.maximum(right, LEAST)[votes.voter], n, classes)
        return sums / np.maximum(sums.sum(axis=1, keepdims=True), LEAST), right
    if by == "mace":
        habits = mace(fitted, n, voters, classes)
        logs = np.log(np.maximum(habits[votes.voter, :, votes.answer], LEAST))
        return by_votes(votes, logs, n), np.einsum("vcc->v", habits) / habits.sum(axis=(1, 2))
    ability = glad(fitted, n, voters, classes).ability
    return glad(votes, n, voters, classes, ability=ability).probabilities, expit(ability * np.e)
