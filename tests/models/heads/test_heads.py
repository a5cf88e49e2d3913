"""Heads: bits independent of company, optimum as scikit-learn's, weights, hand-worked values."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from places import DATA
from sklearn.linear_model import LogisticRegression

from outgrow.core.errors import OutgrowError
from outgrow.methods.losses import Confidence, Entropy, Naive, Product, ReverseKl, Window
from outgrow.models.heads.joint_losses import joined_calls
from outgrow.models.heads.solver import Head, Problem, Solver, _solve_on_device, predict, predict_all, scale, solve

SHORT = Solver(steps=6)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def features(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def problems(n: int, classes: int, count: int) -> list[Problem]:
    """Problems that differ in everything two heads may differ in."""
    made = []
    for seed in range(count):
        random = np.random.default_rng([seed, 1])
        rows = random.permutation(n)[: random.integers(n // 3, n)]
        targets = random.dirichlet(np.ones(classes), size=len(rows)).astype(np.float32)
        weights = random.choice([0.0, 0.5, 1.0, 2.0], size=len(rows)) if seed % 4 == 1 else None
        method = [Naive(), Confidence(warmup=0), Naive(), Confidence(alpha=0.75)][seed % 4]
        made.append(Problem(rows, targets, weights, method, l2=0.01 * (1 + seed % 3), seed=seed))
    return made


def same(one: Head, other: Head) -> bool:
    return np.array_equal(one.weight, other.weight) and np.array_equal(one.bias, other.bias)


@pytest.mark.parametrize("threads_", [1, 2])
@pytest.mark.parametrize(("classes", "n", "d"), [(2, 157, 17), (2, 300, 384), (3, 97, 256), (4, 128, 33), (7, 61, 17)])
def test_bits_do_not_depend_on_company_or_place(classes: int, n: int, d: int, threads_: int) -> None:
    torch.set_num_threads(threads_)
    inputs, all_ = features(n, d), problems(n, classes, 64)
    together = solve(inputs, all_, SHORT)
    order = np.random.default_rng(2).permutation(64)
    permuted = solve(inputs, [all_[place] for place in order], SHORT)
    assert all(same(together[place], head) for place, head in zip(order, permuted, strict=True))
    backwards = solve(inputs, all_[::-1], SHORT)  # who was first is last
    assert all(same(head, other) for head, other in zip(together, backwards[::-1], strict=True))
    for place in (0, 1, 30, 63):
        assert same(together[place], solve(inputs, [all_[place]], SHORT)[0])
    assert all(
        same(head, other) for head, other in zip(together[20:25], solve(inputs, all_[20:25], SHORT), strict=True)
    )
    assert not same(together[0], together[2])


def test_bits_depend_neither_on_threads_nor_on_what_fits_in_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, all_ = features(100, 20), problems(100, 3, 12)
    together = solve(inputs, all_, SHORT)
    monkeypatch.setattr("outgrow.models.heads.products.CACHED", 100 * 32 * 2)  # about three heads in turn
    seen: list[tuple[int, int]] = []
    in_turn = solve(inputs, all_, SHORT, progress=lambda done, total: seen.append((done, total)))
    assert all(same(head, other) for head, other in zip(together, in_turn, strict=True))
    assert [done for done, _ in seen] == list(range(1, seen[0][1] + 1))
    assert seen[0][1] >= 3 * SHORT.steps
    torch.set_num_threads(3)
    assert all(same(head, other) for head, other in zip(together, solve(inputs, all_, SHORT), strict=True))
    assert torch.get_num_threads() == 3


def test_the_products_of_a_gpu_agree_with_those_of_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, all_ = features(100, 20), problems(100, 3, 12)
    monkeypatch.setattr("outgrow.models.heads.solver.SCORES", 100 * 3 * 5)  # 4 heads a pass
    seen: list[tuple[int, int]] = []
    joined = _solve_on_device(inputs, all_, SHORT, "cpu", lambda done, total: seen.append((done, total)))
    assert seen == [(step, 18) for step in range(1, 19)]
    for problem, head, own in zip(all_, joined, solve(inputs, all_, SHORT), strict=True):
        assert np.abs(head.weight - own.weight).max() < 1e-4
        alone = _solve_on_device(inputs, [problem], SHORT, "cpu", lambda done, total: None)[0]
        assert np.abs(head.weight - alone.weight).max() < 1e-6


@pytest.mark.parametrize(("classes", "n", "d"), [(2, 157, 17), (3, 97, 40)])
def test_bits_do_not_depend_on_company_for_any_loss(classes: int, n: int, d: int) -> None:
    methods = [Entropy(warmup=0), Product(warmup=0), Window(), ReverseKl(), Naive(hard=True), Confidence(warmup=0)]
    inputs, all_ = features(n, d), problems(n, classes, 12)
    all_ = [replace(problem, method=methods[place % len(methods)]) for place, problem in enumerate(all_)]
    for problem, head in zip(all_, solve(inputs, all_, SHORT), strict=True):
        assert same(head, solve(inputs, [problem], SHORT)[0])


def test_a_failure_in_one_thread_ends_all() -> None:
    class Broken(Naive):
        def loss(self, *_: Any) -> Any:
            raise ValueError("broken")

    torch.set_num_threads(2)
    inputs, (good, other, *_) = features(50, 8), problems(50, 2, 2)
    for order in ([good, replace(other, method=Broken())], [replace(good, method=Broken()), other]):
        with pytest.raises(ValueError, match="broken"):
            solve(inputs, order, SHORT)
    assert torch.get_num_threads() == 2


def test_equal_methods_of_many_heads_are_one_call() -> None:
    calls = []

    class Counted(Confidence):
        def loss(self, logits: Any, weak: Any, progress: float, statistic: Any = None) -> Any:
            calls.append((len(logits), statistic is not None))
            return super().loss(logits, weak, progress, statistic)

    inputs = features(40, 8)
    soft = np.random.default_rng(0).dirichlet([1, 1], 40).astype(np.float32)
    lessons = [
        Problem(np.arange(30 + place % 2), soft[: 30 + place % 2], None, Counted(), 0.01, place) for place in range(6)
    ]
    solve(inputs, lessons, SHORT)
    assert calls == [(192, True)] * SHORT.steps  # 3 of 30 rows and 3 of 31, filled up to a multiple of 16


@pytest.mark.parametrize("classes", [2, 3])
def test_heads_whose_priors_differ_are_one_call_with_the_bits_of_their_own(classes: int) -> None:
    """Labels' shares differ from seed to seed; one share is 0, and one is left to the paper's rule."""
    draw = np.random.default_rng(1)
    inputs, all_ = features(90, 8), problems(90, classes, 7)
    priors: list[Any] = ["balanced", (0.0, *[1 / (classes - 1)] * (classes - 1))]
    priors += [tuple(draw.dirichlet(np.full(classes, 5)).tolist()) for _ in range(5)]
    all_ = [
        replace(problem, method=Confidence(warmup=0, prior=prior)) for problem, prior in zip(all_, priors, strict=True)
    ]
    order, calls = joined_calls([(problem.method, len(problem.rows)) for problem in all_])
    assert [len(call.methods) for call in calls] == [7]
    assert list(calls[0].methods) == [all_[place].method for place in order]
    for problem, head in zip(all_, solve(inputs, all_, SHORT), strict=True):
        assert same(head, solve(inputs, [problem], SHORT)[0])


def test_the_same_again_gives_the_same_bits_and_another_seed_others() -> None:
    inputs, (problem, *_) = features(50, 8), problems(50, 2, 1)
    again = solve(inputs, [problem], SHORT)[0]
    assert same(solve(inputs, [problem], SHORT)[0], again)
    other = Problem(problem.rows, problem.targets, None, problem.method, problem.l2, seed=99)
    assert not same(solve(inputs, [other], SHORT)[0], again)


def converged(
    inputs: np.ndarray, labels: np.ndarray, rows: np.ndarray, l2: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Our probabilities and scikit-learn's, of all rows, learned from `rows`."""
    classes = int(labels.max()) + 1
    targets = np.eye(classes, dtype=np.float32)[labels[rows]]
    solver = Solver(steps=steps)
    head = solve(inputs, [Problem(rows, targets, None, Naive(), l2, seed=1)], solver)[0]
    strength = (2 if classes == 2 else 1) / (l2 * len(rows))
    scaled = 8 * inputs.astype(np.float64) / np.linalg.norm(inputs, axis=1, keepdims=True)
    reference = LogisticRegression(C=strength, max_iter=20_000, tol=1e-8).fit(scaled[rows], labels[rows])
    return predict(inputs, head, solver), reference.predict_proba(scaled)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("l2", [0.003, 0.03, 0.3])
