"""Methods against numpy, finite differences and hand-worked values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import linear_sum_assignment

from outgrow.core.errors import UsageError
from outgrow.core.identity import canonical_json
from outgrow.methods.compose import Composed, compose
from outgrow.methods.contract import Method
from outgrow.methods.labels import Harden
from outgrow.methods.losses import Confidence, Naive, hardened, offsets, threshold
from outgrow.methods.procedures import SelfTrain


def batch(n: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and soft weak labels in float64."""
    random = np.random.default_rng(seed)
    return torch.tensor(random.normal(size=(n, classes)) * 2), torch.tensor(random.dirichlet(np.ones(classes), size=n))


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    return (
        logits
        - logits.max(1, keepdims=True)
        - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True))
    )


def reference(logits: np.ndarray, weak: np.ndarray, a: float, hard: np.ndarray) -> np.ndarray:
    """SCIENCE's formula word by word: (1 - a) CE(w, p) + a CE(h, p)."""
    log_p = log_probabilities(logits)
    return -(1 - a) * (weak * log_p).sum(1) - a * (hard * log_p).sum(1)


def binary_hard(logits: np.ndarray, above: int) -> np.ndarray:
    """One-hot rows, class 1 for the `above` rows of highest p."""
    hard = np.tile([1.0, 0.0], (len(logits), 1))
    hard[np.argsort(logits[:, 0] - logits[:, 1])[:above]] = [0.0, 1.0]
    return hard


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_naive_is_cross_entropy(classes: int) -> None:
    logits, weak = batch(11, classes)
    losses = Naive().loss(logits, weak, progress=0.3)
    assert losses.shape == (11,)
    np.testing.assert_allclose(losses, reference(logits.numpy(), weak.numpy(), 0.0, weak.numpy()), rtol=1e-12)


def test_naive_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)]])  # p = 1/4, 3/4
    assert Naive().loss(logits, torch.tensor([[0.0, 1.0]]), 0.0).item() == pytest.approx(math.log(4 / 3))
    expected = -0.5 * math.log(1 / 4) - 0.5 * math.log(3 / 4)
    assert Naive().loss(logits, torch.tensor([[0.5, 0.5]]), 0.0).item() == pytest.approx(expected)


@pytest.mark.parametrize(("progress", "a"), [(0.0, 0.0), (0.1, 0.2), (0.2, 0.4), (0.20001, 0.4), (1.0, 0.4)])
def test_confidence_rises_over_the_warm_up(progress: float, a: float) -> None:
    logits, weak = batch(10, 2)
    method = Confidence(alpha=0.4, warmup=0.2)
    assert method.weight(progress) == pytest.approx(a, abs=1e-12)
    expected = reference(logits.numpy(), weak.numpy(), a, binary_hard(logits.numpy(), 5))
    np.testing.assert_allclose(method.loss(logits, weak, progress), expected, rtol=1e-12)


def test_no_warm_up_starts_at_once() -> None:
    assert Confidence(alpha=0.75, warmup=0).weight(0.0) == 0.75
    assert Confidence(alpha=0.75, warmup=1).weight(0.5) == 0.375


