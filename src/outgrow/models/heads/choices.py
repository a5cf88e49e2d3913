"""Heads that score candidates: one weight vector on their frozen features, a softmax over each row's scores.

For two candidates that is Bradley & Terry 1952, for more the conditional logit (McFadden 1974). There is no bias: it would
be the same for every candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from outgrow.core.answers import chosen_among
from outgrow.core.examples import Floats, Ints
from outgrow.models.heads.products import CandidateRows, Candidates, widened
from outgrow.models.heads.solver import Head, Problem, Solver, by_own_rows, scale, without_absent_rows


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
    A head minimises mean_i method.loss_i + l2 * |w|^2 / 2. Its bits are its own, as in `solve`.
    """
    import torch

    assert solver.norm is not None  # only heads of pictures are linear in features of any length
    unit, (k, d) = _unit(features, places, solver.norm), (places.shape[1], features.shape[1])

    def made(own: Ints) -> Candidates:
        inputs = scale(np.asarray(features[places[own].ravel()]), solver.norm) * unit
        return Candidates(widened(inputs, bias=0).to(device), torch.from_numpy(places[own] < 0).to(device))

    problems = [without_absent_rows(problem) for problem in problems]
    found = by_own_rows(problems, d, k * d, solver, made, CandidateRows, device, progress)
    return [Head(head.weight * np.float32(unit), head.bias) for head in found]


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
