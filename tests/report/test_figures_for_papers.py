"""Figures that stand alone: one panel for each task, dodged intervals, captions, and the width that was asked for."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from folders import folder
from grids import grid
from typer.testing import CliRunner

import outgrow
from outgrow.cli.app import app
from outgrow.report.figure_files import title_of, write
from outgrow.report.figures.catalogue import FIGURES
from outgrow.report.figures.figure import drawn
from outgrow.report.figures.for_papers import FOR_PAPERS
from outgrow.report.scene import Scene, read

ACCURACIES = {
    task: {"weak": 0.6 + shift, "ceiling": 0.85, "naive": 0.68 + shift, "confidence": 0.72 + shift}
    for task, shift in (("zebra", 0.0), ("ant", 0.03), ("moth", 0.05), ("bee", 0.01))
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("papers") / "run", ACCURACIES, n=200)


def test_the_paper_s_figure_has_a_panel_for_each_task_and_the_truth(run: Path) -> None:
    paper, tasks = drawn(FOR_PAPERS, Scene(read([run])))
    (rows,) = paper.panels.values()
    assert {row["series"] for row in rows} == {"naive", "confidence", "the truth"}
    assert len(rows) == 4 * 3
    assert rows[-1]["series"] == "the truth"
    assert paper.spec["facet"]["sort"] == ["zebra", "ant", "moth", "bee"]  # the order of the run, not of the alphabet
    assert paper.spec["columns"] == 2  # two rows of two, not three and one
    (row,) = [row for row in rows if (row["task"], row["series"]) == ("ant", "naive")]
    assert row["weak"] == pytest.approx(0.63)
    assert row["estimate"] == pytest.approx(0.71)
    assert row["low"] < 0.71 < row["high"]
    (gains,) = tasks.panels.values()
    assert [row["task"] for row in gains[::2]] == ["zebra", "ant", "moth", "bee"]
    assert gains[0]["estimate"] == pytest.approx(0.08)
    text = str(tasks.spec)
    assert "yOffset" in text  # the methods of a task are below one another
    assert "xOffset" in str(paper.spec)


def test_students_of_known_size_are_placed_by_it_and_others_by_name(tmp_path: Path) -> None:
    sizes = (10**6, 10**7, 10**9)
    (paper,) = drawn(FOR_PAPERS, Scene(read([grid(tmp_path / "known", weak=["static:w"], sizes=sizes, n=60)])))
    (rows,) = paper.panels.values()
    assert {(row["strong"], row["parameters"]) for row in rows} == {
        ("probe:one", 10**6),
        ("probe:two", 10**7),
        ("probe:three", 10**9),
    }
    at = {(row["strong"], row["series"]): row["at"] for row in rows}
    assert at["probe:two", "the truth"] == pytest.approx(10**7)
    # Side by side about the student's own place, as far apart at each size on a logarithmic axis.
    for student, size in zip(("probe:one", "probe:two", "probe:three"), sizes, strict=True):
        left, right = at[student, "naive"], at[student, "confidence"]
        assert left < size < right
        assert (left * right) ** 0.5 == pytest.approx(size)
        assert right / left == pytest.approx(1000 ** (0.022))
    x = paper.spec["spec"]["layer"][1]["encoding"]["x"]
    assert x["scale"]["type"] == "log"
    assert x["axis"]["values"] == list(sizes)
    assert paper.spec["spec"]["layer"][1]["mark"]["type"] == "line"
    # Two students of one size, or one whose size is not known, would hide one another or have no place.
    for case, counts in (("alike", (10**6, 10**6, 10**9)), ("unknown", (10**6, 10**7, None))):
        made = grid(tmp_path / case, weak=["static:w"], sizes=counts, n=60)
        (paper,) = drawn(FOR_PAPERS, Scene(read([made])))
        assert "parameters" not in paper.columns
        assert "log" not in str(paper.spec)


def test_each_of_several_supervisors_has_a_panel_with_its_own_line(tmp_path: Path) -> None:
    made = Scene(read([grid(tmp_path / "two", weak=["static:a", "static:b"], n=60)]))
    (paper,) = drawn(FOR_PAPERS, made)
    (rows,) = paper.panels.values()
    assert paper.spec["facet"]["sort"] == ["reviews, by static:a", "reviews, by static:b"]
    assert {row["series"] for row in rows} == {"naive", "confidence", "the truth"}
    for weak in ("static:a", "static:b"):
        own = {row["weak"] for row in rows if row["task"].endswith(weak) and row["series"] != "the truth"}
        cells = [cell for cell in made.cells if cell["weak"] == weak]
        assert own == {cells[0]["weak_accuracy"]["estimate"]}
        assert sum(row["task"].endswith(weak) for row in rows) == len(cells) + len({cell["strong"] for cell in cells})


def test_one_task_has_no_figure_over_tasks(tmp_path: Path) -> None:
    made = folder(tmp_path / "run", {"zebra": ACCURACIES["zebra"]}, n=60)
    assert [one.name for one in drawn(FOR_PAPERS, Scene(read([made])))] == ["paper"]
    assert not {figure.name for figure in FIGURES} & {"paper", "tasks"}  # the page does not have them


@pytest.mark.parametrize("width", [240, 480])
def test_files_are_as_wide_as_asked_with_whole_titles_and_captions(run: Path, tmp_path: Path, width: int) -> None:
    made = drawn(FOR_PAPERS, Scene(read([run])))
    files = {path.name: path for path in write(made, tmp_path / "figures", width)}
    assert set(files) == {
        f"{name}.{ending}" for name in ("paper", "tasks") for ending in ("svg", "png", "pdf", "csv", "txt")
    }
    for name in ("paper", "tasks"):
        found = re.search(r'<svg[^>]* width="([\d.]+)"', files[f"{name}.svg"].read_text())
        assert found is not None
        assert float(found[1]) == pytest.approx(width, rel=0.2)
        lines = title_of("a long title " * 8, width)["text"]
        assert " ".join(lines) == ("a long title " * 8).strip()
        assert max(map(len, lines)) * 8 <= width
    assert files["paper.txt"].read_text().startswith("Students of weak labels and of the truth. After Burns et al.")
    with files["tasks.csv"].open() as file:
        assert len(list(csv.DictReader(file))) == 8


def test_plot_gives_them_too(run: Path) -> None:
    chart = outgrow.plot(outgrow.Results.read(run), "paper")
    assert chart.to_dict()["facet"]["field"] == "task"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--width", "8.5"], "--width is for --figures"),
        (["--figures", "f", "--width", "0.2"], "--width 0.2: a figure is 4 to 100 centimetres wide"),
        (["--figures", "f", "--width", "nan"], '"nan" is not a width: write a number of centimetres, as in 8.5'),
        (["--figures", "f", "--width", "12mm"], "--width 12mm: a figure is 4 to 100 centimetres wide"),
        (["--figures", "f", "--width", "8,5 cm"], '"8,5 cm" is not a width'),
    ],
)
def test_widths_that_are_none(run: Path, words: list[str], sentence: str) -> None:
    found = CliRunner().invoke(app, ["report", str(run), *words])
    assert found.exit_code != 0
    assert sentence in str(found.exception)
