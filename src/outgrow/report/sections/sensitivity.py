"""How PGR moves with the strength of regularisation, where the experiment asked for it."""

from __future__ import annotations

from outgrow.report.scene import Scene, names
from outgrow.report.section import Data, Section
from outgrow.report.sections.cells import TITLES
from outgrow.report.tables.cell_tables import number
from outgrow.report.words.sensitivity import SENSITIVITY as SHOWS
from outgrow.report.words.sensitivity import sensitivities


def _data(scene: Scene) -> Data | None:
    cells = [cell for cell in scene.cells if cell.get("sensitivity")]
    if not cells:
        return None
    found = [names(cell) for cell in cells]
    vary = [name for name in TITLES if len({one[name] for one in found}) > 1]
    rows = [
        {
            "names": [one[name] for name in vary],
            "l2": f"{point['l2']:g}",
            "numbers": [*map(number, SHOWS.intervals(point))],
        }
        for cell, one in zip(cells, found, strict=True)
        for point in cell["sensitivity"]
    ]
    titles = [TITLES[name] for name in vary]
    return Data(
        {"names": titles, "numbers": [*SHOWS.columns.values()], "rows": rows, "sentences": sensitivities(cells)}
    )


SENSITIVITY = Section("sensitivity", "Sensitivity to l2", _data)
