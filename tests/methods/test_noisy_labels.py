"""Methods for labels some of which are simply wrong: against values worked by hand and the loss's two ends."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats
from outgrow.methods.contract import Rows
from outgrow.methods.losses import cross_entropy
from outgrow.methods.noisy_labels import ConfidentLearning, Gce, doubted


def test_gce_by_hand_and_at_its_ends() -> None:
    logits = torch.log(torch.tensor([[0.25, 0.75], [0.5, 0.5]], dtype=torch.float64))
    weak = torch.tensor([[1.0, 0.0], [0.2, 0.8]], dtype=torch.float64)
    # (1 - .25^.5) / .5 = 1, and (1 - .5^.5) / .5
    torch.testing.assert_close(Gce(q=0.5).loss(logits, weak, 0.0), torch.tensor([1.0, 2 - 2**0.5], dtype=torch.float64))
    torch.testing.assert_close(Gce(q=1.0).loss(logits, weak, 0.0), torch.tensor([0.75, 0.5], dtype=torch.float64))
    torch.testing.assert_close(
        Gce(q=1e-6).loss(logits[:1], weak[:1], 0.0), cross_entropy(weak[:1], logits[:1]), rtol=1e-5, atol=1e-5
    )


def test_gce_stays_finite_where_the_student_is_certain_and_wrong() -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    found = Gce().loss(logits, torch.tensor([[0.0, 1.0]]), 0.0)
    (slope,) = torch.autograd.grad(found.sum(), logits)
    assert torch.isfinite(found).all()
    assert torch.isfinite(slope).all()


def test_a_label_is_doubted_where_another_class_reaches_its_own_mean() -> None:
    opinion = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9], [0.95, 0.05]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    # The bars are .9, .5, .2 -> 1.6/3 = .533 for class 0, and .6, .9, .05 -> .517 for class 1.
    assert doubted(opinion, labels).tolist() == [False, False, True, False, False, True]
    # Where no class reaches its bar, nothing is said against the label.
    assert not doubted(np.array([[0.5, 0.5], [0.9, 0.1], [0.1, 0.9]]), np.array([1, 0, 1]))[0]


def _two_clouds(wrong: float) -> tuple[Floats, Floats, np.ndarray]:
    random = np.random.default_rng(0)
    truth = np.arange(400) % 2
    features = random.standard_normal((400, 5)) + 2.5 * (2 * truth - 1)[:, None] * np.eye(5)[0]
    flipped = random.random(400) < wrong
    return features, np.eye(2)[np.where(flipped, 1 - truth, truth)], flipped


def test_confident_learning_leaves_out_the_flipped_labels() -> None:
    features, weak, flipped = _two_clouds(0.2)
    ids = np.array([hashlib.sha256(str(row).encode()).hexdigest()[:32] for row in range(400)])
    found = ConfidentLearning().labels(weak, Rows(ids, ids, 0, features))
    left_out = np.isnan(found).all(axis=1)
    assert (found[~left_out] == weak[~left_out]).all()
    assert left_out[flipped].mean() > 0.85
    assert left_out[~flipped].mean() < 0.1


def test_confident_learning_needs_a_text_for_each_fold() -> None:
    ids = np.array(["a", "b", "c"])
    with pytest.raises(OutgrowError, match="cannot be cut into 5 folds"):
        ConfidentLearning().labels(np.eye(2)[[0, 1, 0]], Rows(ids, ids, 0, np.eye(3)))
