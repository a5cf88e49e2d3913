"""Softmax heads on frozen features: up to 64 solved in one pass, the bits of each as if it were alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from outgrow.core.answers import OUT, Allowed
from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints

if TYPE_CHECKING:
    from torch import Tensor


TOGETHER = 64  # always this many blocks of columns, empty ones filled with zeros
SCORES = 2**26  # floats of logits at once (256 MB); with more, fewer blocks a pass, by the shapes alone
DEVIATION = 0.01  # of the initial weights: small, and never zero, where every confidence threshold is a tie
BETAS, EPSILON = (0.9, 0.999), 1e-8  # Adam's, as in its paper (Kingma & Ba 2015, arXiv 1412.6980)


class Objective(Protocol):
    """What a head asks of a method. Models and methods don't import one another."""

    @property
    def by_row(self) -> bool:
        """Whether a row's loss never depends on other rows, so that equal methods of many heads are one call."""

    def loss(self, logits: Tensor, weak: Tensor, progress: float) -> Tensor:
        """Losses `[m]` of a whole batch's logits and targets `[m, classes]`, at a share of training in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Among:
    """A method's loss over the classes that each row allows, `allowed [m, classes]` of the rows in their order."""

    method: Objective
    allowed: Allowed

    @property
    def by_row(self) -> bool:
        """No: it knows its own rows only."""
        return False

    def statistic(self, logits: Tensor) -> None:
        """Nothing: the rows are always the whole batch."""

    def loss(self, logits: Tensor, weak: Tensor, progress: float) -> Tensor:
        """Losses `[m]`; a class that a row does not allow has probability 0 and no gradient."""
        import torch

        inside = torch.from_numpy(self.allowed).to(logits.device)
        return self.method.loss(logits.masked_fill(~inside, OUT), weak, progress)


@dataclass(frozen=True)
class Problem:
    """One head to be learned: rows of the features `[m]` (distinct), targets `[m, classes]`, weights `[m]` or None.

    The head minimises mean_i method.loss_i + l2 * |W|^2 / 2, the mean weighted by `weights`, the bias free. A row of
    weight 0 counts as absent. On hard labels under the naive method that is scikit-learn's LogisticRegression with
    C = 1 / (l2 * m) for three classes or more, and C = 2 / (l2 * m) for two: it models these by one logit w, W is then
    (-w/2, w/2), and |W|^2 = |w|^2 / 2.
    """

    rows: Ints
    targets: Floats
    weights: Floats | None
    method: Objective
    l2: float
    seed: int
    stop: float = 1.0  # take the head after this share of the steps, the rate being what it is there


@dataclass(frozen=True)
class Solver:
    """Full-batch Adam for a fixed number of steps, its rate falling in a line from `lr` to 0; features of norm `norm`.

    At a constant rate Adam does not settle: after 3,000 steps probabilities were up to .07 from the optimum, with the
    rate falling under .0005 (static embeddings of 2,983 sentences, 1,100 to learn from, l2 .003 and .03).
    """

    steps: int = 200
    lr: float = 0.05
    norm: float = 8.0


@dataclass(frozen=True)
class Head:
    """What was learned: weight `[d, classes]`, bias `[classes]`, float32."""

    weight: Floats
    bias: Floats


def scale(features: Floats, norm: float) -> Tensor:
    """Each row of `[n, d]` at length `norm`, so that one rate and one l2 suit every model; a row of zeros stays."""
    import torch

    values = torch.tensor(np.asarray(features, np.float32))  # a copy: what comes may be a read-only memory map
    lengths: Tensor = torch.linalg.vector_norm(values, dim=1, keepdim=True)
    return values * (norm / lengths.clamp_min(1e-12))


def solve(
    features: Floats,
    problems: Sequence[Problem],
    solver: Solver,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Head]:
    """The heads of at most 64 problems of equal classes on features `[n, d]`, in order.

    The bits of a head depend on its problem, the features, the solver and the machine (with its threads), not on the
    other problems nor on its place among them. Raises OutgrowError on a problem that does not fit the features.
    """
    _check(features, problems)
    if not problems:
        return []
    problems = [_without_absent_rows(problem) for problem in problems]
    n, classes = len(features), problems[0].targets.shape[1]
    # A pass is narrower where its logits would not fit in memory. Its width is a matter of n and classes only: one that
    # followed the number of problems or the free memory could change the order of sums in a product, and so the bits.
    width = TOGETHER
    while width > 1 and n * width * classes > SCORES:
        width //= 2
    inputs = _with_bias(scale(features, solver.norm)).to(device)
    passes = [problems[start : start + width] for start in range(0, len(problems), width)]
    heads: list[Head] = []
    for number, group in enumerate(passes):

        def report(step: int, before: int = number * solver.steps) -> None:
            progress(before + step, len(passes) * solver.steps)

        heads += _solve_pass(inputs, features.shape[1], group, width, solver, report)
    return heads


def predict(features: Floats, head: Head, solver: Solver) -> Floats:
    """Class probabilities `[n, classes]` float32, on the CPU: a matter of the features, the head and the norm only."""
    import torch

    weight, bias = torch.tensor(head.weight), torch.tensor(head.bias)
    parts = [
        torch.softmax(scale(features[start : start + 8192], solver.norm) @ weight + bias, dim=1).numpy()
        for start in range(0, len(features), 8192)
    ]
    return np.concatenate(parts) if parts else np.empty((0, len(head.bias)), np.float32)


def _without_absent_rows(problem: Problem) -> Problem:
    """The problem less its rows of weight 0, which would still count in a threshold of the whole batch."""
    if problem.weights is None or (problem.weights > 0).all():
        return problem
    kept = problem.weights > 0
    return replace(problem, rows=problem.rows[kept], targets=problem.targets[kept], weights=problem.weights[kept])


