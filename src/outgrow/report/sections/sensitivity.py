"""How PGR moves with the strength of regularisation, where the experiment asked for it."""

from __future__ import annotations

from outgrow.report.scene import Scene
from outgrow.report.section import Data, Section
from outgrow.report.sections.cells import telling
from outgrow.report.tables.cell_tables import number
from outgrow.report.words.sensitivity import SENSITIVITY as SHOWS
from outgrow.report.words.sensitivity import sensitivities


def _data(scene: Scene) -> Data | None:
    cells = [cell for cell in scene.cells if cell.get("sensitivity")]
    if not cells:
        return None
    header, named = telling(cells)
    rows = [
        [*own, f"{point['l2']:g}", *map(number, SHOWS.intervals(point))]
        for cell, own in zip(cells, named, strict=True)
        for point in cell["sensitivity"]
    ]
    titles = [*header, "l2", *SHOWS.columns.values()]
    return Data({"header": titles, "rows": rows, "names": len(header), "sentences": sensitivities(cells)})


SENSITIVITY = Section("sensitivity", "Sensitivity to l2", _data)
