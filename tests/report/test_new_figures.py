"""A figure and a section of one's own, each an object: they are shown and saved like those of this package."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from browser import Opened, chromium
from grids import grid

from outgrow.report.figure_files import write as write_figures
from outgrow.report.figures.catalogue import FIGURES
from outgrow.report.figures.figure import Figure, drawn, ends, panel_key
from outgrow.report.figures.forms import ROW, finished, start_chart
from outgrow.report.page import render
from outgrow.report.scene import Scene, read
from outgrow.report.section import Data, Section
from outgrow.report.sections.catalogue import SECTIONS
from outgrow.report.tables.cell_tables import short


def bars(scene: Scene) -> dict[str, Any]:
    alt, rows = start_chart()
    return finished(rows.mark_bar().encode(x=alt.X("estimate:Q"), y=alt.Y("method:N")), height=ROW)


GAPS = Figure(
    "students",
    "Students",
    "Accuracy of each student.",
    ("method", "estimate", "low", "high"),
    lambda scene: {
        panel_key(cell, "weak", "strong"): [{"method": cell["method"], **ends(cell["student_accuracy"])}]
        for cell in scene.cells
    },
    bars,
    band="method",
)


def test_a_figure_is_drawn_and_saved(tmp_path: Path) -> None:
    runs = read([grid(tmp_path / "run", methods=["naive"], seeds=[0, 1], n=60)])
    made = drawn([*FIGURES, GAPS], Scene(runs))
    assert made[-1].name == "students"
    assert len(made[-1].panels) == 6
    files = write_figures(made[-1:], tmp_path / "figures")
    assert len(files) == 6 * 5  # SVG, PNG, PDF, CSV and the caption
    assert (tmp_path / "figures" / "students-static-small-probe-one.csv").read_text().startswith("method,estimate")


def test_a_section_shows_its_data_and_its_script_gets_them(tmp_path: Path) -> None:
    (tmp_path / "seeds.html.j2").write_text("<p>{{ text }}</p>\n<p id=seeds-list></p>\n")
    (tmp_path / "seeds.js").write_text(
        "sections.seeds = { start(data) { document.getElementById('seeds-list').textContent = data.join('+'); } };\n"
    )
    seeds = Section(
        "seeds",
        "Seeds",
        lambda scene: Data({"text": "<b>all</b> of them"}, scene.cells[0]["seeds"]) if scene.cells else None,
        script="seeds.js",
        folder=tmp_path,
    )
    runs = read([grid(tmp_path / "run", seeds=[0, 1], n=60)])
    text = render(runs, sections=[*SECTIONS, seeds])
    assert re.search(r'<a href="#seeds">Seeds</a>', text)
    assert "&lt;b&gt;all&lt;/b&gt; of them" in text
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["seeds"] == [0, 1]
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    with chromium() as browser:
        shown = Opened(browser, tmp_path / "page.html")
        assert shown.page.locator("#seeds-list").text_content() == "0+1"
        shown.close()
    assert "Seeds" not in render([], sections=[*SECTIONS, seeds])


def test_each_seed_s_value_is_in_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = read([grid(tmp_path / "run", strong=["probe:one"], seeds=[3, 1], n=60)])
    made = {one.name: one for one in drawn(FIGURES, Scene([run]))}
    for name, key in (("accuracy", "student_accuracy"), ("pgr", "pgr")):
        (rows,) = made[name].panels.values()
        shown = [row["by_seed"] for row in rows if row.get("role") in (None, "student")]
        values = [short(one[key]) for one in run.results.runs]
        assert shown == [", ".join(values[place : place + 2]) for place in range(0, len(values), 2)]
        assert "by_seed" in str(made[name].spec)
    one_seed = grid(tmp_path / "one", seeds=[0], n=60)
    monkeypatch.setattr("outgrow.report.scene.MOST_OF_SEEDS", 7)
    for scene in (Scene(read([one_seed])), Scene([run])):  # 4 cells of 2 seeds
        for figure in drawn(FIGURES, scene):
            assert "by_seed" not in str(figure.spec)
            assert "by_seed" not in figure.columns
