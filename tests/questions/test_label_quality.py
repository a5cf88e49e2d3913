"""Scores of labels by hand, and what they should find where the truth is known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from outgrow.questions.measures.copies import neighbourhood
from outgrow.questions.measures.label_quality import GivenBy, adjusted, quality, thresholds


def one_source(labels: np.ndarray) -> GivenBy:
    return GivenBy(np.arange(len(labels)), np.zeros(len(labels), dtype=np.int64), labels, -1)


def test_one_source_is_the_adjusted_margin_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    labels = np.array([0, 0, 1, 1])
    assert thresholds(p, labels).tolist() == pytest.approx([0.75, 0.55])
    moved = (p - [0.75, 0.55] + 0.75) / (p - [0.75, 0.55] + 0.75).sum(axis=1, keepdims=True)
    found = quality(p, one_source(labels))
    assert adjusted(p, np.array([0.75, 0.55])) == pytest.approx(moved)
    assert found.wrong == pytest.approx(1 - moved[np.arange(4), labels])
    assert found.instead.tolist() == [1, 1, 0, 0]


def test_a_class_that_is_given_too_often_is_doubted() -> None:
    """A third of class 1 is labelled 0: the student leans to 0, which hides these until thresholds differ by class."""
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 4000)
    labels = np.where((truth == 1) & (random.random(4000) < 0.35), 0, truth)
    sure = 1 / (1 + np.exp(-(1.5 * (2 * truth - 1) + 1.5 * random.standard_normal(4000) - 0.8)))
    found = quality(np.stack([1 - sure, sure], axis=1), one_source(labels))
    raw = np.where(labels == 1, 1 - sure, sure)
    wrong = labels != truth
    first = [wrong[np.argsort(-score)[:100]].mean() for score in (found.wrong, raw)]
    assert roc_auc_score(wrong, found.wrong) > roc_auc_score(wrong, raw) + 0.02
    assert first[0] > first[1]


def voted(careful: int = -1) -> tuple[np.ndarray, GivenBy, np.ndarray]:
    """Three sources of 1,500 texts, right on 95%, 75% and 60%, a weak student, and which labels are wrong."""
    random = np.random.default_rng(1)
    n = 1500
    truth = random.integers(0, 3, n)
    logits = 1.0 * np.eye(3)[truth] + random.standard_normal((n, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    parts = [
        np.where(random.random(n) < right, truth, (truth + random.integers(1, 3, n)) % 3) for right in (0.95, 0.75, 0.6)
    ]
    labels = np.concatenate(parts)
    given = GivenBy(np.tile(np.arange(n), 3), np.repeat([0, 1, 2], n), labels, careful)
    return p, given, labels != np.tile(truth, 3)


def test_other_sources_and_a_source_that_errs_more_count() -> None:
    p, given, wrong = voted()
    found = quality(p, given)
    assert found.accuracy.argmax() == 0
    assert found.accuracy.argmin() == 2
    apart = np.concatenate([quality(p, one_source(given.label[given.source == one])).wrong for one in range(3)])
    assert roc_auc_score(wrong, found.wrong) > roc_auc_score(wrong, apart) + 0.05


def test_careful_labels_are_believed_but_ranked_too() -> None:
    p, given, wrong = voted(careful=0)
    found = quality(p, given)
    cheap = given.source > 0
    assert roc_auc_score(wrong[cheap], found.wrong[cheap]) > 0.93
    assert roc_auc_score(wrong[~cheap], found.wrong[~cheap]) > 0.8
    assert found.wrong[~cheap].mean() < found.wrong[cheap].mean()


def test_pairs_that_are_alike_and_a_row_unlike_all_others() -> None:
    random = np.random.default_rng(0)
    values = np.zeros((301, 33))
    values[:300, :32] = np.tile(random.standard_normal((20, 32)), (15, 1)) + 0.5 * random.standard_normal((300, 32))
    values[7] = values[3] + 1e-4
    values[300, 32] = 50
    found = neighbourhood(values + 20)
    assert found.pairs.tolist() == [[3, 7]]
    assert 300 in found.unlike.tolist()
    assert found.cosine.argmin() == 300
    assert found.compared == 301
