"""Joins by Wawa, MACE and GLAD: against crowd-kit, and on cases whose answer is known."""

import numpy as np
import pandas
import pytest
from crowdkit import aggregation

from outgrow.models.label_sources.aggregate import Rule, join, join_answers
from outgrow.models.label_sources.crowd_models import by_votes, glad, mace, wawa
from outgrow.models.label_sources.dawid_skene import Votes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # crowd-kit's, of pandas 3


def crowd(classes: int, seed: int, n: int = 60) -> np.ndarray:
    """Answers `[n, voters]`, -1 where silent. The first row has all classes and voters in order, as crowd-kit's MACE needs."""
    random = np.random.default_rng(seed)
    truth = random.integers(classes, size=n)
    skills = [0.95, 0.8, 0.7, 0.6, 0.5, 0.3, 0.0]
    answers = np.where(random.random((n, 7)) < skills, truth[:, None], random.integers(classes, size=(n, 7)))
    answers[random.random(answers.shape) < 0.2] = -1
    answers[0] = [0, *range(classes), *[classes - 1] * (6 - classes)]
    return answers[(answers >= 0).any(axis=1)]


def votes_of(answers: np.ndarray) -> tuple[Votes, pandas.DataFrame]:
    row, voter = np.nonzero(answers >= 0)
    label = answers[row, voter]
    return Votes(row, voter, label), pandas.DataFrame({"task": row, "worker": voter, "label": label})


@pytest.mark.parametrize(("classes", "seed"), [(2, 0), (3, 1)])
def test_wawa_equals_crowd_kit(classes: int, seed: int) -> None:
    answers = crowd(classes, seed)
    counts = np.sort((answers[:, :, None] == np.arange(classes)).sum(axis=1), axis=1)
    answers = answers[counts[:, -1] > counts[:, -2]]  # it gives ties to the first class
    votes, table = votes_of(answers)
    theirs = aggregation.Wawa().fit(table)
    np.testing.assert_allclose(wawa(votes, *answers.shape, classes), theirs.skills_.sort_index())
    weighed = aggregation.MajorityVote().fit(table, skills=theirs.skills_)  # what its predict_proba does
    expected = weighed.probas_.sort_index().sort_index(axis=1)
    np.testing.assert_allclose(join_answers(answers, classes, "wawa").probabilities, expected, atol=1e-12)


class EvenMace(aggregation.MACE):
    """Started where ours starts and not by chance."""

    def _initialize(self, n_workers: int, n_labels: int) -> None:
        super()._initialize(n_workers, n_labels)
        self.spamming_ = np.full((n_workers, 2), 0.5)
        self.thetas_ = np.full((n_workers, n_labels), 1 / n_labels)


@pytest.mark.parametrize(("classes", "seed"), [(2, 0), (3, 1)])
def test_mace_equals_crowd_kit(classes: int, seed: int) -> None:
    answers = crowd(classes, seed)
    votes, table = votes_of(answers)
    theirs = EvenMace(n_restarts=1, n_iter=30).fit(table)
    habits = mace(votes, *answers.shape, classes, rounds=30)
    expected = theirs.spamming_[:, :1] * theirs.thetas_
    np.testing.assert_allclose(habits[:, 0, 1], expected[:, 1], rtol=1e-9)
    np.testing.assert_allclose(habits[:, 0, 0] - habits[:, 1, 0], theirs.spamming_[:, 1], rtol=1e-9)
    found = by_votes(votes, np.log(habits[votes.voter, :, votes.answer]), len(answers))
    np.testing.assert_allclose(found, theirs.probas_.sort_index().sort_index(axis=1), atol=1e-9)


@pytest.mark.parametrize(("classes", "seed"), [(2, 0), (3, 1)])
def test_glad_equals_crowd_kit(classes: int, seed: int) -> None:
    answers = crowd(classes, seed)
    votes, table = votes_of(answers)
    theirs = aggregation.GLAD(n_iter=2, tol=-np.inf).fit(table)
    ours = glad(votes, *answers.shape, classes, rounds=2, tolerance=-np.inf)
    np.testing.assert_allclose(ours.ability, theirs.alphas_.sort_index(), atol=1e-5)
    np.testing.assert_allclose(ours.ease, theirs.betas_.sort_index(), atol=1e-5)
    before = glad(votes, *answers.shape, classes, rounds=1, tolerance=-np.inf)
    np.testing.assert_allclose(before.probabilities, theirs.probas_.sort_index().sort_index(axis=1), atol=1e-5)


@pytest.mark.parametrize("by", ["wawa", "mace", "glad"])
def test_two_good_voters_outweigh_three_that_guess(by: Rule) -> None:
    random = np.random.default_rng(4)
    truth = random.integers(3, size=400)
    good = np.where(random.random((400, 4)) < 0.9, truth[:, None], random.integers(3, size=(400, 4)))
    answers = np.hstack([good, random.integers(3, size=(400, 4))])
    answers[:10, 2:4] = -1
    answers[:10] = np.where(
        np.arange(8) < 2, truth[:10, None], np.where(np.arange(8) < 4, -1, (truth[:10, None] + 1) % 3)
    )
    answers[10, :] = -1
    found = join_answers(answers, 3, by)
    assert np.isnan(found.probabilities[10]).all()
    assert (found.probabilities.argmax(axis=1) == truth)[11:].mean() > 0.93
    if by != "wawa":  # agreement with the majority of many that guess is no small weight
        assert (found.probabilities.argmax(axis=1) == truth)[:10].all()
    assert min(found.accuracies[:4]) > max(found.accuracies[4:]) + 0.2


@pytest.mark.parametrize("by", ["wawa", "mace", "glad"])
def test_trust_is_learned_from_the_fitted_rows_alone(by: Rule) -> None:
    answers = crowd(3, 5)
    voters = [np.where(one[:, None] < 0, np.nan, np.eye(3)[one]) for one in answers.T]
    ids = np.array([f"{row:04x}" for row in range(len(answers))])
    found = join(voters, ids, np.arange(40), by)
    changed = [one.copy() for one in voters]
    changed[0][50:] = np.eye(3)[0]
    again = join(changed, ids, np.arange(40), by)
    assert found.accuracies == again.accuracies
    np.testing.assert_allclose(again.probabilities[:50], found.probabilities[:50], atol=0.02 if by == "glad" else 1e-12)
    assert not np.allclose(again.probabilities[50:], found.probabilities[50:], atol=0.02, equal_nan=True)
