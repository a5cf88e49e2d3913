"""Linear heads: 64 together, one alone, and scikit-learn's; `naive` and `confidence`; and whether bits are the same alone.

    python benchmarks/speed/heads.py [--threads 2] [--rows 1000] [--heads 64] [--json heads.json]

On 2,000 x 384 random features; time does not depend on what they hold. scikit-learn learns the hard labels, as it knows
no others. Limits: `confidence` 1.5 times `naive`, one alone a sixteenth of 64.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from conditions import conditions, options, report, seconds, threads_option
from sklearn.linear_model import LogisticRegression

from outgrow.methods.losses import Confidence, Naive
from outgrow.models.heads.solver import Problem, Solver, scale, solve


def main() -> None:
    parser = options(__doc__)
    threads_option(parser)
    parser.add_argument("--rows", type=int, default=1000, help="rows each head learns from")
    parser.add_argument("--heads", type=int, default=64)
    parser.add_argument("--times", type=int, default=3, help="how often to measure; the fastest counts")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    under = conditions()
    draw, solver, l2 = np.random.default_rng(0), Solver(), 0.03
    features = draw.normal(size=(2000, 384)).astype(np.float32)
    labels = (features[:, 0] + draw.normal(size=2000) > 0).astype(int)
    soft = (0.8 * np.eye(2)[labels] + 0.1).astype(np.float32)
    chosen = [np.random.default_rng(seed).permutation(2000)[: asked.rows] for seed in range(asked.heads)]
    rows: list[dict[str, Any]] = []
    for method in (Naive(), Confidence()):
        # As in a run, where each head's weak labels have shares of their own.
        problems = [
            Problem(own, soft[own], None, method.for_task(soft[own].mean(axis=0).tolist()), l2, seed)
            for seed, own in enumerate(chosen)
        ]
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
    model = LogisticRegression(C=2 / (l2 * asked.rows), max_iter=1000)
    fit = partial(model.fit, values, labels[chosen[0]])
    rows.append({"row": "scikit-learn (lbfgs), one", "seconds": seconds(fit, times=asked.times)})
    report(rows, under, asked.json)


if __name__ == "__main__":
    main()
