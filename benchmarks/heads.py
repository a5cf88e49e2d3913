"""Heads a second: 64 solved together, one by one, and by scikit-learn, on real sentence features.

Run: python benchmarks/heads.py FEATURES.npy LABELS.npy [--threads N]. FEATURES: `[n, d]`, such as an artifact's of
the store. LABELS: class numbers `[n]`. Our heads learn soft labels, scikit-learn's the hard ones (it knows no others).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from outgrow.methods.losses import Confidence, Naive
from outgrow.models.heads.solver import Problem, Solver, predict, scale, solve


def main() -> None:
    """Print one line a way of solving."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features")
    parser.add_argument("labels")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", type=int, default=1100, help="rows each head learns from")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    features, labels, solver, l2 = np.load(options.features), np.load(options.labels), Solver(), 0.03
    classes = int(labels.max()) + 1
    rows = [np.random.default_rng(seed).permutation(len(features))[: options.rows] for seed in range(64)]
    hard = np.eye(classes, dtype=np.float32)[labels]
    print(f"{features.shape[0]} x {features.shape[1]}, {classes} classes, {options.rows} rows a head, {solver}")
    for method in (Naive(), Confidence()):
        soft = 0.8 * hard + 0.2 / classes
        problems = [Problem(chosen, soft[chosen], None, method, l2, seed) for seed, chosen in enumerate(rows)]
        name = type(method).__name__.lower()
        rate(f"{name}, 64 together", 64, lambda: solve(features, problems, solver))  # noqa: B023
        rate(f"{name}, one by one", 4, lambda: [solve(features, [problem], solver) for problem in problems[:4]])  # noqa: B023
    scaled, strength = scale(features, solver.norm).numpy(), (2 if classes == 2 else 1) / (l2 * options.rows)
    model = LogisticRegression(C=strength, max_iter=1000)
    rate("scikit-learn (lbfgs)", 8, lambda: [model.fit(scaled[chosen], labels[chosen]) for chosen in rows[:8]])
    model.set_params(tol=1e-8).fit(scaled[rows[0]], labels[rows[0]])
    head = solve(features, [Problem(rows[0], hard[rows[0]], None, Naive(), l2, 0)], solver)[0]
    gap = np.abs(predict(features, head, solver) - model.predict_proba(scaled)).max()
    print(f"largest difference of a probability from scikit-learn's, hard labels: {gap:.1e}")


def rate(name: str, heads: int, work: Callable[[], object]) -> None:
    """Print the heads a second of `work`, which solves `heads` of them, its wall time and its processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(
        f"{name:28} {heads / wall:8.1f} heads/s   {wall:6.2f} s, {processor:6.2f} processor-s for {heads}", flush=True
    )


if __name__ == "__main__":
    main()
