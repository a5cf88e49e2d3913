"""Run folders with made-up predictions, for tests that read: who is how good is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.identity import content_id
from outgrow.results.cells import Entry, RunToScore
from outgrow.results.predictions import HeldOut, ModelKey, Predictions
from outgrow.results.run_results import Results


def held_out(task: str, n: int, classes: int = 2) -> HeldOut:
    ids = np.array([content_id(f"{task} {row}") for row in range(n)])
    truth = np.arange(n) % classes
    return HeldOut(ids, tuple(f"{task} {row}" for row in range(n)), truth, ids, tuple(str(c) for c in range(classes)))


def guesses(test: HeldOut, accuracy: float, seed: Sequence[int]) -> Any:
    """Probabilities that are right on exactly that share of the rows; half of them are rows easy for everybody."""
    random = np.random.default_rng([*seed, 9])
    n, classes = len(test.ids), len(test.classes)
    score = np.linspace(0, 1, n) + random.random(n)
    hit = np.zeros(n, dtype=bool)
    hit[np.argsort(score)[: round(accuracy * n)]] = True
    said = np.where(hit, test.truth, (test.truth + 1 + random.integers(0, classes - 1, n)) % classes)
    sure = (0.5 + 0.5 * random.random(n))[:, None]
    return (sure * np.eye(classes)[said] + (1 - sure) / classes).astype(np.float32)


def folder(
    path: Path,
    accuracies: Mapping[str, Mapping[str, float]],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    n: int = 300,
    classes: int = 2,
    extra: Mapping[tuple[str, str, str | None, str | None, str | None], float] | None = None,
) -> Path:
    """A run folder: task -> {"weak": …, "ceiling": …, method: …}, one supervisor `static:w`, one student `probe:s`.

    `extra`: other speakers (task, role, weak, strong, method) and their accuracies.
    """
    tests = {task: held_out(task, n, classes) for task in accuracies}
    said: dict[ModelKey, Any] = {}
    asked = []
    weak, strong = Entry("static:w", "static:w"), Entry("probe:s", "probe:s")
    for task, models in accuracies.items():
        place = list(accuracies).index(task)
        for seed in seeds:
            supervisor = ModelKey(task, "weak", weak.name, None, None, seed)
            said[supervisor] = guesses(tests[task], models["weak"], [place, 0, seed])
            ceiling = ModelKey(task, "ceiling", None, strong.name, None, seed) if "ceiling" in models else None
            if ceiling is not None:
                said[ceiling] = guesses(tests[task], models["ceiling"], [place, 1, seed])
            for number, (method, accuracy) in enumerate(models.items()):
                if method in ("weak", "ceiling"):
                    continue
                student = ModelKey(task, "student", weak.name, strong.name, method, seed)
                said[student] = guesses(tests[task], accuracy, [place, 2 + number, seed])
                by_role = {"weak": supervisor, "student": student, "ceiling": ceiling}
                facts = {"n_transfer": 400, "n_left_out": 0, "weak_label_accuracy": models["weak"]}
                asked.append(RunToScore(task, weak, strong, Entry(method, method), seed, by_role, facts))
            for number, (key, accuracy) in enumerate((extra or {}).items()):
                task_, role, w, s, m = key
                if task_ == task:
                    said[ModelKey(task, role, w, s, m, seed)] = guesses(
                        tests[task], accuracy, [place, 50 + number, seed]
                    )
    tables = Predictions(tests, said)
    path.mkdir(parents=True, exist_ok=True)
    tables.write(path)
    Results.compute(asked, tables, {"python": "3"}).write(path)
    return path
