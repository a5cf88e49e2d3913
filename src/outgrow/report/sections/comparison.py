"""Methods compared with one of them, which the reader chooses: by task, over tasks, and in sentences to quote."""

from __future__ import annotations

from typing import Any

from outgrow.report.scene import Scene
from outgrow.report.section import Data, Section
from outgrow.report.tables.comparison_tables import TOLD, mean_rows, rows
from outgrow.report.words.comparison_sentences import quotable
from outgrow.results.compare import Comparison

PLURALS = {"method": "methods", "strong": "students", "weak": "supervisors"}


def _data(scene: Scene) -> Data | None:
    runs = [
        {"name": name, "by": PLURALS[found[0].by], "references": [_reference(one) for one in found]}
        for name, found in scene.comparisons.items()
    ]
    return Data({"runs": runs, "several": len(scene.runs) > 1}) if runs else None


def _reference(found: Comparison) -> dict[str, Any]:
    by_task, means = rows(found), mean_rows(found)
    return {
        "against": found.against,
        "tables": [
            {"title": title, "header": table[0], "rows": table[1:], "names": table[0].index(TOLD[0])}
            for title, table in (("On average over tasks", means), ("By task", by_task))
            if len(table) > 1
        ],
        "sentences": quotable(found),
    }


COMPARISON = Section("comparison", "Comparison", _data, script="comparison.js")
