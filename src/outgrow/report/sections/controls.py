"""The controls that a run was asked for, those that failed first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outgrow.report.scene import Scene
from outgrow.report.section import Data, Section

ORDER = {"failed": 0, "noticed": 1, "ok": 2}


def failed_first(scene: Scene) -> list[Mapping[str, Any]]:
    """All runs' controls."""
    found = [control for run in scene.runs for control in run.results.controls]
    return sorted(found, key=lambda control: ORDER[control["status"]])


CONTROLS = Section("controls", "Controls", lambda scene: Data({"controls": failed_first(scene)}))
