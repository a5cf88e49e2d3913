"""Labels without a supervisor: heaps that are there are found, and of the weak labels only the names are taken."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_experiment import asked

from outgrow import run
from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, Ints
from outgrow.core.inputs.input_type import InputType
from outgrow.core.pool import Pool
from outgrow.execution.machine import Machine
from outgrow.execution.step import walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.experiment.spec.method_entries import method_spec
from outgrow.experiment.spec.model_entries import model_spec
from outgrow.experiment.steps.labels import changed_labels
from outgrow.experiment.steps.training_request import TaskPlan
from outgrow.methods.contract import Rows
from outgrow.methods.elicitation import Ccs, Icm, KMeans, _coherent, named
from outgrow.report.tables.cell_tables import rows as table_rows
from outgrow.report.tables.cell_tables import view
from outgrow.report.words.sentences import equivalents
from outgrow.results.metrics.scores import ACCURACY


def rows(features: Floats, seed: int = 0) -> Rows:
    ids = np.array([hashlib.sha256(str(row).encode()).hexdigest()[:32] for row in range(len(features))])
    return Rows(ids, ids, seed, features.astype(np.float32))


def heaps(n: int, classes: int, seed: int = 0) -> tuple[Floats, Ints]:
    """Features in one heap a class, and which."""
    random = np.random.default_rng(seed)
    truth = random.permutation(np.arange(n) % classes)
    return np.eye(classes, 12)[truth] + 0.15 * random.normal(size=(n, 12)), truth


def contrasts(n: int, classes: int, seed: int = 0) -> tuple[Floats, Ints]:
    """Of each text and class what the text says with that class after it: one direction tells whether it is true."""
    random = np.random.default_rng(seed)
    truth = random.integers(classes, size=n)
    values = 0.3 * random.normal(size=(n, classes, 8)) + random.normal(size=(1, classes, 8))
    values[:, :, 0] += 2.0 * np.eye(classes)[truth]
    values -= values.mean(axis=1, keepdims=True)
    return values.reshape(n, -1), truth


def weak_of(truth: Ints, classes: int, right: float, seed: int = 1) -> Floats:
    random = np.random.default_rng(seed)
    said = np.where(random.random(len(truth)) < right, truth, random.integers(classes, size=len(truth)))
    return 0.8 * np.eye(classes)[said] + 0.2 / classes


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("method", "made"), [(KMeans(), heaps), (Icm(), heaps), (Ccs(), contrasts)])
def test_what_is_there_is_found_without_being_told(method: Any, made: Any, classes: int) -> None:
    features, truth = made(180, classes)
    weak = weak_of(truth, classes, right=0.3)
    assert (weak.argmax(1) == truth).mean() < 0.72
    found = method.labels(weak, rows(features))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert (found.argmax(axis=1) == truth).mean() > 0.97
    # Other labels with the same lean change nothing, and labels of swapped names swap the names.
    np.testing.assert_array_equal(method.labels(weak_of(truth, classes, 0.5, seed=9), rows(features)), found)
    np.testing.assert_array_equal(method.labels(weak[:, ::-1], rows(features)), found[:, ::-1])
    assert not method.needs_supervisor


def test_names_are_those_that_agree_best() -> None:
    said = np.eye(3)[[0, 0, 1, 1, 2, 2]]
    weak = np.eye(3)[[2, 2, 0, 0, 1, 2]]
    assert named(said, weak).argmax(axis=1).tolist() == [2, 2, 0, 0, 1, 1]


def test_coherence_is_the_error_of_each_label_left_out() -> None:
    features, _ = heaps(24, 2)
    values, l2 = 8 * (features - features.mean(axis=0)), 0.3
    labels = _coherent(values, 2, l2, 200, np.random.default_rng(0))

    def error(labels: Ints) -> float:
        """By leaving each out: the hat matrix of all rows says what the formula needs, so the slow way is by that too."""
        y = np.eye(2)[labels] - np.eye(2)[labels].mean(axis=0)
        hat = values @ np.linalg.solve(values.T @ values + l2 * 24 * np.eye(12), values.T) + 1 / 24
        return float((((y - hat @ y) / (1 - np.diag(hat))[:, None]) ** 2).sum())

    assert np.bincount(labels).tolist() == [12, 12]
    # No single trade does better than what the search ends with.
    reached = error(labels)
    for one in np.flatnonzero(labels == 0):
        for other in np.flatnonzero(labels == 1):
            traded = labels.copy()
            traded[[one, other]] = labels[[other, one]]
            assert error(traded) > reached - 1e-9


def test_contrasts_are_each_text_with_each_class(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    experiment = asked(tmp_path, methods=["ccs"], seeds=1)
    run(experiment, store=store, out=tmp_path / "out", machine=Machine(threads=1))
    steps = {step.kind: step for step in walk(prepare(experiment, store, Machine()).wanted)}
    made, pool = (Pool.load(store.folder(steps[kind].key)) for kind in ("contrasts", "pool"))
    assert made.parts is not None
    first = [made.parts.values[place] for place in made.parts.places[0]]
    assert first == [f"{pool.inputs[0]}\nneg", f"{pool.inputs[0]}\npos"]
    assert made.ids.tolist() == pool.ids.tolist()


def test_each_cell_says_what_it_has_beyond_no_supervisor(tmp_path: Path) -> None:
    experiment = asked(tmp_path, methods=["naive", "kmeans", "icm"], controls=True)
    results = run(experiment, store=tmp_path / "store", out=tmp_path / "out", machine=Machine(threads=1))
    taught, *elicited = results.cells
    found = taught["beyond_no_supervisor"]
    best = max(elicited, key=lambda cell: cell["student_accuracy"]["estimate"])
    reached = best["student_accuracy"]["estimate"]
    if reached > 0.5:
        assert found["without"].startswith(str(best["method"]))
        assert found["estimate"] == pytest.approx(taught["student_accuracy"]["estimate"] - reached)
    assert all(cell["beyond_no_supervisor"]["status"].startswith("undefined: it needs no") for cell in elicited)
    (control,) = [one for one in results.controls if one["control"] == "no teacher"]
    assert control["method"] == "naive"
    assert control["beyond_no_supervisor"]["estimate"] == pytest.approx(found["estimate"])
    assert "beyond none" in table_rows(results.cells, view(ACCURACY, results.cells))[0]
    assert "the best of what needs no supervisor" in equivalents(results.cells)[0]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    values = re.findall(r'<td class="beyond number"(?: data-value="([^"]*)")?', page)
    assert [float(value) if value else None for value in values] == [
        pytest.approx(found["estimate"], abs=1e-6),
        None,
        None,
    ]
    plain = run(asked(tmp_path), store=tmp_path / "store", out=tmp_path / "plain")
    assert not any("beyond_no_supervisor" in cell for cell in plain.cells)
    assert "beyond none" not in (tmp_path / "plain" / "report.html").read_text(encoding="utf-8")
    assert "beyond none" not in table_rows(plain.cells, view(ACCURACY, plain.cells))[0]


def test_contrasts_are_of_texts(tmp_path: Path) -> None:

    class Board(InputType):
        name = "board"

        def identity(self, value: Any) -> Any:
            return value

        def problem(self, value: Any) -> str | None:
            return None

    store = Store(tmp_path / "store")
    one = prepare(asked(tmp_path), store, Machine()).runs[0]
    pool = replace(Pool.load(store.open(one.pool.key)), input_type=Board())
    task = TaskPlan("chess", pool, one.pool, {"transfer": 10}, {})
    student = model_spec("static:wordllama", student=True)
    with pytest.raises(UsageError, match=r"chess: ccs reads each text with a class's name after it, .* of type board"):
        changed_labels(task, method_spec("ccs"), student, one.split, one.supervisor, 0)
