"""One scalar per candidate: the heads of choices are the conditional logit, and swapping candidates swaps the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from outgrow import Experiment, UsageError, run
from outgrow.core.inputs.choice import Choice
from outgrow.core.inputs.input_type import input_type
from outgrow.core.pool import Pool
from outgrow.execution.machine import Machine
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.methods.losses import Confidence, Entropy, Naive, Product, ReverseKl, Window
from outgrow.models.heads.choices import _unit, predict_choices, side_by_side, solve_choices
from outgrow.models.heads.solver import Problem, Solver, scale
from outgrow.report import page
from outgrow.report.scene import read
from outgrow.results.predictions import Predictions

SOLVER = Solver(steps=3000, lr=0.05)


def rows(seed: int, n: int = 120, d: int = 6, k: int = 2) -> tuple[Any, Any, Any]:
    """Features of candidates, their places, and which the true weight prefers, mostly."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(n * k, d)).astype(np.float32)
    places = np.arange(n * k).reshape(n, k)
    scores = features @ random.normal(size=d) + random.gumbel(size=n * k)
    return features, places, scores[places].argmax(axis=1)


def test_two_candidates_are_bradley_terry_as_scikit_learn_fits_it() -> None:
    features, places, truth = rows(0)
    problem = Problem(np.arange(120), np.eye(2)[truth], None, Naive(), 0.01, 0)
    (head,) = solve_choices(features, places, [problem], SOLVER)
    found = predict_choices(features, places, head, SOLVER)
    values = scale(features, SOLVER.norm).numpy() * _unit(features, places, SOLVER.norm)
    apart = values[places[:, 1]] - values[places[:, 0]]
    model = LogisticRegression(C=1 / (0.01 * 120), fit_intercept=False, tol=1e-10, max_iter=10_000).fit(apart, truth)
    assert found == pytest.approx(model.predict_proba(apart), abs=2e-4)


@pytest.mark.parametrize(
    "method", [Naive(), Naive(hard=True), Confidence(), Entropy(), Product(), Window(), ReverseKl()]
)
@pytest.mark.parametrize("k", [2, 4])
def test_swapped_candidates_have_swapped_probabilities(method: Any, k: int) -> None:
    features, places, truth = rows(1, k=k)
    places = places.copy()
    if k > 2:
        places[::3, -1] = -1
        truth = np.where(places[np.arange(120), truth] < 0, 0, truth)
    weak = 0.8 * np.eye(k)[truth] + np.where(places < 0, 0, 0.2 / (places >= 0).sum(axis=1, keepdims=True))
    weak /= weak.sum(axis=1, keepdims=True)
    (head,) = solve_choices(features, places, [Problem(np.arange(90), weak[:90], None, method, 0.03, 2)], Solver())
    before = predict_choices(features, places, head, Solver())
    after = predict_choices(features, places[:, ::-1], head, Solver())
    assert after[:, ::-1] == pytest.approx(before, abs=1e-6)
    assert (before[places < 0] == 0).all()
    assert before.sum(axis=1) == pytest.approx(1, abs=1e-6)


def test_the_file_with_candidates_swapped_trains_the_same_head() -> None:
    features, places, truth = rows(2)
    turned, other = places[:, ::-1], 1 - truth
    heads = [
        solve_choices(features, p, [Problem(np.arange(120), np.eye(2)[t], None, Naive(), 0.03, 3)], Solver())[0]
        for p, t in ((places, truth), (turned, other))
    ]
    found = [predict_choices(features, places, head, Solver()) for head in heads]
    assert found[0] == pytest.approx(found[1], abs=1e-4)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("method", [Naive(), Confidence()])
def test_a_heads_bits_depend_neither_on_its_company_nor_on_threads(threads: int, method: Naive | Confidence) -> None:
    features, places, truth = rows(3)
    problems = [Problem(np.arange(n), np.eye(2)[truth[:n]], None, method, 0.03, n) for n in (50, 80, 81, 120)]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    together = solve_choices(features, places, problems, Solver())
    assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    for problem, head in zip(problems, together, strict=True):
        alone = solve_choices(features, places, [problem], Solver())[0]
        assert (alone.weight == head.weight).all()
        assert head.bias.tolist() == [0]


def test_a_row_of_weight_0_is_absent_from_statistics_too() -> None:
    features, places, truth = rows(5)
    weights = np.where(np.arange(120) < 90, 1.0, 0.0)
    whole = Problem(np.arange(120), np.eye(2)[truth], weights, Confidence(), 0.03, 1)
    part = Problem(np.arange(90), np.eye(2)[truth[:90]], None, Confidence(), 0.03, 1)
    found = [solve_choices(features, places, [problem], Solver())[0].weight for problem in (whole, part)]
    assert (found[0] == found[1]).all()


