"""Joining several voters: against crowd-kit, against plain loops, and on cases whose answer is known."""

import math

import numpy as np
import pytest

from outgrow.core.errors import OutgrowError
from outgrow.models.label_sources.dawid_skene import LEAST, column_votes, dawid_skene, join_columns


def crowd(n: int, skills: list[float], classes: int, seed: int, silent: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """True classes `[n]` and answers `[n, voters]`: right with a voter's skill, else any class; -1 where silent."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(classes, size=n)
    guesses = generator.integers(classes, size=(n, len(skills)))
    answers = np.where(generator.random((n, len(skills))) < skills, truth[:, None], guesses)
    return truth, np.where(generator.random(answers.shape) < silent, -1, answers)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # crowd-kit's, of pandas 3
@pytest.mark.parametrize(("classes", "seed", "rounds"), [(2, 0, 1), (2, 0, 30), (3, 1, 30), (5, 2, 30)])
def test_equals_crowd_kit(classes: int, seed: int, rounds: int) -> None:
    import pandas
    from crowdkit import aggregation

    _, answers = crowd(150, [0.9, 0.7, 0.6, 0.4, 0.2, 0.0], classes, seed)
    answers = answers[(answers >= 0).any(axis=1)]  # crowd-kit knows no task without a vote
    row, voter = np.nonzero(answers >= 0)
    votes = pandas.DataFrame({"task": row, "worker": voter, "label": answers[row, voter]})
    theirs = aggregation.DawidSkene(n_iter=rounds, tol=-np.inf).fit(votes)
    said = answers[row, voter]
    ours = dawid_skene(row, voter, said, *answers.shape, classes, rounds=rounds, tolerance=-np.inf)

    # Not its own end: its bound counts the prior once a vote and not once a task, and so may fall.
    assert ours.rounds == rounds
    np.testing.assert_allclose(ours.probabilities, theirs.probas_.sort_index().sort_index(axis=1), atol=1e-6)
    np.testing.assert_allclose(ours.priors, theirs.priors_.sort_index(), atol=1e-6)
    for who in range(answers.shape[1]):
        for said in range(classes):
            expected = theirs.errors_.loc[(who, said)].sort_index()
            np.testing.assert_allclose(ours.confusion[who, :, said], expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # crowd-kit's, of pandas 3
@pytest.mark.parametrize(("classes", "seed"), [(2, 0), (4, 1)])
def test_one_coin_equals_crowd_kit(classes: int, seed: int) -> None:
    import pandas
    from crowdkit import aggregation

    _, answers = crowd(150, [0.9, 0.7, 0.6, 0.4], classes, seed)
    answers = answers[(answers >= 0).any(axis=1)]
    row, voter = np.nonzero(answers >= 0)
    said = answers[row, voter]
    votes = pandas.DataFrame({"task": row, "worker": voter, "label": said})
    theirs = aggregation.OneCoinDawidSkene(n_iter=20, tol=-np.inf).fit(votes)
    ours = dawid_skene(row, voter, said, *answers.shape, classes, one_coin=True, rounds=20, tolerance=-np.inf)

    np.testing.assert_allclose(ours.probabilities, theirs.probas_.sort_index().sort_index(axis=1), atol=1e-6)
    right = ours.confusion[:, range(classes), range(classes)]
    np.testing.assert_allclose(
        right, np.repeat(theirs.skills_.sort_index().to_numpy()[:, None], classes, axis=1), atol=1e-6
    )


def plain(
    votes: list[tuple[int, int, int]], n: int, voters: int, classes: int, answers: int, rounds: int, pseudo: float = 0
) -> np.ndarray:
    """The same model in loops: majority, then M and E steps in turn. pseudo: votes that silence is no answer of."""
    belief = np.zeros((n, classes))
    for i, _, said in votes:
        if said < classes:
            belief[i, said] += 1
    named = belief.sum(axis=1) > 0
    belief[named] /= belief[named].sum(axis=1, keepdims=True)
    belief[~named] = belief[named].mean(axis=0)
    for _ in range(rounds):
        prior = belief[sorted({i for i, _, _ in votes})].mean(axis=0)
        table = np.full((voters, classes, answers), 0.0)
        for i, j, said in votes:
            table[j, :, said] += belief[i]
        if pseudo:
            of_all = table.sum(axis=0)
            table += pseudo * of_all / of_all.sum(axis=1, keepdims=True)
        table = np.maximum(table, LEAST)
        table /= table.sum(axis=2, keepdims=True)
        logs = np.tile(np.log(prior), (n, 1))
        for i, j, said in votes:
            logs[i] += np.log(table[j, :, said])
        belief = np.exp(logs - logs.max(axis=1, keepdims=True))
        belief /= belief.sum(axis=1, keepdims=True)
    return belief


def test_pseudo_votes_are_of_what_all_voters_do() -> None:
    _, answers = crowd(80, [0.9, 0.6, 0.5], 3, 2)
    row, voter = np.nonzero(answers >= 0)
    found = dawid_skene(row, voter, answers[row, voter], 80, 3, 3, pseudo=5, rounds=7, tolerance=-np.inf)
    votes = list(zip(row.tolist(), voter.tolist(), answers[row, voter].tolist(), strict=True))
    np.testing.assert_allclose(found.probabilities, plain(votes, 80, 3, 3, 3, 7, pseudo=5), atol=1e-9)


def test_a_voter_of_two_votes_is_not_taken_to_be_always_right_or_wrong() -> None:
    _, answers = crowd(400, [0.8, 0.7, 0.7, 0.7], 2, 9, silent=0.0)
    rare = np.full((400, 1), -1)
    rare[:2, 0] = 1 - answers[:2, 0]
    table = np.hstack([answers, rare])
    row, voter = np.nonzero(table >= 0)
    votes = row, voter, table[row, voter]
    held = dawid_skene(*votes, 400, 5, 2, pseudo=5).confusion[4]
    pooled = np.mean([dawid_skene(*votes, 400, 5, 2, pseudo=5).confusion[:4].mean(axis=0)[c, c] for c in (0, 1)])
    free = dawid_skene(*votes, 400, 5, 2).confusion[4]
    assert free[[0, 1], [0, 1]].min() < 0.01  # two votes, and sure of them
    assert abs(held[[0, 1], [0, 1]] - pooled).max() < 0.35


def test_a_rule_gets_no_pseudo_votes_of_a_class_that_it_never_names() -> None:
    _, answers = crowd(120, [0.8, 0.7, 0.6], 3, 5)
    answers[answers[:, 0] == 2, 0] = -1
    votes = column_votes(answers, 3)
    habits = dawid_skene(votes.row, votes.voter, votes.answer, 120, 3, 3, pseudo=5).confusion
    assert habits[0, :, 2].max() < 1e-6
    assert habits[1:, :, 3].max() < 1e-6  # the silence of the others is no answer
    np.testing.assert_allclose(habits.sum(axis=2), 1)


def test_silence_of_a_one_sided_voter_is_an_answer() -> None:
    _, answers = crowd(120, [0.8, 0.6, 0.5], 3, 5)
    answers[answers[:, 0] == 2, 0] = -1  # the first one never names the last class
    found = join_columns(answers, 3)

    votes = [(i, 0, 3 if said < 0 else said) for i, said in enumerate(answers[:, 0].tolist())]
    votes += [(i, j, int(answers[i, j])) for i, j in zip(*np.nonzero(answers >= 0), strict=True) if j > 0]
    expected = plain(votes, 120, 3, 3, 4, found.rounds)

    np.testing.assert_allclose(found.probabilities, expected, atol=1e-9)
    assert found.confusion.shape == (3, 3, 4)


def test_one_sided_rules_tell_something_only_by_their_silence() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(2, size=2000)
    fires = generator.random((2000, 4)) < np.where(truth[:, None] == [1, 1, 0, 0], 0.5, 0.1)
    answers = np.where(fires, [1, 1, 0, 0], -1)
    row, voter = np.nonzero(answers >= 0)

    plain_model = dawid_skene(row, voter, answers[row, voter], 2000, 4, 2)
    with_silence = join_columns(answers, 2)

    assert np.ptp(plain_model.probabilities) < 0.05  # hardly anything but the priors, for every row
    found = with_silence.probabilities.argmax(axis=1)
    # Bayes' own error with these habits: each rule's two outcomes, all 16 patterns.
    best = sum(
        max(math.prod((p if on else 1 - p) for p, on in zip(habits, pattern, strict=True)) for habits in HABITS) / 2
        for pattern in np.ndindex(2, 2, 2, 2)
    )
    assert (found == truth).mean() == pytest.approx(best, abs=0.03)


HABITS = ((0.5, 0.5, 0.1, 0.1), (0.1, 0.1, 0.5, 0.5))  # how often each rule fires, in the two classes


def test_a_good_voter_outvotes_two_bad_ones() -> None:
    truth, answers = crowd(3000, [0.95, 0.2, 0.2, 0.5, 0.5], 2, 7, silent=0.0)
    found = join_columns(answers, 2)
    majority = (answers.sum(axis=1) >= 3).astype(int)

    assert (found.probabilities.argmax(axis=1) == truth).mean() > (majority == truth).mean() + 0.05
    # A voter of skill s is right in s + (1 - s) / 2 of the cases.
    right = found.confusion[:, [0, 1], [0, 1]].mean(axis=1)
    assert right == pytest.approx([0.975, 0.6, 0.6, 0.75, 0.75], abs=0.03)


def test_renumbering_classes_renumbers_the_result() -> None:
    _, answers = crowd(100, [0.9, 0.6, 0.5, 0.4], 3, 3)
    turned = np.where(answers >= 0, (answers + 1) % 3, -1)
    np.testing.assert_allclose(
        np.roll(join_columns(answers, 3).probabilities, 1, axis=1), join_columns(turned, 3).probabilities, atol=1e-9
    )


def test_lines_about_the_same_text_are_votes_of_the_same_voter() -> None:
    _, answers = crowd(60, [0.9, 0.6, 0.5], 2, 4)
    twice = np.concatenate([answers, answers[:20]])
    place = np.concatenate([np.arange(60), np.arange(20)])
    found = join_columns(twice, 2, place)

    votes = [(int(place[i]), int(j), int(twice[i, j])) for i, j in zip(*np.nonzero(twice >= 0), strict=True)]
    np.testing.assert_allclose(found.probabilities, plain(votes, 60, 3, 2, 2, found.rounds), atol=1e-9)
    assert len(found.probabilities) == 60


def test_a_text_without_a_vote_gets_the_priors() -> None:
    _, answers = crowd(50, [0.9, 0.6, 0.5], 2, 6, silent=0.0)
    answers[7] = -1
    found = join_columns(answers, 2)
    np.testing.assert_allclose(found.probabilities[7], found.priors, atol=1e-3)


def test_the_bound_ends_em_and_never_falls() -> None:
    _, answers = crowd(100, [0.9, 0.6, 0.5], 3, 8)
    row, voter = np.nonzero(answers >= 0)
    votes = row, voter, answers[row, voter]
    # A round that raised nothing would end it: with no tolerance for less than nothing, it goes on for ever.
    assert dawid_skene(*votes, *answers.shape, 3, rounds=300, tolerance=-1e-12).rounds == 300
    assert dawid_skene(*votes, *answers.shape, 3).rounds < 100


def test_no_vote_at_all() -> None:
    with pytest.raises(OutgrowError, match="no vote names a class"):
        join_columns(np.full((3, 2), -1), 2)