def test_converges_to_logistic_regression(classes: int, l2: float) -> None:
    inputs = features(150, 12, seed=classes) + 0.5
    noisy = inputs[:, :classes] + np.random.default_rng(3).normal(size=(150, classes))
    labels = noisy.argmax(axis=1)
    ours, theirs = converged(inputs, labels, np.arange(100), l2, steps=3000)
    assert np.abs(ours - theirs).max() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sets", "label"), [(["yelp_sentences"], "label"), (["yelp_sentences", "imdb_sentences"], "four")]
)
def test_converges_to_logistic_regression_on_real_features(sets: list[str], label: str) -> None:
    wordllama = pytest.importorskip("wordllama")
    if not all((DATA / name).is_dir() for name in sets):
        pytest.skip("the sentences are not on this machine")
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    texts, labels = [], []
    for number, name in enumerate(sets):
        with gzip.open(DATA / name / "train.jsonl.gz", "rt", encoding="utf-8") as file:
            rows: list[dict[str, Any]] = [json.loads(line) for line in file]
        texts += [row["text"] for row in rows]
        labels += [int(row["label"]) + 2 * number for row in rows]
    assert max(labels) == (1 if label == "label" else 3)
    folder = Path(wordllama.__file__).parent
    table = next(iter(load_file(folder / "weights" / "l2_supercat_256.safetensors").values())).astype(np.float32)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    tokenizer.no_padding()
    inputs = np.stack([table[tokenizer.encode(text).ids].mean(axis=0) for text in texts])
    rows_ = np.random.default_rng(0).permutation(len(texts))[:600]
    ours, theirs = converged(inputs, np.array(labels), rows_, 0.03, steps=3000)
    assert np.abs(ours - theirs).max() < 1e-3