def test_what_methods_look_at_is_how_candidates_differ() -> None:
    features = np.array([[1.0, 0], [3, 0], [5, 6]], dtype=np.float32)
    found = side_by_side(features, np.array([[0, 1, -1], [0, 1, 2]]))
    assert found.tolist() == [[-1, 0, 1, 0, 0, 0], [-2, -2, 0, -2, 2, 4]]


def preferences(folder: Path, turned: bool = False) -> Path:
    """Which review of a thing is the kinder? Two of ten labels are wrong."""
    random = np.random.default_rng(4)
    lines = []
    for row in range(160):
        words = [str(random.choice(["lovely", "great", "good"])), str(random.choice(["awful", "poor", "bad"]))]
        kind, rude = (f"it was {word}, visit {row} says" for word in words)
        wrong = row % 10 < 1
        pair = {"q": f"Thing {row}:", "x": kind, "y": rude, "best": "b" if wrong else "a"}
        if turned:
            pair |= {"x": rude, "y": kind, "best": "a" if wrong else "b"}
        lines.append(json.dumps(pair))
    (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "pairs.jsonl"


def experiment(file: Path, **changes: Any) -> Experiment:
    whole = {
        "name": "pairs",
        "tasks": [{"file": str(file), "prompt": "q", "a": "x", "b": "y", "label": "best"}],
        "weak": [{"static": "wordllama", "rows": 10}, {"simulate": {"accuracy": 0.8}}, "majority"],
        "strong": ["static:wordllama"],
        "methods": [
            "naive",
            "confidence",
            [{"filter": {"by": "knn", "k": 3}}, "naive"],
            {"relabel": {"by": "logistic"}},
        ],
        "seeds": 1,
        "split": {"weak_train": 40, "transfer": 60, "validation": 10, "test": 50},
        "metrics": ["auroc", "ece", "brier"],
        "controls": True,
    }
    return Experiment(**{**whole, **changes})


def test_preferences_go_through_run_and_report(tmp_path: Path) -> None:
    results = run(experiment(preferences(tmp_path)), store=tmp_path / "store", out=tmp_path / "run")
    cell = results.cells[0]
    assert cell["ceiling_accuracy"]["estimate"] > 0.8
    assert cell["student_accuracy"]["estimate"] > 0.65
    majority = next(cell for cell in results.cells if cell["weak"] == "majority")
    assert majority["weak_accuracy"]["estimate"] == pytest.approx(0.5, abs=0.2)
    tables = Predictions.read(tmp_path / "run")
    test = tables.tests["pairs"]
    assert test.input_type == "choice"
    assert [part["name"] for part in test.inputs[0]["parts"]] == ["0", "1"]  # type: ignore[index]
    page.write(read([tmp_path / "run"]), tmp_path / "again.html")
    # The places are where a hash puts them, so turning every row of the file round changes no row and no answer.
    other = tmp_path / "other"
    other.mkdir()
    run(experiment(preferences(other, turned=True)), store=tmp_path / "store", out=other / "run")
    again = Predictions.read(other / "run")
    assert again.tests["pairs"].inputs == test.inputs
    for key, values in tables.probabilities.items():
        assert again.probabilities[key] == pytest.approx(values, abs=1e-5), key


def test_each_distinct_text_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    shared = [{"q": f"q{row // 2}", "c": ["yes", f"no {row}"], "l": row % 2} for row in range(60)]
    file.write_text("".join(json.dumps(row) + "\n" for row in shared))
    task = {"file": str(file), "context": "q", "candidates": "c", "label": "l"}
    split = {"weak_train": 10, "transfer": 20, "test": 20}
    planned = prepare(
        experiment(file, tasks=[task], split=split, methods=["naive"], controls=False),
        Store(tmp_path / "store"),
        Machine(),
    )
    pool = Pool.load(Store(tmp_path / "store").open(planned.runs[0].pool.key))
    assert len(pool) == 60
    assert len(pool.readings) == 90  # 30 times "yes" after a context, and 60 others
    made = Choice("q", ("b", "a"))
    assert input_type("choice").id(made) == input_type("choice").id(Choice("q", ("a", "b")))


def test_a_model_that_cannot_score_candidates_is_named_while_planning(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from outgrow.models.contract import Model\n\nclass Own(Model):\n    def fit(self, *rest):\n        return None\n"
    )
    own = f"{tmp_path / 'own.py'}:Own"
    with pytest.raises(UsageError, match=r"its inputs are of type choice, and .* reads text"):
        prepare(experiment(preferences(tmp_path), strong=[own], methods=["naive"]), Store(tmp_path / "s"), Machine())
