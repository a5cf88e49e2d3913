"""The figures that have something to show, each with its data."""

from __future__ import annotations

from typing import Any

from outgrow.report.figures.catalogue import FIGURES as LISTED
from outgrow.report.figures.figure import Drawn, drawn
from outgrow.report.scene import Scene
from outgrow.report.sections.section import Data, Section

MOST_ABREAST = 6  # panels of a figure that stand beside one another; of more, a list chooses one


def _data(scene: Scene) -> Data | None:
    made = drawn(LISTED, scene) if scene.cells else []
    return Data({"figures": made, "most_abreast": MOST_ABREAST}, [_embedded(one) for one in made]) if made else None


def _embedded(one: Drawn) -> dict[str, Any]:
    panels = [
        {"name": panel, "rows": [[row.get(name) for name in one.columns] for row in rows]}
        for panel, rows in one.panels.items()
    ]
    return {"name": one.name, "spec": one.spec, "columns": one.columns, "band": one.band, "panels": panels}


FIGURES = Section("figures", "Figures", _data, script="figures.js")
