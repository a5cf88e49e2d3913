"""Softmax heads on frozen features: up to 64 solved side by side, the bits of each as if it were alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from outgrow.core.answers import OUT, Allowed
from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints
from outgrow.models.heads.joint_losses import Objective, joined_calls, losses
from outgrow.models.heads.products import JoinedRows, OwnRows, Products, copies, groups, widened, with_a_core_each

if TYPE_CHECKING:
    from torch import Tensor


R = TypeVar("R")
TOGETHER = 64  # heads at once, at most
SCORES = 2**26  # floats of logits at once on a GPU (256 MB); with more, fewer heads a pass, by the shapes alone
LENGTH = 8.0  # of features
DEVIATION = 0.01  # of the initial weights: small, and never zero, where every confidence threshold is a tie
BETAS, EPSILON = (0.9, 0.999), 1e-8  # Adam's, as in its paper (Kingma & Ba 2015, arXiv 1412.6980)


@dataclass(frozen=True, eq=False)
class Among:
    """A method's loss over the classes that each row allows, `allowed [m, classes]` of the rows in their order."""

    method: Objective
    allowed: Allowed

    @property
    def by_row(self) -> bool:
        """No: it knows its own rows only."""
        return False

    @property
    def apart_from_statistic(self) -> Objective:
        """Itself."""
        return self

    def statistics(self, methods: Sequence[Objective], logits: Tensor) -> None:
        """Nothing: the rows are always the whole batch."""

    def loss(self, logits: Tensor, weak: Tensor, progress: float, statistic: Tensor | None = None) -> Tensor:
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

    norm None: while solving, all rows are scaled by one number to a mean length of 8, and the head takes that up, so that
    it is linear in the features as they are: what a classifier without normalisation can hold.

    At a constant rate Adam does not settle: after 3,000 steps probabilities were up to .07 from the optimum, with the
    rate falling under .0005 (static embeddings of 2,983 sentences, 1,100 to learn from, l2 .003 and .03).
    """

    steps: int = 200
    lr: float = 0.05
    norm: float | None = LENGTH


@dataclass(frozen=True)
class Head:
    """What was learned: weight `[d, classes]`, bias `[classes]`, float32."""

    weight: Floats
    bias: Floats


def scale(features: Floats, norm: float | None) -> Tensor:
    """Each row of `[n, d]` at length `norm`, so that one rate and one l2 suit every model; a row of zeros stays.

    None: as they are.
    """
    import torch

    values = torch.tensor(np.asarray(features, np.float32))  # a copy: what comes may be a read-only memory map
    if norm is None:
        return values
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

    The bits of a head depend on its problem, the features, the solver and the machine; not on the other problems, its
    place among them or the threads. Raises OutgrowError on a problem that does not fit the features.
    """
    _check(features, problems)
    if not problems:
        return []
    problems = [without_absent_rows(problem) for problem in problems]
    if solver.norm is None:
        factor = np.float32(LENGTH / max(float(np.linalg.norm(features, axis=1).mean()), 1e-12))
        features = np.asarray(features, np.float32) * factor
        return [Head(head.weight * factor, head.bias) for head in _solved(features, problems, solver, device, progress)]
    return _solved(features, problems, solver, device, progress)


def _solved(
    features: Floats,
    problems: Sequence[Problem],
    solver: Solver,
    device: str,
    progress: Callable[[int, int], None],
) -> list[Head]:
    if device == "cpu":
        classes, d = problems[0].targets.shape[1], features.shape[1]

        def made(own: Ints) -> Tensor:
            return widened(scale(features[own], solver.norm), bias=1)

        return by_own_rows(problems, d, d, solver, made, lambda rows: OwnRows(rows, classes), device, progress)
    return _solve_on_device(features, problems, solver, device, progress)


def by_own_rows(
    problems: Sequence[Problem],
    d: int,
    width: int,
    solver: Solver,
    made: Callable[[Ints], R],
    products: Callable[[Sequence[R]], Products],
    device: str,
    progress: Callable[[int, int], None],
) -> list[Head]:
    """Heads with `d` weights a column by products of each head's own rows, a few heads at a time in each thread.

    made: of a problem's rows, `width` numbers each, what `products` calculates with.
    """
    import torch

    threads = torch.get_num_threads() if device == "cpu" else 1
    parts = groups([problem.rows for problem in problems], width, threads)
    heads: dict[int, Head] = {}

    def work(number: int, report: Callable[[int], None]) -> None:
        some = [problems[place] for place in parts[number]]
        rows = copies([problem.rows for problem in some], made)

        def ordered(order: Sequence[int]) -> Products:
            return products([rows[place] for place in order])

        heads.update(zip(parts[number], _descend(ordered, some, d, solver, report), strict=True))

    def report(number: int, of: int, step: int) -> None:
        progress(number * solver.steps + step, of * solver.steps)

    with_a_core_each(len(parts), threads, work, report)
    return [heads[place] for place in range(len(problems))]


