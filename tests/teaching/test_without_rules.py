"""What a student loses without a rule: against students taught from files without its column."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from taught import make_files, read, write

from outgrow.core.examples import Ints
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.store import Store
from outgrow.teaching.labels.cheap_labels import GivenLabels
from outgrow.teaching.labels.joins import Join
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.options import Candidate, learning
from outgrow.teaching.plan import TeachPlan
from outgrow.teaching.steps import cheap_labels_step, dataset_step
from outgrow.teaching.teach import Laboratory, Work, work_on
from outgrow.teaching.without_rules import without_rules

COLUMNS = ["rule", "model", "person", "liar"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three voters on sentences, and one that contradicts the best of them on two of three."""
    folder = make_files(tmp_path_factory.mktemp("rules"))
    rows = read(folder / "labels.csv")
    liar = [str(1 - int(row[3])) if place % 3 else "" for place, row in enumerate(rows)]
    write(folder / "labels.csv", ["text", *COLUMNS], [(*row, one) for row, one in zip(rows, liar, strict=True)])
    return folder


def work(folder: Path, columns: list[str], labels: str) -> tuple[Work, Candidate]:
    sources: dict[str, Any] = {}
    form = Form.of(columns)
    pool = dataset_step(folder / labels, Reading.of("text"), form, folder / "gold.csv", "label", sources)
    choices = learning("wordllama", "naive", careful=True)
    laboratory = Laboratory(
        Store(folder / "store"), Machine(device="cpu"), {**sources, **choices[0].learner.sources}, Silent()
    )
    return work_on(pool, laboratory, 0), choices[0]


def right(of: Work, choice: Candidate, by: Any) -> np.ndarray:
    """1 where a student of the labels joined by a rule is right, of the careful texts."""
    step = cheap_labels_step(of.plan.pool, by)
    evidence = Join.read(by, step, of.data, of.laboratory.made([step])[0]).evidence
    student = TeachPlan(evidence, of.plan.pool, step, 0).taught(choice)
    of.laboratory.made([student])
    return of.right(of.answers(student, of.evidence.careful), of.evidence.careful)


def test_it_is_what_a_file_without_the_column_teaches(files: Path) -> None:
    whole, choice = work(files, COLUMNS, "labels.csv")
    found = {one["column"]: one for one in without_rules(whole, choice, COLUMNS)}
    assert list(found) == COLUMNS
    by = whole.joins.best.by
    before = right(whole, choice, by)
    for place, column in ((3, "person"), (4, "liar")):
        rows = [[*row[:place], *row[place + 1 :]] for row in read(files / "labels.csv")]
        rest = [one for one in COLUMNS if one != column]
        write(files / f"no-{column}.csv", ["text", *rest], rows)
        less, _ = work(files, rest, f"no-{column}.csv")
        lost = before - right(less, choice, by)
        assert found[column]["estimate"] == pytest.approx(lost.mean())
        assert found[column]["low"] < lost.mean() < found[column]["high"]


def test_a_column_without_which_one_class_is_left_is_left_out(files: Path) -> None:
    rows = [
        (row[0], row[1], "1" if row[2] == "1" else "", "1" if row[3] == "1" else "")
        for row in read(files / "labels.csv")
    ]
    write(files / "sided.csv", ["text", "rule", "model", "person"], rows)
    sided, choice = work(files, ["rule", "model", "person"], "sided.csv")
    assert [one["column"] for one in without_rules(sided, choice, ["rule", "model", "person"])] == ["model", "person"]
    assert without_rules(sided, choice, ["rule"] * 13) == ()  # too many to train a student each


def test_labels_without_a_column() -> None:
    answers: Ints = np.array([[0, 1, -1], [1, 1, 0]])
    given = GivenLabels("columns", ("a", "b"), 2, np.arange(2), answers, np.zeros((2, 0)), np.zeros(0, int), 0)
    np.testing.assert_array_equal(given.without(1).answers, [[0, -1], [1, 0]])
