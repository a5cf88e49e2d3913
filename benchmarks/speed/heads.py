"""Linear heads: 64 together, one alone, and scikit-learn's; `naive` and `confidence`; and whether bits are the same alone.

    python benchmarks/speed/heads.py [--threads 2] [--rows 1000] [--heads 64] [--device cuda] [--json heads.json]

On 2,000 x 384 random features; time does not depend on what they hold. scikit-learn learns the hard labels, as it knows
no others. Limits: `confidence` 1.5 times `naive`, one alone a sixteenth of 64.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from conditions import conditions, options, report, seconds, threads_option
from sklearn.linear_model import LogisticRegression

from outgrow.methods.contract import Method
from outgrow.methods.losses import Confidence, Naive
from outgrow.models.heads.solver import Problem, Solver, scale, solve

L2 = 0.03


def main() -> None:
    parser = options(__doc__)
    threads_option(parser)
    parser.add_argument("--rows", type=int, default=1000, help="rows each head learns from")
    parser.add_argument("--heads", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--times", type=int, default=3, help="how often to measure; the fastest counts")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    under = conditions(asked.device)
    if asked.device != "cpu":
        report(on_device(asked.heads, Solver().steps, asked.device), under, asked.json)
        return
    draw, solver = np.random.default_rng(0), Solver()
    features = draw.normal(size=(2000, 384)).astype(np.float32)
    labels = (features[:, 0] + draw.normal(size=2000) > 0).astype(int)
    soft = (0.8 * np.eye(2)[labels] + 0.1).astype(np.float32)
    chosen = [np.random.default_rng(seed).permutation(2000)[: asked.rows] for seed in range(asked.heads)]
    rows: list[dict[str, Any]] = []
    for method in (Naive(), Confidence()):
        problems = [problem(own, soft[own], method, seed) for seed, own in enumerate(chosen)]
        name = type(method).__name__.lower()
        together = solve(features, problems, solver)
        alone = solve(features, problems[7:8], solver)[0]
        many = seconds(partial(solve, features, problems, solver), times=asked.times)
        one = seconds(partial(solve, features, problems[:1], solver), times=asked.times)
        rows += [
            {"row": f"{name}, {asked.heads} together", "seconds": many},
            {
                "row": f"{name}, one alone",
                "seconds": one,
                "share": one / many,
                "limit": 1 / 16,
                "same_bits": bool(np.array_equal(together[7].weight, alone.weight)),
            },
        ]
    rows.append({"row": "confidence of naive", "share": rows[2]["seconds"] / rows[0]["seconds"], "limit": 1.5})
    values = scale(features, solver.norm).numpy()[chosen[0]]
    model = LogisticRegression(C=2 / (L2 * asked.rows), max_iter=1000)
    fit = partial(model.fit, values, labels[chosen[0]])
    rows.append({"row": "scikit-learn (lbfgs), one", "seconds": seconds(fit, times=asked.times)})
    report(rows, under, asked.json)


def problem(rows: Any, targets: Any, method: Method, seed: int) -> Problem:
    """A head to be learned; as in a run, its weak labels have shares of their own."""
    return Problem(rows, targets, None, method.for_task(targets.mean(axis=0).tolist()), L2, seed)


def on_device(count: int, steps: int, device: str) -> list[dict[str, Any]]:
    """Heads on a GPU, 64 together as a run solves them; the bits of some of them alone, and how far they are from a CPU's."""
    draw = np.random.default_rng(0)
    values = draw.normal(size=(2000, 384)).astype(np.float32)
    soft = draw.dirichlet([1, 1], 2000).astype(np.float32)
    made, taken, solver = [], {}, Solver(steps=steps)
    for method in (Naive(), Confidence()):
        rows = [np.random.default_rng(seed).permutation(2000)[:1000] for seed in range(count)]
        problems = [problem(own, soft[own], method, seed) for seed, own in enumerate(rows)]
        solve(values, problems[:1], Solver(steps=2), device)

        def all_of_them(problems: Sequence[Problem] = problems) -> list[Any]:
            return [
                head
                for start in range(0, len(problems), 64)
                for head in solve(values, problems[start : start + 64], solver, device)
            ]

        name = type(method).__name__.lower()
        taken[name] = seconds(all_of_them, device)
        first = solve(values, problems[:64], solver, device)
        again = solve(values, problems[:64], solver, device)
        order = np.random.default_rng(1).permutation(min(64, len(problems)))
        permuted = solve(values, [problems[place] for place in order], solver, device)
        alone = [solve(values, [problems[place]], solver, device)[0] for place in (0, 1, 7)]
        on_cpu = solve(values, problems[:4], solver, "cpu")
        made.append(
            {
                "row": f"{count} heads, {name}",
                "seconds": taken[name],
                "twice_equal": all(map(_same, first, again)),
                "permuted_equal": all(_same(first[place], head) for place, head in zip(order, permuted, strict=True)),
                "alone_equal": all(_same(first[place], head) for place, head in zip((0, 1, 7), alone, strict=True)),
                "from_cpu": max(float(np.abs(a.weight - b.weight).max()) for a, b in zip(first, on_cpu, strict=False)),
            }
        )
    made[-1]["ratio"] = taken["confidence"] / taken["naive"]
    return made


def _same(one: Any, other: Any) -> bool:
    return np.array_equal(one.weight, other.weight) and np.array_equal(one.bias, other.bias)


if __name__ == "__main__":
    main()
