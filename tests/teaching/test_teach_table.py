"""docs/guide/teach.md shows what benchmarks/science/teach.py measured, and what it claims follows from that."""

import json
from typing import Any

import pytest
from measured import benchmark
from places import BENCHMARKS, DOCS

OTHER = "alternative on mpnet"
FOUND = json.loads((BENCHMARKS / "science" / "teach.json").read_text(encoding="utf-8"))


def test_the_page_shows_what_was_measured() -> None:
    tables = benchmark("teach_table").page(FOUND)
    assert tables in (DOCS / "guide" / "teach.md").read_text(encoding="utf-8"), (
        "run python benchmarks/science/teach_table.py"
    )
    assert len({cell["set"] for cell in FOUND}) >= 6
    assert len({cell["noise"] for cell in FOUND}) == 5


@pytest.mark.parametrize(("careful", "gain"), [(0, 1.0), (200, 2.0)])
def test_teach_is_better_than_the_best_single_alternative(careful: int, gain: float) -> None:
    table = benchmark("teach_table")
    cells = table.of_size(FOUND, careful)
    other = table.best(cells)
    assert table.mean(cells, "teach") - table.mean(cells, other) >= gain


def test_a_difference_below_the_best_alternative_stands_out() -> None:
    """Two data sets by hand: teach is 2 points below in one, 4 above in the other."""
    one = {"set": "a", "noise": "uniform", "draw": 0, "careful": 0, "labels": 0.5, "cheap alone": 0.6, "ceiling": 0.9}
    cells = [{**one, "teach": 0.58}, {**one, "set": "b", "teach": 0.64}]
    table = benchmark("teach_table").cells_of(cells, 0)
    assert table[2:] == [
        "| a | **58.0 (-2.0)** | **58.0 (-2.0)** |",
        "| b | 64.0 (+4.0) | 64.0 (+4.0) |",
        "| mean | 61.0 (+1.0) | 61.0 (+1.0) |",
    ]
    told = benchmark("teach_table").page(cells)
    assert "+1.0 points against the best single alternative (cheap alone), 3% of the room to the ceiling" in told
    assert "at worst -2.0 on a data set (a)" in told
    assert "In 0% of the cells" in told


def shown(name: str, table: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[dict[str, Any]], str]:
    """The cells that a benchmark measured, and the page, which has its table of them."""
    monkeypatch.syspath_prepend(str(BENCHMARKS / "science"))
    command = benchmark(name)
    cells = json.loads(command.FOUND.read_text(encoding="utf-8"))
    page = (DOCS / "guide" / "teach.md").read_text(encoding="utf-8")
    assert getattr(command, table)(cells) in page, f"run python benchmarks/science/{name}.py"
    return cells, page


def test_the_page_shows_what_the_choice_of_a_student_brought(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, page = shown("teach_auto", "table", monkeypatch)
    gains = {name: 100 * sum(cell["auto"] - cell[name] for cell in cells) / len(cells) for name in ("minilm", OTHER)}
    assert f"{gains['minilm']:+.1f} points against the usual student, `minilm`, and {gains[OTHER]:+.1f} against" in page
    assert gains["minilm"] > 2


def test_the_page_shows_what_students_of_voters_brought(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, _ = shown("teach_voters", "page", monkeypatch)
    joins = [cell["join"] - cell["majority"] for cell in cells]
    assert sum(joins) / len(joins) > 0
