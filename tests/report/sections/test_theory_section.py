"""Misfit and overlap on the page: the numbers of the cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from browser import Opened, written
from grids import grid

from outgrow.report.tables.cell_tables import number


def test_the_table_has_the_numbers_of_the_cells(browser: Any, tmp_path: Path) -> None:
    folder = grid(tmp_path / "run", strong=["probe:one"], seeds=[0, 1], n=60)
    cells = json.loads((folder / "results.json").read_text())["cells"]
    keys = ["gain", "misfit", "gain_per_misfit", "misfit_residual"]
    shown = Opened(browser, written(folder), viewport={"width": 390, "height": 800})
    table = shown.page.locator("#theory tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('.number')].map(cell => cell.textContent))"
    )
    assert table == [[number(cell["agreement"][key]) for key in keys] for cell in cells]
    assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown.close()
