"""Heads that score candidates: one weight vector on their frozen features, a softmax over each row's scores.

For two candidates that is Bradley & Terry 1952, for more the conditional logit (McFadden 1974). There is no bias: it would
be the same for every candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from outgrow.core.answers import OUT, chosen_among
from outgrow.core.examples import Floats, Ints
from outgrow.models.heads.products import with_a_core_each
from outgrow.models.heads.solver import DEVIATION, Head, Problem, Solver, _adam, scale

if TYPE_CHECKING:
    from torch import Tensor


def solve_choices(
    features: Floats,
    places: Ints,
    problems: Sequence[Problem],
    solver: Solver,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Head]:
    """The heads of problems on the features `[parts, d]` of candidates, each with weight `[d, 1]` and a bias of 0.

    places `[n, k]`: the part that each candidate of a row is, -1 where the row has fewer. A problem's rows are of these n.
    A head minimises mean_i method.loss_i + l2 * |w|^2 / 2. Each is solved alone, on one core, so its bits are its own.
    """
    import torch

    assert solver.norm is not None  # only heads of pictures are linear in features of any length
    unit = _unit(features, places, solver.norm)
    heads: dict[int, Head] = {}

    def work(number: int, report: Callable[[int], None]) -> None:
        heads[number] = _solve(features, places[problems[number].rows], problems[number], solver, unit, device, report)

    def report(number: int, of: int, step: int) -> None:
        progress(number * solver.steps + step, of * solver.steps)

    with_a_core_each(len(problems), torch.get_num_threads() if device == "cpu" else 1, work, report)
    return [heads[number] for number in range(len(problems))]


def predict_choices(features: Floats, places: Ints, head: Head, solver: Solver) -> Floats:
    """Probabilities `[n, k]` float32 of each row's candidates, 0 where there is none."""
    return chosen_among(scores(features, head, solver), places)


def scores(features: Floats, head: Head, solver: Solver) -> Floats:
    """The score of each candidate `[parts]`, of its features `[parts, d]`; only differences mean anything."""
    import torch

    weight = torch.tensor(head.weight)
    chunks = range(0, len(features), 8192)
    return np.concatenate(
        [(scale(features[start : start + 8192], solver.norm) @ weight).numpy()[:, 0] for start in chunks]
    )


def side_by_side(features: Floats, places: Ints) -> Floats:
    """One vector per row for methods that look at features: each candidate's less their mean, `[n, k * d]`."""
    there = (places >= 0)[:, :, None]
    values = np.where(there, np.asarray(features, dtype=np.float32)[places], 0)
    values = np.where(there, values - values.sum(axis=1, keepdims=True) / there.sum(axis=1, keepdims=True), 0)
    return np.asarray(values.reshape(len(places), -1), dtype=np.float32)


def _unit(features: Floats, places: Ints, norm: float) -> float:
    """What brings the candidates of a row as far apart as rows of text are: differences of norm `norm`, in the mean.

    Candidates share a context, so their features are alike; without this, one l2 and one rate would not suit both. It is
    a number of the pool, and is taken into the weight in the end.
    """
    lengths = np.maximum(np.linalg.norm(np.asarray(features, np.float64), axis=1, keepdims=True), 1e-12)
    apart = side_by_side(np.asarray(features) * (norm / lengths), places)
    spread = float(np.sqrt((apart.astype(np.float64) ** 2).sum() / max(1, int((places >= 0).sum()))))
    return norm / 2 / spread if spread > 0 else 1.0


def _solve(
    features: Floats,
    places: Ints,
    problem: Problem,
    solver: Solver,
    unit: float,
    device: str,
    report: Callable[[int], None],
) -> Head:
    import torch

    m, k = places.shape
    inputs = (scale(np.asarray(features[places.ravel()]), solver.norm) * unit).to(device)
    absent = torch.from_numpy(places < 0).to(device)
    targets = torch.tensor(problem.targets.astype(np.float32)).to(device)
    weights = np.ones(m) if problem.weights is None else problem.weights.astype(np.float64)
    shares = torch.tensor((weights / weights.sum()).astype(np.float32)).to(device)
    generator = torch.Generator().manual_seed(problem.seed)
    weight: Tensor = (DEVIATION * torch.randn(inputs.shape[1], 1, generator=generator)).to(device)
    first, second = torch.zeros_like(weight), torch.zeros_like(weight)
    for step in range(max(1, round(problem.stop * solver.steps))):
        logits = (inputs @ weight).view(m, k).masked_fill(absent, OUT).requires_grad_()
        losses = problem.method.loss(logits, targets, step / solver.steps)
        (gradient,) = torch.autograd.grad(losses, logits, shares)
        slope = inputs.T @ gradient.masked_fill(absent, 0).reshape(-1, 1)
        slope += problem.l2 * weight
        _adam(weight, slope, first, second, step, solver)
        report(step + 1)
    return Head(weight.cpu().numpy() * unit, np.zeros(1, np.float32))
