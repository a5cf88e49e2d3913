"""The losses beside naive and confidence: numpy, finite differences, warm-up, identities, extremes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from outgrow.methods.contract import Method
from outgrow.methods.losses import Entropy, Naive, Product, ReverseKl, Window
from outgrow.models.heads.solver import Problem, Solver, solve

Formula = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # p, w, p held fixed -> losses [n]


def entropy(a: float) -> Formula:
    return lambda p, w, fixed: -(1 - a) * (w * np.log(p)).sum(1) - a * (p * np.log(p)).sum(1)


def product(a: float, b: float) -> Formula:
    def formula(p: np.ndarray, w: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        target = fixed**b * w**a
        return -(target / target.sum(1, keepdims=True) * np.log(p)).sum(1)

    return formula


def window(radius: float) -> Formula:
    return lambda p, w, fixed: np.where(fixed.max(1) < 0.5 + radius, -(w * np.log(p)).sum(1), 0)


def reverse_kl(s: float) -> Formula:
    return lambda p, w, fixed: (p * np.log(p / ((1 - s) * w + s / w.shape[1]))).sum(1)


CASES: list[tuple[Method, float, Formula]] = [
    # the method, the share of training done, the formula: a warm-up at its start, middle, end, and after it
    (Entropy(alpha=0.6, warmup=0.4), 0.0, entropy(0.0)),
    (Entropy(alpha=0.6, warmup=0.4), 0.2, entropy(0.3)),
    (Entropy(alpha=0.6, warmup=0.4), 0.4, entropy(0.6)),
    (Entropy(alpha=0.6, warmup=0.4), 1.0, entropy(0.6)),
    (Entropy(alpha=1, warmup=0), 0.0, entropy(1.0)),
    (Product(alpha=0.7, beta=2.0, warmup=0.4), 0.0, product(0.7, 0.0)),
    (Product(alpha=0.7, beta=2.0, warmup=0.4), 0.2, product(0.7, 1.0)),
    (Product(alpha=0.7, beta=2.0, warmup=0.4), 0.4, product(0.7, 2.0)),
    (Product(alpha=0.7, beta=2.0, warmup=0.4), 0.9, product(0.7, 2.0)),
    (Product(alpha=0, beta=1, warmup=0), 0.5, product(0.0, 1.0)),
    (Window(radius=0.2), 0.5, window(0.2)),
    (Window(radius=0.45), 0.5, window(0.45)),
    (ReverseKl(), 0.5, reverse_kl(0.01)),
    (ReverseKl(smoothing=0.3), 0.5, reverse_kl(0.3)),
]
METHODS = [Naive(hard=True), Entropy(), Product(), Window(), ReverseKl()]


def batch(n: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(seed)
    return torch.tensor(random.normal(size=(n, classes)) * 2), torch.tensor(random.dirichlet(np.ones(classes), size=n))


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    return exponents / exponents.sum(1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3, 9])
@pytest.mark.parametrize(("method", "progress", "formula"), CASES)
def test_the_formula_of_the_paper_and_its_gradient(
    method: Method, progress: float, formula: Formula, classes: int
) -> None:
    logits, weak = batch(12, classes, seed=classes)
    leaf = logits.clone().requires_grad_()
    losses = method.loss(leaf, weak, progress)
    losses.sum().backward()
    values, labels = logits.numpy(), weak.numpy()
    fixed = softmax(values)
    np.testing.assert_allclose(losses.detach(), formula(fixed, labels, fixed), rtol=1e-10, atol=1e-12)
    step = 1e-6
    for row, column in [(0, 0), (3, classes - 1), (7, 1), (11, 0)]:
        up, down = values.copy(), values.copy()
        up[row, column] += step
        down[row, column] -= step
        difference = (formula(softmax(up), labels, fixed) - formula(softmax(down), labels, fixed)).sum() / (2 * step)
        assert leaf.grad is not None
        assert leaf.grad[row, column].item() == pytest.approx(difference, abs=1e-7)


def test_hard_takes_the_likeliest_class_and_shares_a_tie() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)]] * 3)  # p = 1/4, 3/4
    weak = torch.tensor([[0.4, 0.6], [0.9, 0.1], [0.5, 0.5]])
    expected = [-math.log(3 / 4), -math.log(1 / 4), -0.5 * math.log(3 / 16)]
    torch.testing.assert_close(Naive(hard=True).loss(logits, weak, 0.0), torch.tensor(expected))


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(
    ("method", "progress"),
    [(Entropy(alpha=0), 1.0), (Entropy(), 0.0), (Product(beta=0), 1.0), (Product(), 0.0), (Window(radius=0.5), 0.7)],
)
def test_without_its_own_part_it_is_naive_to_the_bit(method: Method, progress: float, classes: int) -> None:
    logits, weak = (tensor.float() for tensor in batch(40, classes))
    assert torch.equal(method.loss(logits, weak, progress), Naive().loss(logits, weak, progress))


def test_other_identities() -> None:
    logits, weak = batch(20, 3)
    p = logits.softmax(-1)
    own_entropy = -(p * p.log()).sum(-1)
    # p alone as target: cross entropy of p with itself. Weak label p: no divergence.
    torch.testing.assert_close(Product(alpha=0, warmup=0).loss(logits, weak, 0.0), own_entropy)
    torch.testing.assert_close(Entropy(alpha=1, warmup=0).loss(logits, weak, 0.0), own_entropy)
    torch.testing.assert_close(ReverseKl(smoothing=1e-12).loss(logits, p, 0.0), torch.zeros(20, dtype=torch.float64))
    hard = torch.eye(3, dtype=torch.float64)[weak.argmax(-1)]
    torch.testing.assert_close(Naive(hard=True).loss(logits, weak, 0.0), Naive().loss(logits, hard, 0.0))
    # Of hard labels the product leaves nothing but the label, whatever the student thinks.
    torch.testing.assert_close(Product(beta=3, warmup=0).loss(logits, hard, 0.0), Naive().loss(logits, hard, 0.0))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extremes_stay_finite(method: Method, dtype: torch.dtype) -> None:
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4], [0.0, 0.0], [90.0, -90.0]], dtype=dtype)
    weak = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1e-38, 1.0]], dtype=dtype)
    leaf = logits.requires_grad_()
    losses = method.loss(leaf, weak, 1.0)
    losses.sum().backward()
    assert leaf.grad is not None
    assert torch.isfinite(losses).all()
    assert torch.isfinite(leaf.grad).all()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_rows_keep_to_themselves_and_heads_may_share_a_call(method: Method) -> None:
    logits, weak = batch(13, 3, seed=7)
    assert method.by_row
    parts = [method.loss(logits[rows], weak[rows], 0.5, None) for rows in torch.arange(13).split(2)]
    torch.testing.assert_close(torch.cat(parts), method.loss(logits, weak, 0.5), rtol=1e-12, atol=0)
    random = np.random.default_rng(1)
    features, targets = random.normal(size=(30, 4)).astype(np.float32), random.dirichlet(np.ones(3), 30)
    problems = [Problem(np.arange(30), targets, None, method, 0.03, seed) for seed in (1, 2)]
    together = solve(features, problems, Solver(steps=8))
    alone = [solve(features, [problem], Solver(steps=8))[0] for problem in problems]
    assert all(np.array_equal(a.weight, b.weight) for a, b in zip(together, alone, strict=True))


def test_only_a_hard_student_has_another_key() -> None:
    assert Naive().model_dump(mode="json") == {}
    assert Naive(hard=True).model_dump(mode="json") == {"hard": True}


@pytest.mark.parametrize(
    ("method", "options", "sentence"),
    [
        (Window, {"radius": 0}, "leaves no window"),
        (Window, {"radius": -1}, "leaves no window"),
        (Window, {"radius": 0.6}, "write naive"),
        (ReverseKl, {"smoothing": 0}, "greater than 0"),
        (Entropy, {"alpha": 1.5}, "less than or equal to 1"),
        (Product, {"beta": -1}, "greater than or equal to 0"),
        (Product, {"alpha": math.inf}, "finite"),
    ],
)
def test_options_out_of_range_are_refused(method: type[Method], options: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        method.model_validate(options)
