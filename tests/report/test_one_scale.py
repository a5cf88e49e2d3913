"""Panels that show one quantity have axes alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from folders import folder
from grids import grid

from outgrow.report.figures.catalogue import FIGURES
from outgrow.report.figures.figure import Drawn, drawn
from outgrow.report.figures.forms import rows_with_intervals
from outgrow.report.figures.one_scale import on_one_scale
from outgrow.report.scene import Scene, read


def domains(figure: Drawn, channel: str) -> list[Any]:
    """The domain of each layer along a channel, where it has one."""
    axes = [layer["encoding"].get(channel, {}) for layer in figure.spec["layer"]]
    return [axis.get("scale", {}).get("domain") for axis in axes if axis]


def test_axes_reach_over_all_panels(tmp_path: Path) -> None:
    tasks = {
        "low": {"weak": 0.55, "ceiling": 0.7, "naive": 0.6},
        "high": {"weak": 0.8, "ceiling": 0.95, "naive": 0.9},
    }
    made = {one.name: one for one in drawn(FIGURES, Scene(read([folder(tmp_path / "two", tasks)])))}
    accuracy = made["accuracy"]
    rows = [row for panel in accuracy.panels.values() for row in panel]
    ends = [min(row["low"] for row in rows), max(row["high"] for row in rows)]
    assert ends[0] < 0.55
    assert ends[1] > 0.95
    found = domains(accuracy, "x")
    assert found == [ends] * len(found)
    assert len(found) >= 2
    # A figure of one panel has the axis that fits it.
    (alone,) = drawn([accuracy.figure], Scene(read([folder(tmp_path / "one", {"low": tasks["low"]})])))
    assert domains(alone, "x") == [None] * len(found)


def test_a_very_wide_interval_is_cut_off_and_no_estimate_is() -> None:
    spec = rows_with_intervals("PGR", "method", 1, rule=[0, 1])
    panels = {
        "narrow": [{"row": "a", "method": "m", "estimate": 0.5, "low": 0.4, "high": 0.6}],
        "wide": [{"row": "a", "method": "m", "estimate": 2.5, "low": -40.0, "high": 60.0}],
    }
    for limits, domain, cut in (((-1.0, 2.0), [-1.0, 2.5], True), (None, [-40.0, 60.0], False)):
        made = on_one_scale(spec, panels, limits)
        axes = [layer["encoding"]["x"]["scale"] for layer in made["layer"]]
        assert [axis["domain"] for axis in axes] == [domain] * len(axes)
        assert all(layer["mark"]["clip"] is cut for layer in made["layer"])
    # Lines of a layer's own at 0 and 1 are on the axis, and so is 0 where the axis starts there.
    inside = on_one_scale(spec, {"narrow": panels["narrow"], "again": panels["narrow"]}, None)
    assert inside["layer"][1]["encoding"]["x"]["scale"]["domain"] == [0.0, 1.0]


@pytest.mark.parametrize("name", ["pgr_weak_strong", "learning_curves"])
def test_names_and_two_quantities_are_left_alone(tmp_path: Path, name: str) -> None:
    scene = Scene(read([grid(tmp_path / "run", tasks=["a", "b"], seeds=[0, 1], n=60, curves=True)]))
    (found,) = drawn([one for one in FIGURES if one.name == name], scene)
    assert len(found.panels) > 1
    assert set(map(str, domains(found, "x") + domains(found, "y"))) == {"None"}
