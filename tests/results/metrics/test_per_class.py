"""Recall, precision, F1 and confusions of each class: by hand, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from outgrow.results.metrics.per_class import by_class


def test_two_seeds_by_hand() -> None:
    truth = np.array([0, 0, 1, 1, 1])
    found = by_class([np.array([0, 1, 1, 1, 0]), np.array([0, 0, 0, 0, 0])], truth, 4)
    assert found.recall[:2] == pytest.approx([(1 / 2 + 1) / 2, (2 / 3 + 0) / 2])
    assert found.precision[:2] == pytest.approx([(1 / 2 + 2 / 5) / 2, 2 / 3])  # the second seed predicts no 1
    assert found.f1[:2] == pytest.approx([(2 / 4 + 4 / 7) / 2, (4 / 6 + 0) / 2])
    assert np.isnan([found.recall[2:], found.precision[2:], found.f1[2:]]).all()  # neither occur nor are predicted
    assert found.macro_f1 == pytest.approx(found.f1[:2].mean())
    assert found.confusion.tolist() == [[1.5, 0.5, 0, 0], [2, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("classes", [2, 5, 30])
def test_one_seed_is_scikit_learns(classes: int) -> None:
    random = np.random.default_rng(classes)
    truth = random.integers(0, classes - 1, 300)  # the last class is predicted and never true
    hard = np.where(random.random(300) < 0.6, truth, random.integers(0, classes, 300))
    names = np.arange(classes)
    found = by_class([hard], truth, classes)
    precision, recall, f1, _ = sk.precision_recall_fscore_support(truth, hard, labels=names, zero_division=np.nan)
    assert found.recall == pytest.approx(recall, nan_ok=True)
    assert found.precision == pytest.approx(precision, nan_ok=True)
    assert found.f1[:-1] == pytest.approx(f1[:-1], nan_ok=True)
    assert np.isnan(found.f1[-1])
    assert found.macro_f1 == pytest.approx(sk.f1_score(truth, hard, average="macro", labels=np.unique(truth)))
    assert found.confusion.tolist() == sk.confusion_matrix(truth, hard, labels=names).tolist()