@pytest.mark.parametrize("classes", [3, 5])
def test_confidence_of_many_classes_takes_the_likeliest(classes: int) -> None:
    logits, weak = batch(9, classes)
    hard = np.eye(classes)[logits.numpy().argmax(1)]
    method = Confidence(alpha=0.6)
    assert method.statistic(logits) is None
    np.testing.assert_allclose(
        method.loss(logits, weak, 1.0), reference(logits.numpy(), weak.numpy(), 0.6, hard), rtol=1e-12
    )


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_weight_zero_is_naive_to_the_bit(classes: int, dtype: torch.dtype) -> None:
    logits, weak = (tensor.to(dtype) for tensor in batch(33, classes))
    results = []
    for method in (Naive(), Confidence(alpha=0)):
        leaf = logits.clone().requires_grad_()
        losses = method.loss(leaf, weak, 1.0)
        losses.sum().backward()
        results.append((losses.detach(), leaf.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("method", [Naive(), Confidence(alpha=0.7)], ids=["naive", "confidence"])
def test_gradient_is_the_finite_difference_with_h_held_fixed(classes: int, method: Method) -> None:
    logits, weak = batch(6, classes, seed=3)
    leaf = logits.clone().requires_grad_()
    method.loss(leaf, weak, 1.0).sum().backward()
    values, labels = logits.numpy(), weak.numpy()
    hard = binary_hard(values, 3) if classes == 2 else np.eye(classes)[values.argmax(1)]
    a = method.alpha if isinstance(method, Confidence) else 0.0
    step = 1e-6
    for row in range(6):
        for column in range(classes):
            up, down = values.copy(), values.copy()
            up[row, column] += step
            down[row, column] -= step
            difference = (reference(up, labels, a, hard).sum() - reference(down, labels, a, hard).sum()) / (2 * step)
            assert leaf.grad is not None
            assert leaf.grad[row, column].item() == pytest.approx(difference, abs=1e-7)


def above(scores: list[float], share: float) -> int:
    values = torch.tensor(scores)
    return int((values > threshold(values, share)).sum())


def test_threshold_hardens_by_the_prior() -> None:
    assert threshold(torch.tensor([4.0, 1.0, 3.0, 2.0]), 0.5).item() == 2.5
    assert threshold(torch.tensor([5.0, 1.0, 3.0]), 0.5).item() == 4.0  # the median itself is not above
    assert [above([1.0, 2.0, 3.0, 4.0, 5.0], share) for share in (0, 0.2, 0.29, 0.31, 0.5, 0.8, 1)] == [
        0,
        1,
        1,
        2,
        2,
        4,
        5,
    ]
    assert [above([1.0], share) for share in (0, 0.5, 0.6, 1)] == [0, 0, 1, 1]
    for n in range(1, 30):
        assert above(np.random.default_rng(n).normal(size=n).tolist(), 0.5) == n // 2


@given(
    st.lists(st.lists(st.integers(-3, 3).map(float), min_size=7, max_size=7), min_size=1, max_size=5),
    st.lists(st.floats(0, 1), min_size=5, max_size=5),
)
def test_batches_with_a_share_each_have_the_thresholds_of_their_own(
    rows: list[list[float]], shares: list[float]
) -> None:
    scores = torch.tensor(rows)
    found = threshold(scores, shares[: len(rows)])
    assert found.tolist() == [threshold(row, share).item() for row, share in zip(scores, shares, strict=False)]


def test_ties_at_the_threshold_go_to_the_nearer_count() -> None:
    assert above([0.0, 1.0, 1.0, 1.0, 2.0, 3.0], 0.5) == 2  # 2 or 5 can be had, 3 is wanted
    assert above([0.0, 1.0, 2.0, 2.0, 2.0, 3.0], 0.5) == 4  # 1 or 4
    assert above([2.0, 2.0, 2.0, 3.0], 0.75) == 4  # 1 or 4: equal scores at the bottom
    assert above([0.0, 2.0, 2.0, 2.0], 0.25) == 0  # 0 or 3: equal scores at the top
    assert above([1.0] * 4, 0.9) == 4
    next_to_one = float(np.nextafter(np.float32(1), np.float32(2)))
    assert above([1.0, next_to_one], 0.5) == 1  # no number lies between
    assert above([next_to_one, float(np.nextafter(np.float32(next_to_one), np.float32(2)))], 0.5) == 1


def test_prior_moves_the_threshold() -> None:
    logits, weak = batch(40, 2, seed=5)
    method = Confidence(alpha=1, warmup=0, prior=(0.75, 0.25))
    expected = reference(logits.numpy(), weak.numpy(), 1.0, binary_hard(logits.numpy(), 10))
    np.testing.assert_allclose(method.loss(logits, weak, 0.0), expected, rtol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("method", [Naive(), Confidence(alpha=0.8, prior="balanced")], ids=["naive", "confidence"])
def test_parts_of_a_batch_give_what_the_whole_gives(classes: int, method: Method) -> None:
    logits, weak = batch(13, classes, seed=7)
    whole = method.loss(logits, weak, 0.5)
    statistic = method.statistic(logits)
    parts = [method.loss(logits[rows], weak[rows], 0.5, statistic) for rows in torch.arange(13).split(1)]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-12, atol=0)


@pytest.mark.parametrize("method", [Naive(), Confidence(warmup=0)], ids=["naive", "confidence"])
def test_extreme_logits_and_hard_labels_stay_finite(method: Method) -> None:
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4], [0.0, 0.0]], requires_grad=True)
    losses = method.loss(logits, torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), 1.0)
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert losses[0].item() == 0.0
    assert losses[3].item() == pytest.approx(math.log(2))
    assert losses[1].item() == pytest.approx(2e4 if isinstance(method, Naive) else 1e4)


def test_saturated_probabilities_are_still_told_apart() -> None:
    logits = torch.tensor([[0.0, 200.0], [0.0, 300.0], [0.0, 400.0], [0.0, 500.0]])  # p is 1 to the bit in every row
    losses = Confidence(alpha=1, warmup=0).loss(logits, torch.full((4, 2), 0.5), 0.0)
    assert losses.tolist() == [200.0, 300.0, 0.0, 0.0]