def test_first_step_by_hand() -> None:
    # Adam's first step is lr * sign(gradient), whatever its size. All rows are class 1: its column and bias rise by lr.
    inputs = np.array([[1.0], [3.0]], dtype=np.float32)
    start = Solver(steps=1, lr=0.0)
    problem = Problem(np.array([0, 1]), np.array([[0, 1], [0, 1]], dtype=np.float32), None, Naive(), l2=0.0, seed=0)
    before, after = solve(inputs, [problem], start)[0], solve(inputs, [problem], Solver(steps=1, lr=0.5))[0]
    np.testing.assert_allclose(after.weight - before.weight, [[-0.5, 0.5]], atol=1e-6)
    np.testing.assert_allclose(after.bias, [-0.5, 0.5], atol=1e-6)
    assert (before.weight != 0).all()
    assert np.abs(before.weight).max() < 0.05
    assert (before.bias == 0).all()


@pytest.mark.parametrize("method", [Naive(), Confidence(warmup=0)], ids=["naive", "confidence"])
def test_a_row_of_weight_zero_is_absent(method: Naive | Confidence) -> None:
    inputs, soft = features(40, 6), np.random.default_rng(1).dirichlet([1, 1], size=40).astype(np.float32)
    weights = np.where(np.arange(40) % 3 == 0, 0.0, 1.0)
    kept = np.flatnonzero(weights)
    weighted = solve(inputs, [Problem(np.arange(40), soft, weights, method, 0.01, 0)], Solver())[0]
    absent = solve(inputs, [Problem(kept, soft[kept], None, method, 0.01, 0)], Solver())[0]
    np.testing.assert_allclose(weighted.weight, absent.weight, atol=1e-6)
    np.testing.assert_allclose(weighted.bias, absent.bias, atol=1e-6)


def test_a_row_of_weight_two_is_two_rows() -> None:
    inputs, soft = features(30, 5), np.random.default_rng(1).dirichlet([1, 1, 1], size=30).astype(np.float32)
    twice = np.concatenate([inputs, inputs[:10]])
    repeated = Problem(np.arange(40), np.concatenate([soft, soft[:10]]), None, Naive(), 0.01, 0)
    weighted = Problem(np.arange(30), soft, np.where(np.arange(30) < 10, 2.0, 1.0), Naive(), 0.01, 0)
    one, other = solve(twice, [repeated, weighted], Solver())
    np.testing.assert_allclose(one.weight, other.weight, atol=1e-5)
    plain = solve(twice, [Problem(np.arange(30), soft, None, Naive(), 0.01, 0)], Solver())[0]
    assert np.abs(plain.weight - other.weight).max() > 1e-3


def test_l2_holds_the_weights_and_not_the_bias() -> None:
    inputs = features(60, 4)
    targets = np.tile(np.array([[0.9, 0.1]], dtype=np.float32), (60, 1))
    head = solve(inputs, [Problem(np.arange(60), targets, None, Naive(), 100.0, 0)], Solver(steps=3000))[0]
    assert np.abs(head.weight).max() < 1e-3
    assert head.bias[0] - head.bias[1] == pytest.approx(math.log(9), abs=1e-3)


