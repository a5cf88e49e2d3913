"""One cell of the demo by hand, without plan or store: what `outgrow run` does, in the order of the paper.

    python examples/one_cell.py          # all 20 seeds
    python examples/one_cell.py 3        # the first 3

A static-embedding supervisor (wordllama, 200 labelled sentences) teaches MiniLM, which learns by the confidence method.
The command line computes the same numbers: tests/test_one_cell.py holds the two against each other.
"""

from __future__ import annotations

import sys

import numpy as np

from outgrow.core.examples import Floats, Ints
from outgrow.methods.contract import Method
from outgrow.methods.losses import Confidence, Naive
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.contract import FeatureModel
from outgrow.models.heads.probe import Probe
from outgrow.models.heads.solver import Problem, Solver, predict, solve
from outgrow.models.heads.static import Static
from outgrow.results.statistics.recovery import recovery
from outgrow.tasks.pool import build_pool, deal
from outgrow.tasks.sentiment import sentiment


def features(model: FeatureModel, kind: str, texts: list[str]) -> Floats:
    """One pass of a frozen model over every text of the pool."""
    location = resolve(model.checkpoint, kind)
    return model.features(texts, location, "cpu", lambda done, total: None).values


def train(values: Floats, rows: Ints, targets: Floats, method: Method, model: FeatureModel, seed: int) -> Floats:
    """A linear head that learned `rows` from `targets` by `method`: its probabilities on every row of the pool."""
    solver = Solver(steps=model.steps, lr=model.lr)
    (head,) = solve(values, [Problem(rows, targets, None, method, model.l2, seed)], solver)
    return predict(values, head, solver)


def main(seeds: int) -> dict[str, float | None]:
    """Print and return the cell: accuracies of supervisor, student and ceiling, and the share of the gap recovered."""
    pool = build_pool(sentiment(), test_rows=1000, balance=True, name="sentiment")
    truth = np.eye(len(pool.classes), dtype=np.float32)[pool.labels]

    weak_model, strong_model = Static(checkpoint="wordllama"), Probe(checkpoint="minilm")
    weak_features = features(weak_model, "static", list(pool.inputs))
    strong_features = features(strong_model, "probe", list(pool.inputs))

    right: dict[str, list[Floats]] = {"weak": [], "student": [], "ceiling": []}
    for seed in range(seeds):
        rows = deal(pool, seed, weak_train=900, transfer=900, validation=0)
        first, transfer = rows["weak_train"][:200], rows["transfer"]
        # 1. The weak supervisor learns the truth on its own half.
        supervisor = train(weak_features, first, truth[first], Naive(), weak_model, seed)
        # 2. Its probabilities on the other half are the weak labels.
        weak_labels = supervisor[transfer]
        # 3. The strong student learns them; the ceiling learns the truth on the same rows.
        confidence = Confidence().for_task(weak_labels.mean(axis=0).tolist())
        student = train(strong_features, transfer, weak_labels, confidence, strong_model, seed)
        ceiling = train(strong_features, transfer, truth[transfer], Naive(), strong_model, seed)
        # 4. All three are judged by the truth, on the same test rows for every seed.
        for role, said in (("weak", supervisor), ("student", student), ("ceiling", ceiling)):
            right[role].append(said[pool.test].argmax(axis=1) == pool.labels[pool.test])

    cell = recovery(*(np.stack(right[role]) for role in ("weak", "student", "ceiling")), pool.groups[pool.test])
    for name, interval in cell.items():
        print(f"{name:18} {interval.estimate:.4f}  95% {interval.low:.4f} to {interval.high:.4f}  ({interval.status})")
    return {name: interval.estimate for name, interval in cell.items()}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
