"""Metrics by hand, against scikit-learn, and how often their intervals hold the truth."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as sk

from outgrow.core.answers import Answers, within
from outgrow.core.errors import OutgrowError
from outgrow.core.registry import BUILT_IN
from outgrow.results.metrics.scores import ACCURACY, BINS, metric_named, score
from outgrow.results.predictions import HeldOut
from outgrow.results.statistics.crossed import crossed
from outgrow.results.statistics.intervals import contrast
from outgrow.results.statistics.recovery import NOT_BETTER, recovery

METRICS = {name: metric_named(name) for name in BUILT_IN["metrics"]}


def asked(values: Any, truth: Any, allowed: Any = None) -> tuple[Answers, HeldOut]:
    """Probabilities and the truth, as a metric gets them."""
    ids = np.array([f"{row:032x}" for row in range(len(truth))])
    rows = HeldOut(ids, (), truth, ids, tuple(str(c) for c in range(values.shape[1])), allowed=allowed)
    return Answers(ids, values, allowed), rows


def predictions(seed: int, n: int, classes: int, ties: bool = False) -> tuple[Any, Any, Any]:
    """Probabilities that know something of a truth of unequal classes."""
    random = np.random.default_rng(seed)
    truth = random.choice(classes, n, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    logits = random.normal(0, 1, (n, classes)) + 1.2 * np.eye(classes)[truth]
    values = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if ties:
        values = np.round(values, 1) + 1e-3
        values /= values.sum(axis=1, keepdims=True)
    values = values.astype(np.float32)
    return values, asked(values, truth)[0].hard, truth


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("ties", [False, True])
def test_every_metric_is_scikit_learns(classes: int, ties: bool) -> None:
    values, hard, truth = predictions(classes, 400, classes, ties)
    names = np.arange(classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # float32 rows sum to one only to 1e-7
        expected = {
            "accuracy": sk.accuracy_score(truth, hard),
            "balanced_accuracy": sk.balanced_accuracy_score(truth, hard),
            "macro_f1": sk.f1_score(truth, hard, average="macro", labels=np.unique(truth)),
            "auroc": sk.roc_auc_score(truth, values[:, 1])
            if classes == 2
            else np.mean([sk.roc_auc_score(truth == c, values[:, c]) for c in names]),
            "log_loss": sk.log_loss(truth, values.astype(np.float64), labels=names),
            "brier": sk.brier_score_loss(truth, values[:, 1])
            if classes == 2
            else sk.brier_score_loss(truth, values.astype(np.float64), labels=names),
        }
    for name, value in expected.items():
        assert score(METRICS[name], *asked(values, truth)) == pytest.approx(value, rel=1e-6), name


def test_macro_auroc_is_scikit_learns_own() -> None:
    values, _, truth = predictions(1, 300, 4)
    exact = values.astype(np.float64) / values.astype(np.float64).sum(axis=1, keepdims=True)
    expected = sk.roc_auc_score(truth, exact, multi_class="ovr", average="macro")
    assert score(METRICS["auroc"], *asked(exact, truth)) == pytest.approx(expected)


def test_calibration_error_against_bins_written_out() -> None:
    values, hard, truth = predictions(2, 30 * BINS, 3)
    confidence, right = values.max(axis=1).astype(float), hard == truth
    parts = np.argsort(confidence).reshape(BINS, 30)
    expected = np.mean([abs(confidence[part].mean() - right[part].mean()) for part in parts])
    assert score(METRICS["ece"], *asked(values, truth)) == pytest.approx(expected)


def two(*second: float) -> NDArray[np.float64]:
    return np.column_stack([1 - np.array(second), second])


def test_by_hand() -> None:
    values, truth = two(0.9, 0.6, 0.6, 0.2), np.array([1, 0, 1, 0])

    def value(name: str) -> float:
        return score(METRICS[name], *asked(values, truth))

    assert value("accuracy") == 0.75
    assert value("balanced_accuracy") == pytest.approx((0.5 + 1) / 2)
    assert value("auroc") == pytest.approx((1 + 1 + 0.5 + 1) / 4)  # four pairs, one a tie
    assert value("log_loss") == pytest.approx(-np.log([0.9, 0.4, 0.6, 0.8]).mean())
    assert value("brier") == pytest.approx((0.01 + 0.36 + 0.16 + 0.04) / 4)
    # Confidences .9, .6, .6, .8: the equal ones are one bin, one right of two; the others alone: .1, .2.
    assert value("ece") == pytest.approx((0.1 + 0.2 + 2 * abs(0.6 - 0.5)) / 4)


def test_equal_confidences_are_one_bin_whatever_the_order() -> None:
    truth = np.arange(200) % 2
    values = two(*[0.7] * 200)
    for order in (np.arange(200), np.argsort(truth, kind="stable")):
        assert score(METRICS["ece"], *asked(values[order], truth[order])) == pytest.approx(0.2)


def test_sure_and_wrong_is_a_large_loss_and_no_infinity() -> None:
    assert score(METRICS["log_loss"], *asked(two(0.0), np.array([1]))) == pytest.approx(np.log(2**23))


def test_one_class_leaves_auroc_undefined() -> None:
    values, truth = two(0.2, 0.3), np.array([1, 1])
    assert METRICS["auroc"].undefined(asked(values, truth)[1]) == "undefined: the test rows have one class"
    assert METRICS["accuracy"].undefined(asked(values, truth)[1]) is None
    with pytest.raises(OutgrowError, match="two classes"):
        METRICS["auroc"].contributions(*asked(values, truth))


def test_a_class_that_does_not_occur_counts_for_nothing() -> None:
    values, _, truth = predictions(3, 200, 2)
    wide = np.column_stack([values, np.zeros(200)])
    assert score(METRICS["balanced_accuracy"], *asked(wide, truth)) == pytest.approx(
        score(METRICS["balanced_accuracy"], *asked(values, truth))
    )


@pytest.mark.parametrize("name", ["balanced_accuracy", "macro_f1", "auroc"])
@pytest.mark.parametrize("classes", [2, 4])
def test_influences_are_what_leaving_one_out_finds(name: str, classes: int) -> None:
    values, _, truth = predictions(4, 300, classes)
    metric, n = METRICS[name], 300
    found = metric.contributions(*asked(values, truth))
    keep = ~np.eye(n, dtype=bool)
    whole = found.mean()
    jackknife = np.array([n * whole - (n - 1) * score(metric, *asked(values[rows], truth[rows])) for rows in keep])
    assert np.corrcoef(found, jackknife)[0, 1] > 0.999
    assert found.var() == pytest.approx(jackknife.var(), rel=0.1)  # the smallest class has 30 rows


@pytest.mark.parametrize("name", ["log_loss", "brier", "ece"])
def test_where_less_is_better_pgr_has_its_sign_the_right_way_round(name: str) -> None:
    metric = METRICS[name]
    found = recovery([0.4, 0.42], [0.3, 0.32], [0.2, 0.22], metric=metric, level=0.5)
    assert found[f"weak_{name}"].estimate == pytest.approx(0.41)
    assert found[f"pgr_{name}"].estimate == pytest.approx(0.5)
    worse = recovery([0.2, 0.22], [0.3, 0.32], [0.4, 0.42], metric=metric, level=0.5)
    assert worse[f"pgr_{name}"].status == NOT_BETTER
    best = recovery([0.4, 0.42], [0.1, 0.12], [0.2, 0.22], metric=metric, level=0.5)
    assert best[f"pgr_{name}"].estimate == pytest.approx(1.5)


def test_losses_above_one_are_no_fault() -> None:
    found = recovery([2.4, 2.42], [1.3, 1.32], [0.2, 0.22], metric=METRICS["log_loss"])
    assert found["weak_log_loss"].high is not None
    assert found["weak_log_loss"].high > 2.4
    with pytest.raises(OutgrowError, match="missing or outside"):
        recovery([2.4, 2.42], [1.3, 1.32], [0.2, 0.22], metric=ACCURACY)


def simulated(random: np.random.Generator, n_seeds: int, n: int, classes: int) -> list[Any]:
    """Probabilities of one model for every seed on one test set: seed effects, difficulty, taste and chance."""
    truth = random.choice(classes, n, p=np.arange(2, classes + 2) / np.arange(2, classes + 2).sum())
    shared = random.normal(0, 0.8, (n, classes))
    tables = []
    for _ in range(n_seeds):
        skill = 1.3 + random.normal(0, 0.1)
        logits = skill * np.eye(classes)[truth] + shared + random.normal(0, 0.6, (n, classes))
        logits *= 1.8  # surer than it should be
        values = np.exp(logits - logits.max(axis=1, keepdims=True))
        values /= values.sum(axis=1, keepdims=True)
        tables.append(asked(values, truth))
    return tables


@pytest.mark.parametrize("n_seeds", [3, 5, 10])
@pytest.mark.parametrize("classes", [2, 3])
def test_intervals_hold_the_truth_as_often_as_they_say(n_seeds: int, classes: int) -> None:
    random = np.random.default_rng([n_seeds, classes])
    experiments, n = 200, 300
    found: dict[str, list[Any]] = {name: [] for name in METRICS}
    for _ in range(experiments):
        tables = simulated(random, n_seeds, n, classes)
        for name, metric in METRICS.items():
            scores = np.stack([metric.contributions(*table) for table in tables])[None]
            found[name].append(contrast(scores, [1.0], limits=metric.limits))
    for name, intervals in found.items():
        # The truth: the mean over many draws of seeds and of test sets of this size, known here to a tenth of a width.
        truth = np.mean([interval.estimate for interval in intervals])
        held = np.mean([interval.low <= truth <= interval.high for interval in intervals])
        assert 0.91 <= held <= 0.995, (name, held)


def test_rows_of_fewer_classes_are_scored_among_those_that_they_allow() -> None:
    """Classes beyond a row's own change no metric, and no row takes one of them."""
    values, _, truth = predictions(5, 300, 3)
    narrow = np.column_stack([values, np.zeros(300, np.float32)])
    allowed = np.ones((300, 4), dtype=bool)
    allowed[:, 3] = False
    for name, metric in METRICS.items():
        alone = metric.contributions(*asked(values, truth))
        assert metric.contributions(*asked(narrow, truth, allowed)) == pytest.approx(alone, abs=1e-6), name
    nothing = Answers(np.array(["a", "b"]), np.zeros((2, 3)), np.array([[False, True, False], [False, False, True]]))
    assert nothing.hard.tolist() == [1, 2]


