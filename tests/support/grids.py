"""Run folders of whole grids, for the report: supervisors × students × methods, with made-up predictions."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.identity import content_id
from outgrow.results.cells import Entry, RunToScore
from outgrow.results.predictions import HeldOut, ModelKey, Predictions
from outgrow.results.run_results import Results

YAML = "name: grid\nseeds: [0, 1]\n"


def grid(
    path: Path,
    *,
    tasks: Sequence[str] = ("reviews",),
    weak: Sequence[str] = ("static:small", "static:large"),
    strong: Sequence[str] = ("probe:one", "probe:two", "probe:three"),
    methods: Sequence[str] = ("naive", "confidence"),
    seeds: Sequence[int] = (0, 1, 2),
    n: int = 200,
    classes: Sequence[str] = ("bad", "good"),
    texts: Sequence[str] | None = None,
    gap: float = 0.2,
    notes: Sequence[str] = (),
    yaml: str = YAML,
    curves: bool = False,
    sizes: Sequence[int | None] = (),
) -> Path:
    """A run folder. Supervisors reach about .7, ceilings `gap` more, students half of it; later ones a little more."""
    tests = {task: _test_set(task, n, classes, texts) for task in tasks}
    said: dict[ModelKey, Any] = {}
    asked = []
    for task in tasks:
        for seed in seeds:
            random = np.random.default_rng([seed, len(task)])
            easy = np.random.default_rng(5).random(n)

            def guess(accuracy: float, test: HeldOut = tests[task], random: Any = random, easy: Any = easy) -> Any:
                return _guess(test, accuracy, random, easy)

            for w, supervisor in enumerate(weak):
                said[ModelKey(task, "weak", supervisor, None, None, seed)] = guess(0.7 + 0.02 * w / len(weak))
            for s, student in enumerate(strong):
                top = 0.7 + gap + 0.05 * s / len(strong)
                ceiling = ModelKey(task, "ceiling", None, student, None, seed)
                said[ceiling] = guess(top)
                for w, supervisor in enumerate(weak):
                    for m, method in enumerate(methods):
                        model = ModelKey(task, "student", supervisor, student, method, seed)
                        said[model] = guess(0.7 + (top - 0.7) * (0.4 + 0.4 * (m + w) / (len(methods) + len(weak))))
                        models = {
                            "weak": ModelKey(task, "weak", supervisor, None, None, seed),
                            "student": model,
                            "ceiling": ceiling,
                        }
                        w_entry, s_entry, m_entry = (Entry(name, name) for name in (supervisor, student, method))
                        known = {"strong_parameters": sizes[s]} if sizes else {}
                        asked.append(
                            RunToScore(task, w_entry, s_entry, m_entry, seed, models, {"n_transfer": 400, **known})
                        )
    order = {(one.task, *one.cell): place for place, one in reversed(list(enumerate(asked)))}
    asked.sort(key=lambda one: order[(one.task, *one.cell)])
    drawn = {
        model: _curve(sum(map(ord, model.strong or "")) % 97) for model in said if model.role == "student" and curves
    }
    tables = Predictions(tests, said, drawn)
    path.mkdir(parents=True, exist_ok=True)
    tables.write(path)
    work = {"steps": 12, "seconds": 75.0, "flops": 3.2e12}
    environment = {"python": "3.11.7", "outgrow": "0.1.0", "torch": ["2.12.0", "2.13.0"]}
    Results.compute(asked, tables, environment, notes).write(path)
    (path / "work.json").write_text(json.dumps(work), encoding="utf-8")
    (path / "experiment.yaml").write_text(yaml, encoding="utf-8")
    return path


def _curve(top: int) -> list[dict[str, float | None]]:
    return [
        {
            "progress": part / 4,
            "test_accuracy": 0.6 + top / 1000 if part == 2 else 0.5 + part / 10,
            "weak_agreement": None,
            "loss": 1.0,
        }
        for part in range(1, 5)
    ]


def _test_set(task: str, n: int, classes: Sequence[str], texts: Sequence[str] | None) -> HeldOut:
    inputs = [f"{texts[row % len(texts)]} {row}" if texts else f"{task} example {row}" for row in range(n)]
    ids = np.array([content_id(text) for text in inputs])
    return HeldOut(ids, tuple(inputs), np.arange(n) % len(classes), ids, tuple(classes))


def _guess(test: HeldOut, accuracy: float, random: Any, easy: Any) -> Any:
    n, classes = len(test.ids), len(test.classes)
    right = np.zeros(n, dtype=bool)
    right[np.argsort(easy + random.random(n))[: round(accuracy * n)]] = True
    hard = np.where(right, test.truth, (test.truth + 1 + random.integers(0, classes - 1, n)) % classes)
    sure = (0.55 + 0.4 * random.random(n))[:, None]
    return (sure * np.eye(classes)[hard] + (1 - sure) / classes).astype(np.float32)
