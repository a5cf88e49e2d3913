"""Several runs side by side: the students' paired differences from the first run, where cells share test examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.core.text.entry_names import display
from outgrow.core.text.units import plural
from outgrow.report.scene import Scene
from outgrow.report.section import Data, Section
from outgrow.report.tables.cell_tables import NAMES, TITLES, number
from outgrow.report.tables.comparison_tables import p_text
from outgrow.report.words.summary import SHOWN
from outgrow.results.between_runs import between
from outgrow.results.run_folder import Reading
from outgrow.results.statistics.comparison import holm

NUMBERS = ("student's difference", "p", "p (Holm)", "PGR's difference", "seeds", "test examples")


def _data(scene: Scene) -> Data | None:
    if len(scene.runs) < 2 or scene.live:
        return None
    first, *others = (Reading(run.results, run.asked, run.scored) for run in scene.runs)
    found = [between(first, other, scene.paired_by) for other in others]
    rows = [(run.name, row) for run, one in zip(scene.runs[1:], found, strict=True) for row in one.rows]
    corrected = holm([row["difference"]["p"] for _, row in rows])
    axes = [axis for axis in NAMES if len({display(row[axis]) for _, row in rows}) > 1]
    run_too = ["run"] if len(others) > 1 else []
    return Data(
        {
            "first": scene.runs[0].name,
            "names": [*run_too, *(TITLES[axis] for axis in axes)],
            "numbers": NUMBERS,
            "rows": [
                {
                    "names": [*(name for _ in run_too), *(display(row[axis]) for axis in axes)],
                    "numbers": _numbers(row, p),
                }
                for (name, row), p in zip(rows, corrected, strict=True)
            ],
            "counts": [
                _count(run.name, [(row, p) for (name, row), p in zip(rows, corrected, strict=True) if name == run.name])
                for run in scene.runs[1:]
            ],
            "notes": [(run.name, note) for run, one in zip(scene.runs[1:], found, strict=True) for note in one.notes],
        }
    )


def _numbers(row: Mapping[str, Any], p: float | None) -> list[str]:
    most = max(row["n_tests"])
    examples = f"{row['n_test']:,}" + (f" of {most:,}" if row["n_test"] < most else "")
    difference = row["difference"]
    texts = [number(difference), p_text(difference["p"]), p_text(p), number(row["pgr_difference"])]
    return [*texts, str(len(row["seeds"])), examples]


def _count(name: str, rows: Sequence[tuple[Mapping[str, Any], float | None]]) -> dict[str, str]:
    """In how many cells a run's students are shown to be more or less accurate than the first run's."""
    shown = [
        row["difference"]["estimate"] for row, p in rows if p is not None and p < SHOWN and row["covers"] != "seeds"
    ]
    more, less = sum(value > 0 for value in shown), sum(value < 0 for value in shown)
    if not rows:
        return {"name": name, "text": "no cell can be compared."}
    parts = [f"{word} accurate in {count:,}" for word, count in (("more", more), ("less", less)) if count]
    verdict = f"its students are {' and '.join(parts)}" if parts else "no difference is shown in any"
    mean = sum(row["difference"]["estimate"] for row, _ in rows) / len(rows)
    points = f"{100 * mean:+.1f}".replace("-", "−")
    return {"name": name, "text": f"{verdict} of {plural(len(rows), 'cell')} ({points} points on average)."}


RUNS = Section("runs", "Runs", _data)