def test_auroc_of_a_class_is_among_the_rows_that_allow_it() -> None:
    values, _, truth = predictions(6, 400, 3)
    allowed = np.ones((400, 3), dtype=bool)
    allowed[:150, 2] = False
    truth[:150] %= 2
    values = within(values, allowed)
    rest = values[150:]
    expected = np.mean([
        sk.roc_auc_score(truth == 0, values[:, 0]), sk.roc_auc_score(truth == 1, values[:, 1]),
        sk.roc_auc_score(truth[150:] == 2, rest[:, 2]),
    ])  # fmt: skip
    assert score(METRICS["auroc"], *asked(values, truth, allowed)) == pytest.approx(expected)


def test_brier_is_halved_where_a_row_has_two_classes() -> None:
    values = np.array([[0.7, 0.3, 0.0], [0.7, 0.2, 0.1]])
    allowed = np.array([[True, True, False], [True, True, True]])
    found = METRICS["brier"].contributions(*asked(values, np.array([0, 0]), allowed))
    assert found == pytest.approx([0.3**2, 0.3**2 + 0.2**2 + 0.1**2])


def test_rows_keep_to_the_classes_that_they_allow() -> None:
    allowed = np.array([[True, True, False], [False, True, True], [True, False, True], [True, True, True]])
    values = np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [np.nan] * 3, [0.2, 0.3, 0.5]])
    found = within(values, allowed)
    assert found[[0, 1, 3]] == pytest.approx(np.array([[0.625, 0.375, 0], [0, 0.5, 0.5], [0.2, 0.3, 0.5]]))
    assert np.isnan(found[2]).all()


