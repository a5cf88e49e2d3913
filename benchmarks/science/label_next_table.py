"""The table of docs/guide/label-next.md from what `benchmarks/science/label_next.py` measured.

python benchmarks/science/label_next_table.py      # prints it
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FOUND = Path(__file__).with_name("label_next.json")
WAYS = ("random", "spread", "half by margin", "half by margin, spread", "by margin, spread", "least margin")


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """Points gained on unseen texts, and how far off and in which direction estimated accuracies are."""
    sets = list(dict.fromkeys(cell["set"] for cell in found))
    lines = [
        f"| points gained by 100 labels | {' | '.join(sets)} | mean | estimated accuracy: mean error | root mean square |",
        f"|---|{'---|' * (len(sets) + 3)}",
    ]
    for way in WAYS:
        gains = [
            np.mean([100 * (cell[way][0] - cell["before"]) for cell in found if name in (None, cell["set"])])
            for name in [*sets, None]
        ]
        off = 100 * np.array([one for cell in found for one in cell[way][1]])
        lines.append(
            f"| {way} | {' | '.join(f'{gain:+.1f}' for gain in gains)} | {off.mean():+.1f} | {np.sqrt((off**2).mean()):.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(json.loads(FOUND.read_text(encoding="utf-8"))))
