"""The three sentences at the top: what was asked, what came out, how sure that is."""

from __future__ import annotations

from outgrow.report.markup import isolated, sentence
from outgrow.report.scene import Scene
from outgrow.report.sections.controls import failed_first
from outgrow.report.sections.section import Data, Section
from outgrow.report.summary import summary


def _data(scene: Scene) -> Data:
    controls = failed_first(scene)
    return Data(
        {
            "sentences": [sentence(text) for text in summary(scene.cells, isolated)],
            "failed": sum(control["status"] == "failed" for control in controls),
            "controls": len(controls),
        }
    )


HEADLINE = Section("headline", "", _data)