@pytest.mark.parametrize(("name", "scale"), [("auroc", lambda p: np.log(p / (1 - p))), ("log_loss", np.log)])
def test_auroc_and_log_loss_are_symmetric_on_their_own_scale(name: str, scale: Any) -> None:
    random, metric = np.random.default_rng(1), metric_named(name)
    tables = [[metric.contributions(*table) for table in simulated(random, 5, 300, 2)]]
    found = contrast(tables, [1.0], limits=metric.limits)
    assert found.estimate is not None
    assert found.low is not None
    assert found.high is not None
    down, up = scale(found.estimate) - scale(found.low), scale(found.high) - scale(found.estimate)
    assert down == pytest.approx(up)
    # The delta method: the standard error there is that of the metric times the scale's slope; t of V's freedom, of which the
    # examples' part has 2 / (1 / carriers - 1 / N).
    spread = crossed(np.array(tables))
    deviations = np.array(tables)[0].mean(axis=0) - found.estimate
    carriers = (deviations**2).sum() ** 2 / (deviations**4).sum()
    a, b, r = (float(part[0, 0]) for part in (spread.seeds, spread.examples, spread.residual))
    v = max(a, b, a + b - r)
    freedom = v**2 / (a**2 / 4 + b**2 * (1 / carriers - 1 / 300) / 2)
    slope = 1 / (found.estimate * (1 - found.estimate)) if name == "auroc" else 1 / found.estimate
    assert up == pytest.approx(stats.t.ppf(0.975, freedom) * v**0.5 * slope)


def test_an_auroc_that_few_examples_decide_is_a_small_sample() -> None:
    score_of, truth = np.linspace(0, 1, 300), np.zeros(300, dtype=int)
    truth[-20:] = 1
    truth[[100, 290]] = 1, 0  # one positive far below: its component is most of the spread
    metric = metric_named("auroc")
    values = metric.contributions(*asked(np.column_stack([1 - score_of, score_of]), truth))
    assert contrast(values[None, None], [1.0], limits=metric.limits).small
