"""Rows that allow some classes only: no loss, label or model gives anything to a class that is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from outgrow import Experiment, RawTask, run
from outgrow.core.answers import OUT, within
from outgrow.core.registry import BUILT_IN, find
from outgrow.execution.step import Context, Job
from outgrow.experiment.steps.controls import shuffle
from outgrow.methods.contract import Method, Rows
from outgrow.models.heads.solver import Among, Problem, Solver, predict, solve
from outgrow.models.label_sources.options import Simulate
from outgrow.models.label_sources.simulate import simulate
from outgrow.results.metrics.controls import beyond_chance, chance
from outgrow.results.predictions import HeldOut, Predictions
from outgrow.tasks.pool import build_pool

N, CLASSES = 60, 4
MADE = {name: find("methods", name).load()() for name in BUILT_IN["methods"] if name not in ("bootstrap", "self_train")}
LOSSES = [name for name, made in MADE.items() if "loss" in made.parts]
LABELS = [name for name, made in MADE.items() if "labels" in made.parts]


def ragged(seed: int = 0) -> Any:
    """Two, three or four classes a row, not always the first ones."""
    random = np.random.default_rng(seed)
    allowed = np.ones((N, CLASSES), dtype=bool)
    for row in range(N):
        allowed[row, random.choice(CLASSES, row % 3, replace=False)] = False
    return allowed


def soft(allowed: Any, seed: int = 1) -> Any:
    values = np.random.default_rng(seed).dirichlet(np.ones(CLASSES), N).astype(np.float32)
    return within(values, allowed)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_over_masked_logits_is_the_loss_over_the_classes_that_are_there(name: str) -> None:
    """Known: a row of two classes beside two that are not there has the loss of a row of two classes."""
    random = np.random.default_rng(2)
    logits = torch.tensor(random.normal(size=(N, 2)), dtype=torch.float32)
    weak = torch.tensor(random.dirichlet(np.ones(2), N), dtype=torch.float32)
    method = MADE[name]
    statistic = torch.zeros(()) if name == "confidence" else None  # by a threshold of 0, as by argmax
    expected = method.loss(logits, weak, 0.5, statistic)
    wide = torch.cat([logits, torch.full((N, 2), OUT)], dim=1).requires_grad_()
    found = method.loss(wide, torch.cat([weak, torch.zeros(N, 2)], dim=1), 0.5)
    assert torch.allclose(found, expected, atol=1e-5)
    (slope,) = torch.autograd.grad(found.sum(), wide)
    assert torch.isfinite(slope).all()
    assert (slope[:, 2:] == 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_in_a_ragged_batch_each_row_has_the_loss_of_its_own_classes(name: str) -> None:
    """Rows of two, three and four classes, in any places: no probability, hardened label or entropy beyond them."""
    allowed = torch.from_numpy(ragged())
    logits = torch.tensor(np.random.default_rng(4).normal(size=(N, CLASSES)), dtype=torch.float32)
    weak = torch.from_numpy(soft(allowed.numpy()))
    masked = torch.where(allowed, logits, torch.tensor(OUT)).requires_grad_()
    found = MADE[name].loss(masked, weak, 0.5)
    (slope,) = torch.autograd.grad(found.sum(), masked)
    assert torch.isfinite(slope).all()
    assert (slope[~allowed] == 0).all()
    for row in range(N):
        own = allowed[row]
        # Of two classes alone, confidence hardens by a threshold; of 0, that is argmax, as in the wider batch.
        statistic = torch.zeros(()) if name == "confidence" and own.sum() == 2 else None
        alone = MADE[name].loss(logits[row, own][None], weak[row, own][None], 0.5, statistic)
        assert torch.allclose(found[row], alone[0], atol=1e-5), row


@pytest.mark.parametrize("name", LABELS)
def test_label_changes_keep_to_the_classes_of_a_row(name: str) -> None:
    allowed = ragged()
    ids = np.array([f"{row:032x}" for row in range(N)])
    features = (
        np.random.default_rng(3).normal(size=(N, 2 * CLASSES)).astype(np.float32)
    )  # of each class two, for contrasts
    method: Method = MADE[name]
    after = method.labels(soft(allowed).copy(), Rows(ids, ids, 0, features, allowed))
    kept = ~np.isnan(after).any(axis=1)
    assert kept.any()
    assert (after[kept][~allowed[kept]] == 0).all()
    assert after[kept].sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_balance_aims_at_what_the_rows_allow() -> None:
    allowed = ragged()
    ids = np.array([f"{row:032x}" for row in range(N)])
    after = MADE["balance"].labels(soft(allowed).copy(), Rows(ids, ids, 0, None, allowed))
    expected = (allowed / allowed.sum(axis=1, keepdims=True)).mean(axis=0)
    assert after.mean(axis=0) == pytest.approx(expected, abs=1e-5)


def test_a_head_learns_over_the_classes_of_each_row() -> None:
    """Known: where all rows allow the same two of three classes, the head is that of two classes."""
    random = np.random.default_rng(4)
    features = random.normal(size=(80, 6)).astype(np.float32)
    rows, truth = np.arange(60), (features[:60, 0] > 0).astype(int)
    solver = Solver(steps=800, lr=0.1)
    two = solve(features, [Problem(rows, np.eye(2)[truth], None, MADE["naive"], 0.03, 0)], solver)[0]
    allowed = np.tile([True, False, True], (80, 1))
    objective = Among(MADE["naive"], allowed[rows])
    three = solve(features, [Problem(rows, np.eye(3)[truth * 2], None, objective, 0.03, 0)], solver)[0]
    found = within(predict(features, three, solver), allowed)
    assert (found[:, 1] == 0).all()
    assert found[:, [0, 2]] == pytest.approx(predict(features, two, solver), abs=2e-3)


@pytest.mark.parametrize("errors", ["random", "longest", "biased", "hard"])
def test_simulated_mistakes_are_classes_that_the_row_allows(errors: str) -> None:
    allowed = ragged()
    truth = np.array([np.flatnonzero(row)[place % row.sum()] for place, row in enumerate(allowed)])
    options = {"accuracy": 0.5, "errors": errors, **({"by": "x"} if errors == "hard" else {})}
    opinion = soft(None) if errors == "hard" else None
    parts = [np.arange(N)]
    made = simulate(truth, list("abcd"), np.arange(N), parts, Simulate(**options), 0, opinion, allowed)
    assert (made[~allowed] == 0).all()
    right = (made.argmax(axis=1) == truth).mean()
    assert right == pytest.approx(0.5) if errors != "biased" else right >= 0.5


def test_shuffled_labels_go_to_rows_that_allow_them(tmp_path: Path) -> None:
    allowed = ragged()
    truth = [int(np.flatnonzero(row)[place % row.sum()]) for place, row in enumerate(allowed)]
    raw = RawTask([f"text {row}" for row in range(N)], [str(c) for c in truth], classes=tuple("0123"), allowed=allowed)
    folders = {name: tmp_path / name for name in ("pool", "split", "weak_labels", "out")}
    for folder in folders.values():
        folder.mkdir()
    pool = build_pool(raw, test_rows=10, balance=False)
    pool.save(folders["pool"])
    transfer = np.flatnonzero(~pool.test)
    np.save(folders["split"] / "transfer.npy", transfer)
    np.save(folders["split"] / "validation.npy", transfer[:0])
    weak = pool.truth(np.arange(N)).probabilities
    np.save(folders["weak_labels"] / "probabilities.npy", weak)
    shuffle([Job(folders["out"], {"seed": 1}, {k: v for k, v in folders.items() if k != "out"})], Context())
    found = np.load(folders["out"] / "probabilities.npy")[transfer]
    assert pool.allowed is not None
    assert (found[~pool.allowed[transfer]] == 0).all()
    assert (found.sum(axis=0) == weak[transfer].sum(axis=0)).all()
    assert (found != weak[transfer]).any()


def test_chance_is_among_rows_that_allow_the_same_classes() -> None:
    """Known: a guess among two classes is right half the time, among four a quarter, and neither is a leak."""
    random = np.random.default_rng(5)
    allowed = np.zeros((4000, 4), dtype=bool)
    allowed[:2000, :2], allowed[2000:] = True, True
    truth, said = (np.concatenate([random.integers(2, size=2000), random.integers(4, size=2000)]) for _ in range(2))
    ids = np.arange(4000).astype(np.str_)
    strata = HeldOut(ids, (), truth, ids, tuple("abcd"), allowed=allowed).strata
    assert chance(said[None], truth, 4, strata) == pytest.approx((1 / 2 + 1 / 4) / 2, abs=0.01)
    assert beyond_chance(said[None], truth, 4, strata=strata).estimate == pytest.approx(0, abs=0.02)
    assert beyond_chance(said[None], truth, 4).low > 0  # type: ignore[operator]


PLUGIN = """
import numpy as np
from outgrow import RawTask

