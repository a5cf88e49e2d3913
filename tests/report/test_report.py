"""The report as a browser shows it: everything works, nothing is loaded, and nothing of the data does anything."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Opened, column, written
from grids import grid

from outgrow.report.tables.cell_tables import number, short
from outgrow.results.run_results import Results


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(grid(tmp_path_factory.mktemp("report") / "grid", curves=True))


@pytest.fixture
def opened(browser: Any, run: Path) -> Iterator[Any]:
    shown = Opened(browser, run)
    yield shown.page
    shown.close()


def embedded(page: Any) -> Any:
    """The page's data, its figures with the texts that their rows name by place."""
    data = json.loads(page.locator("#data").text_content())
    for figure in data["figures"]:
        for panel in figure["panels"]:
            panel["rows"] = [
                [
                    of[value] if of and value is not None else value
                    for value, of in zip(row, figure["texts"], strict=True)
                ]
                for row in panel["rows"]
            ]
    return data


def test_cells_sort(opened: Any) -> None:
    before = column(opened, "pgr")
    head = opened.locator("th[data-column=pgr]")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    falling = [float(value) for value in column(opened, "pgr")]
    assert falling == sorted(map(float, before), reverse=True)
    assert falling != [float(value) for value in before]
    head.locator("button").press("Enter")
    assert [float(value) for value in column(opened, "pgr")] == falling[::-1]
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "none"
    assert column(opened, "pgr") == before
    opened.locator("th[data-column=strong] button").click()
    assert column(opened, "strong") == sorted(column(opened, "strong"))


def test_cells_filter(opened: Any) -> None:
    opened.select_option("#filter-weak", "static:large")
    assert set(column(opened, "weak")) == {"static:large"}
    assert opened.locator("#cells-count").text_content() == "6 of 12 cells are shown."
    opened.fill("#filter-text", "PROBE:TWO")
    assert column(opened, "strong") == ["probe:two", "probe:two"]
    opened.fill("#filter-text", "no such name")
    assert column(opened, "strong") == []
    opened.fill("#filter-text", "")
    opened.select_option("#filter-weak", "")
    assert len(column(opened, "weak")) == 12
    assert opened.locator("#cells-count").text_content() == ""


def test_cells_are_saved_undefined_ones_as_nothing(browser: Any, tmp_path: Path) -> None:
    run = grid(tmp_path / "run", weak=["static:w"], strong=["probe:s"], methods=["naive"], gap=0.0, n=60)
    shown = Opened(browser, written(run))
    with shown.page.expect_download() as waited:
        shown.page.click("#cells-csv")
    head, line = Path(waited.value.path()).read_text().splitlines()
    row = dict(zip(head.split(","), line.split(","), strict=True))
    (cell,) = Results.read(run).cells
    for name in ("student_accuracy", "gain"):
        for end, column_name in (("estimate", name), ("low", f"{name}_low"), ("high", f"{name}_high")):
            assert float(row[column_name]) == pytest.approx(cell[name][end], abs=1e-6)
    assert [row[name] for name in ("pgr", "pgr_low", "pgr_high")] == ["", "", ""]
    assert shown.page.locator("#cells-table tbody .pgr .bar").count() == 0
    assert shown.page.locator("#cells-table tbody .student .bar .end").count() == 2
    shown.close()


def test_the_theme_follows_the_system_and_the_button(browser: Any, run: Path) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(20, 22, 26)"
    for scheme, first, second in (("light", light, dark), ("dark", dark, light)):
        shown = Opened(browser, run, color_scheme=scheme)
        assert shown.page.evaluate(ground) == first
        ink = shown.page.evaluate("getComputedStyle(document.querySelector('.role-axis-label text')).fill")
        shown.page.click("#theme")
        assert shown.page.evaluate(ground) == second
        assert shown.page.evaluate("getComputedStyle(document.querySelector('.role-axis-label text')).fill") != ink
        shown.page.emulate_media(media="print")
        assert shown.page.evaluate(ground) == light
        shown.close()


