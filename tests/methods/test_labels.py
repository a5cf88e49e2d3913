"""Methods that change labels, supervisors joined, supervisors simulated: against values worked by hand and other code."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsRegressor

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Strings
from outgrow.methods.contract import Rows
from outgrow.methods.labels import Balance, Filter, Harden, Relabel, logistic
from outgrow.methods.losses import Naive
from outgrow.models.heads.solver import Problem, Solver, predict, solve
from outgrow.models.label_sources.aggregate import join
from outgrow.models.label_sources.dawid_skene import join_columns
from outgrow.models.label_sources.options import Join, Simulate
from outgrow.models.label_sources.simulate import simulate


def ids(n: int) -> Strings:
    return np.array([hashlib.sha256(str(row).encode()).hexdigest()[:32] for row in range(n)])


def rows(n: int, features: Floats | None = None, groups: Strings | None = None, seed: int = 0) -> Rows:
    return Rows(ids(n), ids(n) if groups is None else groups, seed, features)


def soft(n: int, classes: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), n)


def test_harden_is_one_hot_and_breaks_ties_by_id() -> None:
    weak = np.array([[0.4, 0.6, 0.0], [0.2, 0.3, 0.5]])
    assert Harden().labels(weak, rows(2)).tolist() == [[0, 1, 0], [0, 0, 1]]
    tied = Harden().labels(np.full((400, 2), 0.5), rows(400))
    assert 150 < tied[:, 0].sum() < 250


@pytest.mark.parametrize(("classes", "prior"), [(2, "balanced"), (4, "balanced"), (3, (0.2, 0.5, 0.3))])
def test_balance_reaches_the_prior_by_one_factor_a_class(classes: int, prior: Any) -> None:
    weak = np.random.default_rng(1).dirichlet(np.arange(1.0, classes + 1), 200)
    found = Balance(prior=prior).labels(weak, rows(200))
    wanted = np.full(classes, 1 / classes) if prior == "balanced" else prior
    np.testing.assert_allclose(found.mean(axis=0), wanted, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    odds = (found / found[:, :1]) / (weak / weak[:, :1])  # the same for every row: r_c / r_0
    np.testing.assert_allclose(odds, np.broadcast_to(odds[0], odds.shape), rtol=1e-9)


def test_balance_says_where_it_cannot() -> None:
    with pytest.raises(OutgrowError, match="they are hard, or nearly so"):
        Balance().labels(np.eye(2)[[0, 0, 1]], rows(3))
    with pytest.raises(OutgrowError, match="has 3 shares and the task has 2 classes"):
        Balance(prior=(0.2, 0.5, 0.3)).labels(soft(5, 2), rows(5))


def test_filter_keeps_the_surest_of_each_class() -> None:
    weak = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.45, 0.55], [0.3, 0.7], [0.7, 0.3]])
    kept = ~np.isnan(Filter().labels(weak, rows(6))).any(axis=1)
    assert kept.tolist() == [True, False, True, False, True, False]  # 2 of 4 and 1 of 2
    found = Filter(keep=0.25).labels(weak, rows(6))
    assert np.flatnonzero(~np.isnan(found[:, 0])).tolist() == [0, 4]
    np.testing.assert_array_equal(found[[0, 4]], weak[[0, 4]])
    with pytest.raises(OutgrowError, match="all weak labels are equally sure"):
        Filter().labels(np.eye(2)[[0, 1, 1]], rows(3))


def clusters(n: int, classes: int, wrong: int) -> tuple[Floats, Floats, np.ndarray]:
    """Features in one heap a class, weak labels of which every `wrong`th is wrong, the truth."""
    truth = np.arange(n) % classes
    features = np.eye(classes, 6)[truth] + 0.1 * np.random.default_rng(3).normal(size=(n, 6))
    said = np.where(np.arange(n) % wrong == 0, (truth + 1) % classes, truth)
    return features.astype(np.float32), 0.9 * np.eye(classes)[said] + 0.1 / classes, truth


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("by", ["knn", "logistic"])
def test_features_that_know_better_correct_labels(by: Any, classes: int) -> None:
    features, weak, truth = clusters(240, classes, wrong=7)
    corrected = Relabel(by=by).labels(weak, rows(240, features))
    assert (corrected.argmax(1) == truth).all()
    assert (weak.argmax(1) != truth).sum() == 35
    kept = ~np.isnan(Filter(by=by).labels(weak, rows(240, features))).any(axis=1)
    np.testing.assert_array_equal(kept, weak.argmax(1) == truth)


def test_a_point_is_not_its_own_neighbour_nor_its_groups() -> None:
    # Points in pairs at one place: each pair has a label of its own, so who sees itself or its twin agrees with it.
    places = np.repeat(np.random.default_rng(0).normal(size=(40, 8)), 2, axis=0).astype(np.float32)
    weak = np.eye(2)[np.repeat(np.random.default_rng(1).integers(0, 2, 40), 2)]
    pairs = np.array([f"pair {row // 2}" for row in range(80)])
    alone = Relabel(k=1, folds=40).labels(weak, rows(80, places, pairs))
    assert (alone == weak).all(axis=1).mean() < 0.75
    twins = Relabel(k=1, folds=80).labels(weak, rows(80, places))
    assert (twins == weak).all(axis=1).all()  # without groups the twin at the same place answers


@pytest.mark.parametrize(("classes", "l2"), [(2, 0.06), (3, 0.03)])
def test_a_logistic_probe_is_a_head_of_known_l2(classes: int, l2: float) -> None:
    features = np.random.default_rng(5).normal(size=(90, 5)).astype(np.float32)
    weak = 0.8 * np.eye(classes)[features[:, :classes].argmax(axis=1)] + 0.2 / classes
    values = features * (8 / np.linalg.norm(features, axis=1, keepdims=True))
    problem = Problem(np.arange(90), weak.astype(np.float32), None, Naive(), l2, 0)
    (head,) = solve(features, [problem], Solver(steps=2000))
    probe = logistic(values, weak, values)
    np.testing.assert_allclose(predict(features, head, Solver()), probe, atol=2e-3)
    (twice,) = solve(features, [replace(problem, l2=2 * l2)], Solver(steps=2000))
    assert np.abs(predict(features, twice, Solver()) - probe).max() > 0.01


def test_probes_are_scikit_learns_of_the_other_folds() -> None:
    features, weak = np.random.default_rng(5).normal(size=(60, 5)).astype(np.float32), soft(60, 3, seed=6)
    values = features * (8 / np.linalg.norm(features, axis=1, keepdims=True))
    fold = np.random.default_rng(9).permutation(60)
    order = np.argsort(ids(60))  # groups are numbered by name
    of_row = np.empty(60, dtype=int)
    of_row[order] = fold % 4
    expected, logistic = np.empty((60, 3)), np.empty((60, 3))
    for number in range(4):
        held, others = of_row == number, of_row != number
        expected[held] = KNeighborsRegressor(6).fit(values[others], weak[others]).predict(values[held])
        x, y = np.repeat(values[others], 3, axis=0), np.tile(np.arange(3), others.sum())
        model = LogisticRegression(C=1 / (0.03 * others.sum()), max_iter=5000, tol=1e-8)
        logistic[held] = model.fit(x, y, sample_weight=weak[others].ravel()).predict_proba(values[held])
    found = Relabel(k=6, folds=4).labels(weak, rows(60, features, seed=9))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    found = Relabel(by="logistic", folds=4).labels(weak, rows(60, features, seed=9))
    np.testing.assert_allclose(found, logistic, atol=2e-3)


@pytest.mark.parametrize(
    ("method", "options", "sentence"),
    [
        (Filter, {"by": "knn", "keep": 0.5}, "`keep` goes with `by: confidence`"),
        (Filter, {"k": 5}, "confidence has no neighbours"),
        (Filter, {"by": "logistic", "k": 5}, "a logistic probe has no neighbours"),
        (Filter, {"keep": 0}, "greater than 0"),
        (Relabel, {"by": "logistic", "k": 5}, "a logistic probe has no neighbours"),
        (Relabel, {"folds": 1}, "greater than or equal to 2"),
        (Balance, {"prior": [0.5, 0.6]}, "the shares of the classes sum to 1"),
        (Balance, {"prior": [0.0, 1.0]}, "not a number above 0"),
        (Join, {"join": ["static:wordllama"]}, "one supervisor is nothing to join"),
        (Join, {"join": []}, "no supervisor is nothing to join"),
        (Join, {"join": "static:wordllama"}, "a join is a list of supervisors"),
        (Join, {"join": ["a", "b"], "by": "dawid_skene"}, "needs three supervisors or more"),
        (Simulate, {"accuracy": 1.5}, "less than or equal to 1"),
        (Simulate, {"accuracy": 0.8, "errors": "hard"}, "needs `by`"),
        (Simulate, {"accuracy": 0.8, "by": "static:wordllama"}, "ask no model"),
        (Simulate, {"accuracy": 0.8, "toward": "yes"}, "`toward` goes with biased errors"),
    ],
)
def test_options_that_mean_nothing_have_their_sentence(method: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        method.model_validate(options)


@pytest.mark.parametrize("method", [Filter(), Filter(by="logistic"), Relabel(), Relabel(by="logistic"), Balance()])
def test_options_as_a_key_has_them_are_options(method: Any) -> None:
    assert type(method)(**method.model_dump(mode="json")) == method


def test_joins_leave_silence_out() -> None:
    a = np.array([[0.8, 0.2], [0.4, 0.6], [np.nan, np.nan], [np.nan, np.nan]])
    b = np.array([[0.4, 0.6], [0.1, 0.9], [0.3, 0.7], [np.nan, np.nan]])
    c = np.array([[0.9, 0.1], [0.8, 0.2], [np.nan, np.nan], [np.nan, np.nan]])
    found = join([a, b, c], ids(4), np.arange(4), "mean").probabilities
    np.testing.assert_allclose(found, [[0.7, 0.3], [1.3 / 3, 1.7 / 3], [0.3, 0.7], [np.nan] * 2])
    found = join([a, b, c], ids(4), np.arange(4), "majority").probabilities
    np.testing.assert_allclose(found, [[2 / 3, 1 / 3], [1 / 3, 2 / 3], [0, 1], [np.nan] * 2])
    with pytest.raises(OutgrowError, match="none of the 3 supervisors labels any row"):
        join([a, b, c], ids(4), np.array([3]), "mean")


def crowd(n: int, classes: int, right: list[float], seed: int) -> tuple[list[Floats], np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, n)
    voters = []
    for share in right:
        mistakes = (truth + random.integers(1, classes, n)) % classes
        voters.append(np.eye(classes)[np.where(random.random(n) < share, truth, mistakes)])
    return voters, truth


@pytest.mark.parametrize("classes", [2, 4])
def test_dawid_skene_weighs_voters_by_habits_learned_on_transfer_alone(classes: int) -> None:
    voters, truth = crowd(3000, classes, [0.95, 0.7, 0.65, 0.68, 0.6], seed=2)
    transfer = np.arange(1500)
    found = join(voters, ids(3000), transfer, "dawid_skene")
    votes = np.stack([voter.argmax(1) for voter in voters], axis=1)
    fitted = join_columns(votes[transfer], classes)  # itself compared with crowd-kit in test_dawid_skene.py
    np.testing.assert_allclose(found.probabilities[transfer], fitted.probabilities, atol=0.05)  # one M step between
    np.testing.assert_allclose(found.accuracies, [0.95, 0.7, 0.65, 0.68, 0.6], atol=0.06)
    beyond = np.arange(1500, 3000)

    def accuracy(by: Any) -> float:
        return float((join(voters, ids(3000), transfer, by).probabilities.argmax(1) == truth)[beyond].mean())

    assert accuracy("dawid_skene") > accuracy("majority") + 0.02
    # What is not transfer teaches nothing: other votes there, the same habits.
    others = [np.concatenate([voter[:1500], voter[1500:][::-1]]) for voter in voters]
    assert join(others, ids(3000), transfer, "dawid_skene").accuracies == found.accuracies


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("errors", ["random", "hard", "biased", "longest", "shortest", "confident"])
def test_a_simulated_supervisor_reaches_its_accuracy_in_every_part(errors: Any, classes: int) -> None:
    random = np.random.default_rng(4)
    truth = random.integers(0, classes, 500)
    truth[490:] = -1
    lengths, opinion = random.integers(5, 200, 500), random.dirichlet(np.ones(classes), 500)
    parts = [np.arange(200), np.arange(200, 333), np.arange(333, 500)]
    judged = errors in ("hard", "confident")
    asked = Simulate(accuracy=0.8, errors=errors, by="known" if judged else None)
    names = ["no", "yes", "maybe"][:classes]
    said = simulate(truth, names, lengths, parts, asked, 7, opinion if judged else None)
    again = simulate(truth, names, lengths, parts, asked, 7, opinion if judged else None)
    np.testing.assert_array_equal(said, again)
    assert np.isnan(said[490:]).all()
    assert set(np.unique(said[:490])) == {0.0, 1.0}
    for part in parts:
        known = part[truth[part] >= 0]
        wrong = known[said[known].argmax(1) != truth[known]]
        assert len(wrong) == round(0.2 * len(known))
        right = np.setdiff1d(known, wrong)
        likely = opinion[np.arange(500), truth]
        match errors:
            case "longest":
                assert lengths[wrong].min() >= lengths[right].max()
            case "shortest":
                assert lengths[wrong].max() <= lengths[right].min()
            case "hard":
                assert likely[wrong].max() <= likely[right].min()
            case "confident":
                assert likely[wrong].min() >= likely[right].max()
            case "biased":
                assert (said[wrong].argmax(1) == 0).all()


def test_biased_errors_end_where_no_other_class_is_left() -> None:
    truth = np.array([0] * 6 + [1] * 4)
    asked = Simulate(accuracy=0.2, errors="biased", toward=1)
    assert asked.toward == "1"
    said = simulate(truth, ["0", "1"], np.ones(10, dtype=int), [np.arange(10)], asked, 0)
    assert said.argmax(1).tolist() == [1] * 10  # .4 right is the least there is
    with pytest.raises(OutgrowError, match=r"`toward: 2` is not a class of the task; there is 0, 1"):
        simulate(
            truth, ["0", "1"], np.ones(10, dtype=int), [np.arange(10)],
            Simulate(accuracy=0.5, errors="biased", toward=2), 0,
        )  # fmt: skip