def _with_bias(inputs: Tensor) -> Tensor:
    """A last column of ones, so that the bias is a row of the weights, then zeros up to a multiple of 16."""
    import torch

    # Widths of whole vector registers keep BLAS from a tail path that treats some columns unlike others.
    n, d = inputs.shape
    padded = torch.zeros(n, math.ceil((d + 1) / 16) * 16)
    padded[:, :d] = inputs
    padded[:, d] = 1
    return padded


def _solve_pass(
    inputs: Tensor, d: int, problems: Sequence[Problem], width: int, solver: Solver, report: Callable[[int], None]
) -> list[Head]:
    """The heads of one pass of `width` blocks of columns; inputs `[n, padded d]` with a column of ones at d."""
    import torch

    device, n, classes = inputs.device, len(inputs), problems[0].targets.shape[1]
    weight = torch.zeros(inputs.shape[1], width * classes)
    decay = torch.zeros_like(weight)
    calls: list[tuple[Objective, list[Problem], list[Tensor]]] = []  # a loss, whose it is, their places in the scores
    for block, problem in enumerate(problems):
        columns = slice(block * classes, (block + 1) * classes)
        generator = torch.Generator().manual_seed(problem.seed)
        weight[:d, columns] = DEVIATION * torch.randn(d, classes, generator=generator)
        decay[:d, columns] = problem.l2
        place = torch.tensor(problem.rows.astype(np.int64) * width + block)
        # Equal losses that look at no other row are one call for all their heads: most of a call is its own cost.
        shared = [call for call in calls if problem.method.by_row and call[0] == problem.method]
        if shared:
            shared[0][1].append(problem)
            shared[0][2].append(place)
        else:
            calls.append((problem.method, [problem], [place]))
    methods = [method for method, _, _ in calls]
    targets = [_joined([problem.targets for problem in owners]).to(device) for _, owners, _ in calls]
    shares = [_joined([_shares(problem) for problem in owners]).to(device) for _, owners, _ in calls]
    place = torch.cat([torch.cat(places) for _, _, places in calls]).to(device)
    sizes = [len(share) for share in shares]
    weight, decay = weight.to(device), decay.to(device)
    gradient = torch.zeros(n * width, classes, device=device)
    first, second = torch.zeros_like(weight), torch.zeros_like(weight)
    ends = [max(1, round(problem.stop * solver.steps)) for problem in problems]
    taken: dict[int, Floats] = {}  # of heads that end early: their columns, which go on for the others' company
    for step in range(max(ends)):
        scores = (inputs @ weight).view(n * width, classes)[place]
        leaves = [piece.requires_grad_() for piece in torch.split(scores, sizes)]
        losses = [
            method.loss(leaf, target, step / solver.steps)
            for method, leaf, target in zip(methods, leaves, targets, strict=True)
        ]
        gradient[place] = torch.cat(torch.autograd.grad(losses, leaves, shares))
        slope = inputs.T @ gradient.view(n, -1)
        slope += decay * weight
        _adam(weight, slope, first, second, step, solver)
        report(step + 1)
        for block in [block for block, end in enumerate(ends) if end == step + 1]:
            taken[block] = weight[:, block * classes : (block + 1) * classes].cpu().numpy().copy()
    return [Head(taken[block][:d], taken[block][d]) for block in range(len(problems))]


def _shares(problem: Problem) -> Floats:
    """What each row's loss counts in the weighted mean, `[m]`."""
    weights: Floats = np.ones(len(problem.rows)) if problem.weights is None else problem.weights.astype(np.float64)
    return weights / float(weights.sum())


def _joined(parts: Sequence[Floats]) -> Tensor:
    """The parts one after another, float32."""
    import torch

    return torch.tensor(np.concatenate(parts).astype(np.float32))


def _adam(weight: Tensor, slope: Tensor, first: Tensor, second: Tensor, step: int, solver: Solver) -> None:
    """One step of Adam in place. Each operation rounds once: a fused one may round otherwise at the end of a tensor."""
    rate = solver.lr * (1 - step / solver.steps)
    first *= BETAS[0]
    first += slope * (1 - BETAS[0])
    second *= BETAS[1]
    second += slope * slope * (1 - BETAS[1])
    unbiased = math.sqrt(1 - BETAS[1] ** (step + 1))
    weight -= first * (rate * unbiased / (1 - BETAS[0] ** (step + 1))) / (second.sqrt() + EPSILON * unbiased)


def _check(features: Floats, problems: Sequence[Problem]) -> None:
    """Raise OutgrowError on what would otherwise end in a wrong head or deep inside a product."""
    if len(problems) > TOGETHER:
        raise OutgrowError(f"heads: {len(problems)} problems at once; solve at most {TOGETHER}")
    for number, problem in enumerate(problems):
        rows, targets, weights = problem.rows, problem.targets, problem.weights
        if targets.ndim != 2 or targets.shape != (len(rows), problems[0].targets.shape[1]) or not len(rows):
            fault = f"targets of shape {list(targets.shape)} for {len(rows)} rows"
        elif rows.min() < 0 or rows.max() >= len(features) or len(np.unique(rows)) < len(rows):
            fault = (
                f"rows that are not distinct places among {len(features)} features (weights say how often a row counts)"
            )
        elif not np.isfinite(targets).all():
            fault = "targets that are not numbers; leave unlabelled rows out"
        elif weights is not None and (
            weights.shape != rows.shape or not (weights >= 0).all() or not 0 < weights.sum() < np.inf
        ):
            fault = f"weights that are not {len(rows)} numbers of 0 or more with a sum above 0"
        else:
            continue
        raise OutgrowError(f"heads: problem {number} has {fault}")