def _solve_on_device(
    features: Floats,
    problems: Sequence[Problem],
    solver: Solver,
    device: str,
    progress: Callable[[int, int], None],
) -> list[Head]:
    """By products over all rows, whose shape the number of problems does not change."""
    n, classes, d = len(features), problems[0].targets.shape[1], features.shape[1]
    # A pass is narrower where its logits would not fit in memory. Its width is a matter of n and classes only: one that
    # followed the number of problems or the free memory could change the order of sums in a product, and so the bits.
    width = TOGETHER
    while width > 1 and n * width * classes > SCORES:
        width //= 2
    inputs = widened(scale(features, solver.norm), bias=1).to(device)
    passes = [problems[start : start + width] for start in range(0, len(problems), width)]
    heads: list[Head] = []
    for number, group in enumerate(passes):

        def products(order: Sequence[int], group: Sequence[Problem] = group) -> Products:
            return JoinedRows(inputs, [group[place].rows for place in order], width, classes)

        def report(step: int, before: int = number * solver.steps) -> None:
            progress(before + step, len(passes) * solver.steps)

        heads += _descend(products, group, d, solver, report)
    return heads


def predict(features: Floats, head: Head, solver: Solver) -> Floats:
    """Class probabilities `[n, classes]` float32, on the CPU: a matter of the features, the head and the norm only."""
    return predict_all(features, [head], solver)[0]


def predict_all(features: Floats, heads: Sequence[Head], solver: Solver) -> list[Floats]:
    """What `predict` gives for each of several heads, to the bit; the features are read once."""
    import torch

    found = [np.empty((len(features), len(head.bias)), np.float32) for head in heads]
    weights = [(torch.tensor(head.weight), torch.tensor(head.bias)) for head in heads]
    for start in range(0, len(features), 8192):
        inputs = scale(features[start : start + 8192], solver.norm)
        for values, (weight, bias) in zip(found, weights, strict=True):
            values[start : start + 8192] = torch.softmax(inputs @ weight + bias, dim=1).numpy()
    return found


def without_absent_rows(problem: Problem) -> Problem:
    """The problem less its rows of weight 0, which would still count in a threshold of the whole batch."""
    if problem.weights is None or (problem.weights > 0).all():
        return problem
    kept = problem.weights > 0
    return replace(problem, rows=problem.rows[kept], targets=problem.targets[kept], weights=problem.weights[kept])


def _descend(
    products_of: Callable[[Sequence[int]], Products],
    problems: Sequence[Problem],
    d: int,
    solver: Solver,
    report: Callable[[int], None],
) -> list[Head]:
    """The heads of problems, in order; products_of: the products for them in another order."""
    import torch

    order, calls = joined_calls([(problem.method, len(problem.rows)) for problem in problems])
    products, ordered = products_of(order), [problems[place] for place in order]
    classes, device = ordered[0].targets.shape[1], products.device
    weight = torch.zeros(products.slots, products.columns, products.width)
    decay = torch.zeros_like(weight)
    for place, problem in enumerate(ordered):
        generator = torch.Generator().manual_seed(problem.seed)
        weight[place, :, :d] = (DEVIATION * torch.randn(d, products.columns, generator=generator)).T
        decay[place, :, :d] = problem.l2
    weight, decay = weight.to(device), decay.to(device)
    sizes = [sum(call.sizes) for call in calls]
    # Logits and targets lie class by class, `[classes, rows]`: a softmax over two neighbours at a time is seven times slower.
    targets = [
        torch.nn.functional.pad(part.T, (0, call.spare), value=1 / classes).to(device).T
        for call, part in zip(calls, torch.split(_joined([one.targets for one in ordered]), sizes), strict=True)
    ]
    shares = [
        torch.nn.functional.pad(part, (0, call.spare)).to(device)
        for call, part in zip(calls, torch.split(_joined([_shares(one) for one in ordered]), sizes), strict=True)
    ]
    first, second = torch.zeros_like(weight), torch.zeros_like(weight)
    ends = [max(1, round(problem.stop * solver.steps)) for problem in ordered]
    heads: dict[int, Head] = {}  # one that ends early is taken there; its weights go on beside the others'
    for step in range(max(ends)):
        leaves = [
            torch.nn.functional.pad(part, (0, call.spare)).contiguous().requires_grad_()
            for call, part in zip(calls, torch.split(products.logits(weight), sizes, dim=1), strict=True)
        ]
        found = [
            losses(call, leaf.T, target, step / solver.steps)
            for call, leaf, target in zip(calls, leaves, targets, strict=True)
        ]
        slopes = torch.autograd.grad(found, leaves, shares)
        gradient = torch.cat([part[:, :size] for part, size in zip(slopes, sizes, strict=True)], dim=1)
        slope = products.slopes(gradient, weight)
        slope += decay * weight
        _adam(weight, slope, first, second, step, solver)
        report(step + 1)
        for place in [place for place, end in enumerate(ends) if end == step + 1]:
            columns = weight[place].T.cpu().numpy().copy()
            heads[order[place]] = Head(columns[:d], columns[d])
    return [heads[place] for place in range(len(problems))]


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