def ragged() -> RawTask:
    random = np.random.default_rng(0)
    inputs, labels, allowed = [], [], []
    for row in range(160):
        k = 2 + row % 2
        label = int(random.integers(k))
        word = ["poor", "plain", "great"][label]
        inputs.append(f"the {['film', 'meal', 'room'][row % 3]} number {row} was {word}")
        labels.append(label)
        allowed.append([place < k for place in range(3)])
    return RawTask(inputs, labels, classes=("0", "1", "2"), allowed=allowed)
"""


def test_a_ragged_task_goes_through_heads_methods_controls_and_metrics(tmp_path: Path) -> None:
    (tmp_path / "plug.py").write_text(PLUGIN)
    experiment = Experiment(
        name="ragged",
        tasks=[f"{tmp_path / 'plug.py'}:ragged"],
        weak=[{"static": "wordllama", "rows": 12}, {"simulate": {"accuracy": 0.7}}],
        strong=["static:wordllama"],
        methods=["confidence", [{"filter": {"by": "knn", "k": 3}}, "naive"], {"relabel": {"k": 3}}, "harden"],
        seeds=1,
        split={"weak_train": 40, "transfer": 60, "test": 40},
        metrics=["auroc", "ece", "brier", "log_loss"],
        controls=True,
    )
    results = run(experiment, store=tmp_path / "store", out=tmp_path / "run")
    tables = Predictions.read(tmp_path / "run")
    allowed = tables.tests["ragged"].allowed
    assert allowed is not None
    assert not allowed.all()
    for key, values in tables.probabilities.items():
        assert (values[~allowed] == 0).all(), key
        assert values.sum(axis=1) == pytest.approx(1, abs=1e-5), key
    assert results.cells[0]["ceiling_accuracy"]["estimate"] > 0.6
