"""The table of docs/guide/label-audit.md from what `benchmarks/science/label_audit.py` measured.

python benchmarks/science/label_audit_table.py      # prints it
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FOUND = Path(__file__).with_name("label_audit.json")
SIZES = (0, 200)
NAMES = {
    "self confidence": "cleanlab, self-confidence (its default)",
    "margin": "cleanlab, normalised margin",
    "adjusted margin": "cleanlab, adjusted normalised margin",
    "audit": "**`outgrow audit`**",
}


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """Mean AUROC and precision at 100 of each, over all cells and by data set."""
    sets = list(dict.fromkeys(cell["set"] for cell in found))
    lines = [f"| AUROC, precision at 100 | {' | '.join(sets)} | mean |", f"|---|{'---|' * (len(sets) + 1)}"]
    for who, title in NAMES.items():
        for careful in SIZES if who == "audit" else SIZES[:1]:
            cells = [
                [cell[who] for cell in found if cell["careful"] == careful and name in (None, cell["set"])]
                for name in [*sets, None]
            ]
            values = [f"{auroc:.3f}, {first:.2f}" for auroc, first in (np.mean(some, axis=0) for some in cells)]
            lines.append(f"| {title}{f', {careful} careful labels' if careful else ''} | {' | '.join(values)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(json.loads(FOUND.read_text(encoding="utf-8"))))