def test_scale() -> None:
    scaled = scale(np.array([[3.0, 4.0], [0.0, 0.0], [-1e-3, 0.0]], dtype=np.float32), 8.0)
    np.testing.assert_allclose(scaled, [[4.8, 6.4], [0, 0], [-8, 0]], rtol=1e-6)


def test_predict_is_the_softmax_of_scaled_features() -> None:
    inputs = features(9000, 3)
    head = Head(features(3, 4, seed=1), features(1, 4, seed=2)[0])
    probabilities = predict(inputs, head, Solver(norm=2.0))
    scores = 2 * inputs / np.linalg.norm(inputs, axis=1, keepdims=True) @ head.weight + head.bias
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(probabilities, predict(inputs.copy(), head, Solver(norm=2.0)))
    assert predict(inputs[:0], head, Solver()).shape == (0, 4)
    others = predict_all(inputs, [Head(2 * head.weight, head.bias), head], Solver(norm=2.0))
    assert np.array_equal(probabilities, others[1])


def test_read_only_and_mapped_features_are_left_as_they_are(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", features(30, 5))
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    problem = problems(30, 2, 1)
    assert same(solve(mapped, problem, SHORT)[0], solve(features(30, 5), problem, SHORT)[0])


def test_a_problem_that_does_not_fit_is_named() -> None:
    inputs, soft = features(5, 3), np.full((2, 2), 0.5, dtype=np.float32)

    def fault(rows: list[int], targets: np.ndarray = soft, weights: np.ndarray | None = None) -> str:
        good = Problem(np.array([0, 1]), soft, None, Naive(), 0.0, 0)
        with pytest.raises(OutgrowError) as caught:
            solve(inputs, [good, Problem(np.array(rows), targets, weights, Naive(), 0.0, 0)], SHORT)
        return str(caught.value)

    assert "problem 1 has rows that are not distinct places among 5 features" in fault([0, 5])
    assert "not distinct" in fault([3, 3])
    assert "targets of shape [2, 3] for 2 rows" in fault([0, 1], np.ones((2, 3), np.float32))
    assert "targets of shape [0, 2] for 0 rows" in fault([], soft[:0])
    assert "targets that are not numbers" in fault([0, 1], soft * np.nan)
    assert "weights that are not 2 numbers" in fault([0, 1], soft, np.array([1.0, -1.0]))
    assert "sum above 0" in fault([0, 1], soft, np.zeros(2))
    with pytest.raises(OutgrowError, match="65 problems at once"):
        solve(inputs, problems(5, 2, 1) * 65, SHORT)
    assert solve(inputs, [], SHORT) == []


def test_a_head_that_ends_early_is_the_same_training_cut_there_whoever_goes_on() -> None:
    features, problems = two_stops()
    together = solve(features, problems, Solver(steps=20))
    for problem, head in zip(problems, together, strict=True):
        alone = solve(features, [problem], Solver(steps=20))[0]
        assert np.array_equal(alone.weight, head.weight)
        assert np.array_equal(alone.bias, head.bias)
    assert not np.array_equal(together[0].weight, together[1].weight)
    assert np.array_equal(together[2].weight, together[3].weight)  # .04 of 20 steps: at least one


def two_stops() -> tuple[np.ndarray, list[Problem]]:
    random = np.random.default_rng(1)
    features, targets = random.normal(size=(30, 4)).astype(np.float32), random.dirichlet(np.ones(3), 30)
    shares = (0.5, 1.0, 0.05, 0.01)
    return features, [Problem(np.arange(30), targets, None, Naive(), 0.03, 7, share) for share in shares]


def test_without_a_norm_a_head_is_linear_in_the_features_and_their_scale_does_not_matter() -> None:
    inputs, asked = features(80, 9) + 1, problems(80, 3, 4)
    for problem, head in zip(asked, solve(inputs, asked, Solver(norm=None)), strict=True):
        by_hand = torch.softmax(torch.tensor(inputs) @ torch.tensor(head.weight) + torch.tensor(head.bias), dim=1)
        assert np.allclose(predict(inputs, head, Solver(norm=None)), by_hand.numpy(), atol=1e-6)
        [other] = solve(inputs * np.float32(50), [problem], Solver(norm=None))
        assert np.allclose(other.weight * 50, head.weight, rtol=1e-3, atol=1e-4)
