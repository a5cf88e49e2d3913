"""A sealed evaluation of made answers, and files that answer it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from outgrow.results.sealed.attempts import Threshold
from outgrow.results.sealed.envelope import Envelope

SEEDS, N = (0, 1, 2), 200


def sealed(folder: Path, rule: Threshold | None = None) -> Envelope:
    random = np.random.default_rng(7)
    folder.mkdir()

    def right(accuracy: float) -> np.ndarray:
        return (random.random((len(SEEDS), N)) < accuracy).astype(np.float64)

    made = Envelope(
        "salt",
        {"task": "t", "weak": "w", "strong": "s"},
        ("neg", "pos"),
        SEEDS,
        tuple(f"{row:04d}" for row in range(N)),
        random.integers(0, 2, N),
        np.array([f"g{row}" for row in range(N)]),
        random.permutation(N) < N // 2,
        right(0.6),
        right(0.95),
        rule or Threshold(),
    )
    made.write(folder)
    return made


def answers(path: Path, part: Envelope, accuracy: float = 0.8, seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    rows = []
    for of_seed in part.seeds:
        for id_, truth in zip(part.ids, part.truth.tolist(), strict=True):
            rows.append((of_seed, id_, part.classes[truth if random.random() < accuracy else 1 - truth]))
    random.shuffle(rows)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("seed", "id", "label"), *rows])
    return path
