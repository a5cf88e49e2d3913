"""The tables of docs/guide/teach.md from what `benchmarks/science/teach.py` measured.

python benchmarks/science/teach_table.py      # prints them
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Cell = Mapping[str, Any]
BOTH = "confident learning, careful x 10"
OTHERS = ("cheap alone", "careful x 10", "confident learning", BOTH, "careful alone")
FOUND = Path(__file__).with_name("teach.json")


def mean(cells: Iterable[Cell], what: str) -> float:
    """The mean accuracy, in per cent."""
    values = [float(cell[what]) for cell in cells]
    return 100 * sum(values) / len(values)


def best(cells: Sequence[Cell], names: Sequence[str] = OTHERS) -> str:
    """The alternative that is right most often over all the cells."""
    return max((name for name in names if name in cells[0]), key=lambda name: mean(cells, name))


def of_size(found: Sequence[Cell], careful: int) -> list[Cell]:
    """The cells with so few careful labels."""
    return [cell for cell in found if cell["careful"] == careful]


def overall(found: Sequence[Cell]) -> list[str]:
    """A row a way of learning, a column a number of careful labels."""
    sizes = list(dict.fromkeys(cell["careful"] for cell in found))
    rows = [f"| | {' | '.join(f'{size} careful labels' for size in sizes)} |", f"|---|{'---|' * len(sizes)}"]
    names = {
        "labels": "the cheap labels themselves",
        "teach": "**`teach`**",
        "ceiling": "the truth for all (the ceiling)",
    }
    for name in ("labels", *OTHERS, "teach", "ceiling"):
        of_each = (of_size(found, size) for size in sizes)
        values = [f"{mean(cells, name):.1f}" if name in cells[0] else "" for cells in of_each]
        values = [f"**{value}**" if name == "teach" else value for value in values]
        rows.append(f"| {names.get(name, name)} | {' | '.join(values)} |")
    return rows


def cells_of(found: Sequence[Cell], careful: int) -> list[str]:
    """A row a data set, a column a kind of noise: teach, and its difference from the best single alternative."""
    cells = of_size(found, careful)
    other = best(cells)
    kinds = list(dict.fromkeys(cell["noise"] for cell in cells))
    rows = [f"| {careful} careful labels | {' | '.join(kinds)} | mean |", f"|---|{'---|' * (len(kinds) + 1)}"]
    for name in [*dict.fromkeys(cell["set"] for cell in cells), None]:
        of_set = [cell for cell in cells if name in (None, cell["set"])]
        parts = [[cell for cell in of_set if cell["noise"] == kind] for kind in kinds]
        rows.append(f"| {name or 'mean'} | {' | '.join(_beside(part, other) for part in [*parts, of_set])} |")
    return rows


def _beside(cells: Sequence[Cell], other: str) -> str:
    difference = mean(cells, "teach") - mean(cells, other)
    text = f"{mean(cells, 'teach'):.1f} ({difference:+.1f})"
    return f"**{text}**" if difference < 0 else text


def page(found: Sequence[Cell]) -> str:
    """Both tables, and what they come to in a sentence for each number of careful labels."""
    sizes = list(dict.fromkeys(cell["careful"] for cell in found))
    told = []
    for size in sizes:
        cells = of_size(found, size)
        other = best(cells)
        sets = dict.fromkeys(cell["set"] for cell in cells)
        gains = {
            name: mean(some, "teach") - mean(some, other)
            for name in sets
            if (some := [cell for cell in cells if cell["set"] == name])
        }
        gain, room = mean(cells, "teach") - mean(cells, other), mean(cells, "ceiling") - mean(cells, other)
        share = f"{100 * gain / room:.0f}% of the room to the ceiling{_without_both(cells, other)}"
        below = 100 * sum(cell["teach"] < cell["labels"] for cell in cells) / len(cells)
        worst = min(gains, key=lambda name: gains[name])
        told.append(
            f"- {size or 'Without'} careful labels: {gain:+.1f} points against the best single alternative ({other}), "
            f"{share}; at worst {gains[worst]:+.1f} on a data set ({worst}). "
            f"In {below:.0f}% of the cells the student is below its cheap labels on unseen texts."
        )
    tables = [overall(found), told, *(cells_of(found, size) for size in sizes if size in (0, 200))]
    return "\n\n".join("\n".join(part) for part in tables) + "\n"


def _without_both(cells: Sequence[Cell], other: str) -> str:
    """The gain where nobody combines two of the alternatives."""
    if other != BOTH:
        return ""
    single = best(cells, [name for name in OTHERS if name != BOTH])
    return f" ({mean(cells, 'teach') - mean(cells, single):+.1f} against the best of the others, {single})"


if __name__ == "__main__":
    print(page(json.loads(FOUND.read_text(encoding="utf-8"))))