def test_options_out_of_range_are_refused() -> None:
    for options in (
        {"alpha": 1.1},
        {"alpha": -0.1},
        {"alpha": math.nan},
        {"warmup": 2},
        {"prior": [0.5, 0.6]},
        {"prior": []},
    ):
        with pytest.raises(ValidationError):
            Confidence.model_validate(options)
    with pytest.raises(ValidationError, match="0 or more"):
        Confidence.model_validate({"prior": [1.5, -0.5]})
    with pytest.raises(ValidationError, match="Extra inputs"):
        Naive.model_validate({"alpha": 0.5})
    with pytest.raises(ValidationError, match="frozen"):
        Confidence().alpha = 0.1


def test_options_are_values() -> None:
    method = Confidence.model_validate({"alpha": 0.75, "prior": [0.3, 0.7]})
    assert method == Confidence(alpha=0.75, prior=(0.3, 0.7))
    assert hash(method) == hash(Confidence(alpha=0.75, prior=(0.3, 0.7)))
    assert canonical_json(method.model_dump()) == '{"alpha":0.75,"prior":[0.3,0.7],"warmup":0.2}'


@pytest.mark.parametrize("classes", [2, 3])
def test_a_prior_of_other_classes_is_named(classes: int) -> None:
    logits, weak = batch(4, classes)
    method = Confidence(prior=(0.25,) * 4)
    with pytest.raises(UsageError, match=f"has 4 shares and the task has {classes} classes"):
        method.loss(logits, weak, 1.0)


def test_compose_takes_at_most_one_of_each_part() -> None:
    assert compose([Confidence(alpha=0.75)]) == Composed(None, Confidence(alpha=0.75), None)
    assert compose([SelfTrain(), Harden(), Naive(hard=True)]) == Composed(Harden(), Naive(hard=True), SelfTrain())
    assert compose([Harden()]) == Composed(Harden(), Naive(), None)  # without a loss, naive
    assert Naive().parts == {"loss"}
    assert Method().parts == frozenset()
    with pytest.raises(UsageError) as caught:
        compose([Naive(), Confidence(), Harden(), Harden()])
    assert [problem.partition(",")[0] for problem in caught.value.problems] == [
        "harden and harden each bring labels of their own",
        "naive and confidence each bring a loss of their own",
    ]
    with pytest.raises(UsageError, match="method supplies neither labels, a loss nor a procedure"):
        compose([Method()])
    with pytest.raises(NotImplementedError, match="Method supplies no loss"):
        Method().loss(*batch(2, 2), 0.0)


def test_more_than_two_classes_are_hardened_by_the_prior() -> None:
    """200 rows that all lean to class 0: the likeliest class is one class, the assignment has the prior's shares."""
    random = np.random.default_rng(0)
    prior = (0.5, 0.3, 0.2)
    logits = torch.tensor(random.normal(size=(200, 3)) + np.array([5.0, 0.0, 0.0]))
    found = offsets(logits, prior)
    # The optimal assignment is found by a linear programme: 100, 60 and 40 rows, the largest sum of logits.
    seats = np.repeat(np.arange(3), [100, 60, 40])
    _, chosen = linear_sum_assignment(-logits.numpy()[:, seats])
    hard = hardened(logits, found).argmax(dim=-1).numpy()
    assert (hard == seats[chosen]).mean() > 0.95
    assert np.abs(np.bincount(hard, minlength=3) / 200 - prior).max() < 0.03
    method = Confidence(alpha=1, warmup=0).for_task(prior)
    expected = -torch.log_softmax(logits, dim=-1)[torch.arange(200), torch.tensor(hard)]
    torch.testing.assert_close(method.loss(logits, torch.full((200, 3), 1 / 3), 1.0), expected)
    assert Confidence(prior="balanced").for_task(prior).statistic(logits) is None  # the paper's: the likeliest


def test_a_prior_without_a_class_leaves_it_out() -> None:
    logits = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    assert 2 not in hardened(logits, offsets(logits, (0.5, 0.5, 0.0))).argmax(dim=-1).tolist()


def test_the_prior_of_the_labels_is_that_of_all_rows_that_are_learned_from() -> None:
    """Of two classes at 20 : 80 by the labels: a fifth of a batch is hardened to the first, whatever the batch's labels."""
    logits, _ = batch(40, 2, seed=5)
    weak = torch.full((40, 2), 0.5, dtype=logits.dtype)
    method = Confidence(alpha=1, warmup=0).for_task([0.2, 0.8])
    expected = reference(logits.numpy(), weak.numpy(), 1.0, binary_hard(logits.numpy(), 32))
    np.testing.assert_allclose(method.loss(logits, weak, 0.0), expected, rtol=1e-12)