def test_a_tool_tip_says_the_numbers(opened: Any, run: Path) -> None:
    point = opened.locator("#figure-pgr .mark-symbol.role-mark path").first
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    opened.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = opened.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    said = dict(tip.locator("tr").evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"))
    figure = next(one for one in embedded(opened)["figures"] if one["name"] == "pgr")
    row = dict(zip(figure["columns"], figure["panels"][0]["rows"][0], strict=True))
    assert said == {
        "weak supervisor": row["weak"],
        "method": row["method"],
        "estimate": f"{row['estimate']:.3f}",
        "95% from": f"{row['low']:.3f}",
        "95% to": f"{row['high']:.3f}",
        "by seed": row["by_seed"],
    }
    seeds = [one for one in Results.read(run.parent).runs if one["strong"] == "probe:one"][:3]
    assert row["by_seed"] == ", ".join(short(one["pgr"]) for one in seeds)


def test_examples_are_found(opened: Any) -> None:
    opened.fill("#example-text", "Example 17")
    texts = opened.locator(".example-text").all_text_contents()
    assert sorted(texts) == sorted(f"reviews example {n}" for n in (17, *range(170, 180)) if n < 200)
    opened.fill("#example-text", "")
    opened.select_option("#example-kind", "")
    shown = opened.locator("#example-list li").count()
    opened.click("#example-more")
    assert opened.locator("#example-list li").count() == 2 * shown


def test_an_address_opens_its_example(browser: Any, run: Path, opened: Any) -> None:
    last = embedded(opened)["examples"]["tasks"][0]["ids"][-1]
    shown = Opened(browser, f"{run.as_uri()}#example-{last}")
    item = shown.page.locator(f"#example-{last}")
    item.wait_for()
    assert item.evaluate("one => one.getBoundingClientRect().top < innerHeight")
    first = shown.page.locator("#example-list li").first
    first.locator(".example-link").click()
    assert shown.page.evaluate("location.hash.slice(1)") == first.get_attribute("id")
    shown.close()


def test_figures_are_saved(opened: Any) -> None:
    figure = next(one for one in embedded(opened)["figures"] if one["name"] == "pgr")
    for kind, begins in (("svg", b"<svg"), ("png", b"\x89PNG"), ("csv", b"weak,method,row,estimate")):
        with opened.expect_download() as waited:
            opened.locator(f"#figure-pgr [data-save={kind}]").first.click()
        content = Path(waited.value.path()).read_bytes()
        assert content.startswith(begins)
        assert waited.value.suggested_filename.endswith(kind)
    assert len(content.decode().splitlines()) == len(figure["panels"][0]["rows"]) + len(figure["panels"][0]["rows"]) + 1


def test_every_chart_agrees_with_the_table(opened: Any, run: Path) -> None:
    cells = Results.read(run.parent).cells
    data = {figure["name"]: figure for figure in embedded(opened)["figures"]}
    assert list(data) == ["accuracy", "pgr_weak_strong", "pgr", "agreement", "calibration", "learning_curves"]
    for key in ("weak_accuracy", "student_accuracy", "ceiling_accuracy", "pgr"):
        place = opened.eval_on_selector_all("#cells-table th", "heads => heads.map(head => head.dataset.column)").index(
            key
        )
        rows = opened.locator("#cells-table tbody tr")
        shown = rows.evaluate_all(
            f"rows => rows.map(row => ({{...row.cells[{place}].dataset, text: row.cells[{place}].textContent.trim()}}))"
        )
        for cell, one in zip(cells, shown, strict=True):
            assert [float(one[end]) for end in ("value", "low", "high")] == [
                round(cell[key][end], 6) for end in ("estimate", "low", "high")
            ]
            assert " ".join(one["text"].split()) == number(cell[key])
    table = {(cell["weak"], cell["strong"], cell["method"]): cell for cell in cells}
    for name, key in (("pgr", "pgr"), ("pgr_weak_strong", "pgr")):
        drawn = 0
        for panel in data[name]["panels"]:
            for values in panel["rows"]:
                row = dict(zip(data[name]["columns"], values, strict=True))
                names = (row["weak"], row.get("strong") or panel["name"], row.get("method") or panel["name"])
                assert {end: row[end] for end in ("estimate", "low", "high")} == {
                    end: round(table[names][key][end], 6) for end in ("estimate", "low", "high")
                }
                drawn += 1
        assert drawn == len(cells)
    for panel in data["agreement"]["panels"]:
        for values in panel["rows"]:
            row = dict(zip(data["agreement"]["columns"], values, strict=True))
            found = table[row["weak"], panel["name"], row["method"]]["agreement"]
            assert row["estimate"] == round(found[f"mistakes_{row['outcome']}"]["estimate"], 6)
            assert row["independent"] == round(found[f"{row['outcome']}_if_independent"]["estimate"], 6)
    for panel in data["accuracy"]["panels"]:
        for values in panel["rows"]:
            row = dict(zip(data["accuracy"]["columns"], values, strict=True))
            if row["weak"] is None:
                assert row["estimate"] in [
                    round(c["ceiling_accuracy"]["estimate"], 6) for c in cells if c["strong"] == row["strong"]
                ]
            else:
                cell = table[row["series"].removeprefix("taught by "), row["strong"], panel["name"]]
                assert row["estimate"] == round(cell["student_accuracy"]["estimate"], 6)
                assert row["weak"] == round(cell["weak_accuracy"]["estimate"], 6)


def test_few_panels_stand_beside_one_another(opened: Any) -> None:
    figures = {one["name"]: one for one in embedded(opened)["figures"]}
    assert opened.locator("select.panel").count() == 0  # none has more than six
    for name, figure in figures.items():
        titles = opened.locator(f"#figure-{name} .panel-title").all_text_contents()
        assert titles == [panel["name"] for panel in figure["panels"]]
        charts = opened.locator(f"#figure-{name} .chart")
        drawn = [chart.locator("svg .role-mark path").all() for chart in charts.all()]
        assert len(drawn) == len(titles) > 1
        assert all(len(marks) > 1 for marks in drawn)
        shown = [chart.inner_html() for chart in charts.all()]
        assert len(set(shown)) == len(shown)
        opened.locator(f"#rows-{name} summary").click()
        rows = opened.locator(f"#rows-{name} tbody tr")
        rows.first.wait_for()  # the browser reports that details open a moment later
        assert rows.count() == sum(len(panel["rows"]) for panel in figure["panels"])
        assert rows.last.locator("td").first.text_content() == titles[-1]
    with opened.expect_download() as waited:
        opened.locator("#figure-pgr [data-save=csv]").last.click()
    assert waited.value.suggested_filename == "pgr-probe-three.csv"


def test_one_of_many_panels_is_chosen(browser: Any, tmp_path: Path) -> None:
    strong = [f"probe:{number}" for number in range(7)]
    shown = Opened(browser, written(grid(tmp_path / "run", strong=strong, methods=["naive"], seeds=[0, 1], n=60)))
    page = shown.page
    assert page.locator("#figure-pgr select.panel option").all_text_contents() == strong
    marks = page.locator("#figure-pgr svg .role-mark path")
    before = marks.evaluate_all("marks => marks.map(mark => mark.outerHTML)")
    page.select_option("#panel-pgr", index=6)
    page.wait_for_selector("#figure-pgr .chart[data-panel='6']")
    assert marks.evaluate_all("marks => marks.map(mark => mark.outerHTML)") != before
    with page.expect_download() as waited:
        page.click("#figure-pgr [data-save=csv]")
    assert waited.value.suggested_filename == "pgr-probe-6.csv"
    shown.close()


def test_the_keyboard_reaches_all(opened: Any) -> None:
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    opened.keyboard.press("Enter")
    assert opened.evaluate("document.activeElement.id") == "content"
    reached = set()
    for _ in range(160):
        opened.keyboard.press("Tab")
        reached.add(opened.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {
        "filter-text",
        "filter-weak",
        "sort",
        "cells-csv",
        "example-cell",
        "example-text",
        "quiet copy no-print",
    } <= reached


@pytest.mark.slow
def test_500_cells_are_under_3_mb(browser: Any, tmp_path: Path) -> None:
    folder = grid(
        tmp_path / "large",
        weak=[f"static:supervisor-{number}" for number in range(10)],
        strong=[f"probe:student-{number}" for number in range(10)],
        methods=[f"method{number}" for number in range(5)],
        seeds=[0, 1],
        n=300,
        texts=["a sentence of about the length that reviews have, with a clause or two in it, and its number"],
    )
    page = written(folder)
    assert page.stat().st_size < 3_200_000  # and 1,000 under 5 MB: benchmarks/speed/report.py
    shown = Opened(browser, page)
    assert shown.page.locator("#cells-table tbody tr").count() == 500
    shown.close()
