"""The sentences at the top: what was asked, what came out, which method does best, how sure that is."""

from __future__ import annotations

from outgrow.report.markup import isolated, sentence
from outgrow.report.scene import Scene
from outgrow.report.section import Data, Section
from outgrow.report.sections.controls import failed_first
from outgrow.report.words.summary import summary
from outgrow.report.words.which import which


def _data(scene: Scene) -> Data:
    controls = failed_first(scene)
    return Data(
        {
            "sentences": [sentence(text) for text in summary(scene.cells, isolated)],
            "which": [
                sentence((f"{isolated(name)}: " if len(scene.comparisons) > 1 else "") + which(found[0], isolated))
                for name, found in scene.comparisons.items()
            ],
            "failed": sum(control["status"] == "failed" for control in controls),
            "controls": len(controls),
        }
    )


HEADLINE = Section("headline", "", _data)
