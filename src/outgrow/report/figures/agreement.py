"""The shares of the supervisor's mistakes that students copy and correct."""

from __future__ import annotations

from outgrow.report.figures.figure import Figure, Key, Row, Rows, ends, label_lines, labelled, models, panel_key, run_of
from outgrow.report.figures.forms import rows_with_intervals
from outgrow.report.scene import Scene


def _rows(scene: Scene) -> Rows:
    rows: dict[Key, list[Row]] = {}
    for cell, label in labelled(scene):
        found = cell.get("agreement") or {}
        for outcome, alone in (("mistakes_copied", "copied"), ("mistakes_corrected", "corrected")):
            if found.get(outcome, {}).get("estimate") is not None:
                row = {**run_of(scene, cell), **models(cell), "row": label, "outcome": alone, **ends(found[outcome])}
                row["independent"] = found.get(f"{alone}_if_independent", {}).get("estimate")
                rows.setdefault(panel_key(cell, "task", "test_set", "strong"), []).append(row)
    return rows


AGREEMENT = Figure(
    "agreement",
    "The supervisor's mistakes: copied and corrected",
    "Of the test examples where the supervisor is wrong. The tick is what two models of these accuracies with independent "
    "errors would show.",
    ("run", "weak", "method", "row", "outcome", "estimate", "low", "high", "independent"),
    _rows,
    lambda scene: rows_with_intervals("share of its mistakes", "outcome", label_lines(scene), "independent"),
    band="row",
)
