"""What theories of weak-to-strong generalization predict the gain by, beside the gain: misfit, and overlap density."""

from __future__ import annotations

from outgrow.report.scene import Scene
from outgrow.report.section import Data, Section
from outgrow.report.sections.cells import telling
from outgrow.report.tables.cell_tables import NOTHING, agreement_view, number
from outgrow.report.words.sentences import correlations
from outgrow.results.cells import OVERLAP

SHOWN = ("gain", "misfit", "gain_per_misfit", "misfit_residual", OVERLAP)
MOST = 100  # cells in the table: the page of a large grid stays small


def _data(scene: Scene) -> Data | None:
    cells = [cell for cell in scene.cells if cell.get("agreement")]
    if not cells:
        return None
    titles = {key: title for key, title in agreement_view(cells).columns.items() if key in SHOWN}
    header, named = telling(cells)
    rows = [
        [*own, *(number(cell["agreement"].get(key, NOTHING)) for key in titles)]
        for cell, own in zip(cells[:MOST], named, strict=False)
    ]
    return Data(
        {
            "header": [*header, *titles.values()],
            "rows": rows,
            "names": len(header),
            "left": len(cells) - len(rows),
            "overlap": OVERLAP in titles,
            "sentences": correlations(cells),
        }
    )


THEORY = Section("theory", "Misfit and overlap", _data)
