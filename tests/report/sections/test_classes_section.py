"""Classes on the page: numbers as scikit-learn counts them, confusions, many classes, and what has none."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Opened, written
from grids import grid
from sklearn import metrics as sk

from outgrow.report.scene import read
from outgrow.report.sections.classes import LARGEST, of_classes
from outgrow.report.tables.cell_tables import short
from outgrow.results.cells import Scored, cells_of
from outgrow.results.run_folder import with_metric

NAMES = ["<b>no</b>", "maybe", "yes"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grid(tmp_path_factory.mktemp("classes") / "run", strong=["probe:one"], classes=NAMES, n=90)


def test_the_table_is_scikit_learns(browser: Any, run: Path) -> None:
    shown = Opened(browser, written(run))
    found = read([run])[0]
    cells = cells_of(found.asked)
    assert shown.page.locator("#classes-cell option").count() == len(cells) == 4
    for place in (0, 3):
        shown.page.select_option("#classes-cell", index=place)
        texts = shown.page.locator("#classes-table tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
        )
        truth = found.scored.test("reviews").truth
        expected: list[Any] = [NAMES, ["30"] * 3]
        for measure in (sk.recall_score, sk.precision_score, sk.f1_score):
            for role in ("weak", "student", "ceiling"):
                seeds = [found.scored.hard(one.models[role]) for one in cells[place]]
                expected.append([short(x) for x in np.mean([measure(truth, h, average=None) for h in seeds], axis=0)])
        assert texts == [list(row) for row in zip(*expected, strict=True)]
        matrix = np.mean(
            [sk.confusion_matrix(truth, found.scored.hard(one.models["student"])) for one in cells[place]], axis=0
        )
        rows = shown.page.locator("#confusion-table tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
        )
        assert [row[1:-1] for row in rows] == [[f"{value:.1f}" for value in row] for row in matrix]
        student = with_metric(run, "macro_f1").cells[place]["student_macro_f1"]
        assert f"student {short(student['estimate'])} [{short(student['low'])}, " in (
            shown.page.locator("#classes-macro").text_content()
        )
    assert "mean over 3 seeds" in shown.page.locator("#confusion-title").text_content()
    assert shown.page.locator("#classes-table b").count() == 0  # a class's name is text
    shown.close()


def test_many_classes_list_their_largest_confusions(browser: Any, tmp_path: Path) -> None:
    names = [f"intent {number}" for number in range(30)]
    folder = grid(tmp_path / "run", strong=["probe:one"], classes=names, n=60, seeds=[0])
    (cell, *_) = of_classes(read([folder]))["cells"]
    largest = cell["confused"]["largest"]
    assert 0 < len(largest) <= LARGEST
    assert [count for *_, count in largest] == sorted((count for *_, count in largest), reverse=True)
    assert all(truth != said for truth, said, _ in largest)
    shown = Opened(browser, written(folder), viewport={"width": 390, "height": 800})
    assert shown.page.locator("#confusion-table tbody tr").count() == len(largest)
    assert shown.page.locator("#classes-table tbody tr").count() == 30
    assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown.close()


def test_many_models_of_many_classes_keep_the_commonest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outgrow.report.sections.classes.NUMBERS", 0)
    names = [f"intent {number}" for number in range(40)]
    made = of_classes(read([grid(tmp_path / "run", classes=names, n=90, seeds=[0])]))
    (task,) = made["tasks"]
    assert task["shown"] == list(range(10))  # 90 examples of 40 classes: ten classes have three, the others two
    assert task["n"] == [3] * 10
    assert len(task["classes"]) == 40
    assert all(len(model["recall"]) == len(task["shown"]) for model in made["models"])


def test_a_supervisor_that_leaves_examples_out_and_a_lost_ceiling(run: Path) -> None:
    (found,) = read([run])
    tables = found.scored.tables
    values = dict(tables.probabilities)
    for one in found.asked:
        weak = one.models["weak"]
        values[weak] = np.where(np.arange(90)[:, None] < 5, np.nan, values[weak])  # type: ignore[index]
    scored = Scored(dataclasses.replace(tables, probabilities=values))
    asked = [dataclasses.replace(one, models={**one.models, "ceiling": None}) for one in found.asked]
    made = of_classes([dataclasses.replace(found, asked=asked, scored=scored)])
    (cell, *_) = made["cells"]
    assert made["models"][cell["weak"]] is None
    assert made["models"][cell["ceiling"]] is None
    assert len(made["models"][cell["student"]]["recall"]) == 3
