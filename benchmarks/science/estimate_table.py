"""The table of docs/guide/estimate.md from what `benchmarks/science/estimate.py` measured.

python benchmarks/science/estimate_table.py      # prints it
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FOUND = Path(__file__).with_name("estimate.json")


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """How often intervals hold the truth, how wide they are, and the median worth."""
    lines = [
        "| | careful labels | intervals that hold the truth | mean width | worth (median) | by careful labels alone | "
        "mean width |",
        "|---|---|---|---|---|---|---|",
    ]
    keys = dict.fromkeys((cell["set"], cell["careful"], cell["what"] == "labels") for cell in found)
    for name, careful, of_labels in keys:
        cells = [
            one for one in found if (one["set"], one["careful"], one["what"] == "labels") == (name, careful, of_labels)
        ]
        truth = np.array([one["truth"] for one in cells])
        low, high, alone_low, alone_high = np.array([one["ends"] for one in cells]).T
        what = "cheap labels that are right" if of_labels else "class shares"
        held, alone = ((low <= truth) & (truth <= high)).mean(), ((alone_low <= truth) & (truth <= alone_high)).mean()
        worth = np.median([one["worth"] for one in cells])
        lines.append(
            f"| {name}, {what} | {careful} | {held:.1%} of {len(cells)} | {(high - low).mean():.3f} | {worth:.0f} | "
            f"{alone:.1%} | {(alone_high - alone_low).mean():.3f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(json.loads(FOUND.read_text(encoding="utf-8"))))
