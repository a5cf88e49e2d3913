"""Several runs on one page: in one figure, and compared where they share cells."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Opened, chromium
from folders import folder
from grids import grid

from outgrow.report import page
from outgrow.report.figures.catalogue import FIGURES
from outgrow.report.figures.figure import drawn
from outgrow.report.scene import Scene, read

WEAK = {"weak": 0.6, "ceiling": 0.9}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    return [
        folder(root / "before", {"zebra": {**WEAK, "naive": 0.68, "confidence": 0.75}}),
        folder(root / "<i>after", {"zebra": {**WEAK, "naive": 0.8, "confidence": 0.75}}),
    ]


def test_runs_share_a_panel_each_cell_beside_its_like(runs: list[Path]) -> None:
    made = {one.name: one for one in drawn(FIGURES, Scene(read(runs)))}
    for name in ("accuracy", "pgr", "agreement"):
        (rows,) = made[name].panels.values()
        labels = list(dict.fromkeys(row["row"] for row in rows))
        assert labels == [f"{method}\n{run}" for method in ("naive", "confidence") for run in ("before", "<i>after")]
        assert "run" in made[name].columns
    shown = [(row["run"], row["estimate"]) for row in made["pgr"].panels[""][:2]]
    assert [name for name, _ in shown] == ["before", "<i>after"]
    assert [value for _, value in shown] == [pytest.approx(0.08 / 0.3), pytest.approx(0.2 / 0.3)]
    assert all("run" not in one.columns for one in drawn(FIGURES, Scene(read(runs[:1]))))


def test_students_of_several_runs_are_a_ladder(tmp_path: Path) -> None:
    folders = [
        grid(tmp_path / name, strong=[f"probe:{name}"], methods=["naive"], weak=["static:w"], seeds=[0, 1], n=60)
        for name in ("one", "two")
    ]
    (accuracy, *_) = drawn(FIGURES, Scene(read(folders)))
    assert accuracy.figure.title == "Accuracy against student"
    (rows,) = accuracy.panels.values()
    assert [(row["strong"], row["series"]) for row in rows] == [
        ("probe:one", "taught by static:w (one)"),
        ("probe:two", "taught by static:w (two)"),
        ("probe:one", "taught the truth (one)"),
        ("probe:two", "taught the truth (two)"),
    ]


def test_calibration_and_learning_curves_have_all_runs_in_one_panel(tmp_path: Path) -> None:
    folders = [
        grid(tmp_path / name, strong=["probe:s"], methods=["naive"], weak=["static:w"], seeds=[0, 1], n=60, curves=True)
        for name in ("one", "two")
    ]
    made = {one.name: one for one in drawn(FIGURES, Scene(read(folders)))}
    (points,) = made["calibration"].panels.values()
    assert list(dict.fromkeys(row["series"] for row in points)) == [
        *(f"{model} (one)" for model in ("supervisor", "student, naive", "ceiling")),
        *(f"{model} (two)" for model in ("supervisor", "student, naive", "ceiling")),
    ]
    (curves,) = made["learning_curves"].panels.values()
    assert {row["series"] for row in curves} == {"student, static:w, naive (one)", "student, static:w, naive (two)"}
    (alone,) = drawn([one for one in FIGURES if one.name == "calibration"], Scene(read(folders[:1])))
    assert {row["series"] for row in alone.panels[""]} == {"supervisor", "student, naive", "ceiling"}


def test_the_page_compares_them(runs: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "both.html"
    page.write(read(runs), out)
    with chromium() as browser:
        for width in (1160, 390):
            shown = Opened(browser, out, viewport={"width": width, "height": 800})
            section = shown.page.locator("#runs")
            assert "Against before, <i>after: its students are more accurate in 1 of 2 cells" in section.text_content()
            rows = section.locator("tbody tr")
            assert rows.count() == 2
            assert ".120 [" in rows.nth(0).text_content()
            assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            shown.close()
    assert 'id="runs"' not in page.render(read(runs[:1]))


def test_runs_that_share_nothing(runs: list[Path], tmp_path: Path) -> None:
    other = folder(tmp_path / "other", {"ant": {**WEAK, "naive": 0.7, "product": 0.7}})
    text = page.render(read([runs[0], other]))
    assert "no cell can be compared." in text
    three = page.render(read([*runs, other]))
    assert "cells that one of the two runs alone has: 2" in three
