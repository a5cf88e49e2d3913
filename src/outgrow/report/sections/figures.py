"""The figures that have something to show, each with its data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outgrow.report.figures.catalogue import FIGURES as LISTED
from outgrow.report.figures.figure import Drawn, drawn
from outgrow.report.markup import brief
from outgrow.report.scene import Scene
from outgrow.report.section import Data, Section

MOST_ABREAST = 6  # panels of a figure that stand beside one another; of more, a list chooses one


def _data(scene: Scene) -> Data | None:
    made = drawn(LISTED, scene) if scene.cells else []
    return Data({"figures": made, "most_abreast": MOST_ABREAST}, [_embedded(one) for one in made]) if made else None


def _embedded(one: Drawn) -> dict[str, Any]:
    """A figure as its script reads it: of a column of texts, rows have the places of its distinct ones in `texts`."""
    every = [row for rows in one.panels.values() for row in rows]
    texts = [list(dict.fromkeys(t for row in every if isinstance(t := row.get(name), str))) for name in one.columns]
    places = [{text: place for place, text in enumerate(column)} for column in texts]

    def written(row: Mapping[str, Any]) -> list[Any]:
        values = [row.get(name) for name in one.columns]
        return [of[value] if value in of else brief(value) for value, of in zip(values, places, strict=True)]

    panels = [{"name": panel, "rows": [written(row) for row in rows]} for panel, rows in one.panels.items()]
    return {
        **{"name": one.name, "spec": one.spec, "columns": one.columns, "band": one.band},
        **{"texts": texts, "panels": panels},
    }


FIGURES = Section("figures", "Figures", _data, script="figures.js")
