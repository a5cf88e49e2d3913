"""Cells as a table: for the terminal, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

from outgrow.core.files.spreadsheet import harmless
from outgrow.core.text.entry_names import display
from outgrow.report.tables.interval_bars import pgr_bars
from outgrow.report.tables.terminal import Column, fitted, without_constants
from outgrow.results.cells import OVERLAP
from outgrow.results.diagnostics.no_supervisor import BEYOND
from outgrow.results.metrics.scores import ACCURACY, Metric
from outgrow.results.predictions import OWN
from outgrow.results.statistics.recovery import gain_key, pgr_key

if TYPE_CHECKING:
    from rich.table import Table


NAMES = ("task", "test_set", "weak", "strong", "method")
TITLES = {
    "task": "task",
    "test_set": "test set",
    "weak": "weak supervisor",
    "strong": "strong student",
    "method": "method",
    "seeds": "seeds",
}

Cells = Sequence[Mapping[str, Any]]
UNDETERMINED = "not determined"  # --json and --csv have the interval
NOTHING = {"estimate": None, "low": None, "high": None, "status": "undefined: weak labels do not cover test"}


@dataclass(frozen=True)
class View:
    """Which intervals of a cell a table shows: title by key, and what to say of them all."""

    columns: Mapping[str, str]
    part: str | None = None  # the key of the cell that holds them; None: the cell itself
    caption: str = ""
    in_order: bool = False  # cells stay as they are; else the best PGR comes first

    def intervals(self, cell: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """One a column."""
        holder = cell if self.part is None else cell.get(self.part) or {}
        return [holder.get(key, NOTHING) for key in self.columns]


def view(metric: Metric, cells: Cells = ()) -> View:
    """The three models in one metric, gain and PGR of it, and of accuracy what is beyond no supervisor, where cells have it."""
    columns = {f"{role}_{metric.name}": role for role in ("weak", "student", "ceiling")}
    caption = "" if metric is ACCURACY else f"{metric.title}{'' if metric.higher_is_better else ' (less is better)'}; "
    beyond = metric is ACCURACY and any(BEYOND in cell for cell in cells)
    more = {BEYOND: "beyond none"} if beyond else {}
    return View({**columns, gain_key(metric): "gain", **more, pgr_key(metric): "PGR"}, caption=caption)


ACCURACIES = view(ACCURACY)
MARGIN = View(
    ACCURACIES.columns,
    caption="In thirds of the test rows by the margin of the weak label, its likeliest class above the next (the mean over "
    "seeds); ",
    in_order=True,
)


def agreement_view(cells: Cells) -> View:
    """Student and supervisor on the test rows, and the overlap density of transfer where a cell has it."""
    caption = (
        "Student and supervisor; of the supervisor's mistakes: copied, copied if independent, the ceiling's own, corrected; "
        "residual: gain less misfit in squared distance"
    )
    columns = {
        "agreement": "agreement",
        "agreement_where_right": "where right",
        "mistakes_copied": "copied",
        "copied_if_independent": "if independent",
        "mistakes_of_ceiling": "ceiling's",
        "mistakes_corrected": "corrected",
        "gain": "gain",
        "misfit": "misfit",
        "gain_per_misfit": "gain / misfit",
        "misfit_residual": "residual",
    }
    if any(OVERLAP in (cell.get("agreement") or {}) for cell in cells):
        columns[OVERLAP] = "overlap"
        caption += (
            "; overlap: the share of transfer rows that hold what the supervisor reads and what only the student can"
        )
    return View(columns, "agreement", f"{caption}. ")


def terminal(cells: Cells, shows: View = ACCURACIES, width: int = 140) -> Table:
    """A rich table within `width` characters, the best PGR first, with bars; what all cells share is in its title.

    Where it does not fit, the bars leave first, then the intervals of supervisor and ceiling, then these columns; the
    student's intervals, then those of PGR, where names would look alike without their room.
    """
    cells, bars = _by_recovery(cells, shows)
    names = [Column(TITLES[name], [display(cell[name]) for cell in cells], is_name=True) for name in names_of(cells)]
    numbers = []
    for place, title in enumerate(shows.columns.values()):
        intervals = [shows.intervals(cell)[place] for cell in cells]
        texts = [number(interval) if interval["estimate"] is not None else _reason(interval) for interval in intervals]
        estimates = [text.partition(" [")[0] for text in texts]
        leaves = {"student": 0, "PGR": 0, "gain": 1, "weak": 2, "ceiling": 2}.get(title, 3 + place)
        numbers.append(Column(title, texts, estimates if leaves or title in ("student", "PGR") else None, leaves))
    if any(bars):
        numbers.append(Column("0 to 1", bars, leaves=100))
    if len(cells) == 1:
        columns, shared = numbers, [(name.title, name.texts[0]) for name in names]
    else:
        columns, shared = without_constants([*names, *numbers])
    title = "; ".join(f"{name} {text}" for name, text in shared)
    return fitted(columns, width, title, shows.caption + over(cells))


def _reason(interval: Mapping[str, Any]) -> str:
    """Why there is no number, on lines of a number's width."""
    return fill(str(interval["status"]), 18)


def _by_recovery(cells: Cells, shows: View) -> tuple[Cells, list[str]]:
    """The cells by falling PGR, undefined ones last, and a bar of it each; as they are where no PGR is shown, or in order."""
    if "PGR" not in shows.columns.values():
        return cells, [""] * len(cells)
    place = list(shows.columns.values()).index("PGR")
    found = [(shows.intervals(cell)[place], cell) for cell in cells]
    if not shows.in_order:
        found.sort(key=lambda pair: -math.inf if pair[0]["estimate"] is None else pair[0]["estimate"], reverse=True)
    return [cell for _, cell in found], pgr_bars([interval for interval, _ in found])


def names_of(cells: Cells) -> tuple[str, ...]:
    """What names a row of a table for people: the test set too where there are others beside the tasks' own."""
    return tuple(name for name in NAMES if name != "test_set" or any(cell[name] != OWN for cell in cells))


def over(cells: Cells) -> str:
    """What the intervals are over."""
    seeds = sorted({len(cell["seeds"]) for cell in cells})
    covers = {cell["covers"] for cell in cells}
    if covers == {"nothing"}:
        return "one seed and no predictions: nothing tells how sure these are"
    if covers == {"seeds"}:
        return "95% intervals over seeds alone; the test set's own noise is left out"
    if seeds == [1]:
        return "95% intervals over the test examples; one seed tells nothing of other seeds"
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    return f"95% intervals over {count} seeds and the test examples"


def number(interval: Mapping[str, Any], digits: int | None = None) -> str:
    """`.843 [.826, .860]`, or the reason why there is no number; an interval wider than all that matters is none either."""
    if interval["estimate"] is None:
        return str(interval["status"])
    if undetermined(interval):
        return UNDETERMINED
    low, high = (interval[end] for end in ("low", "high"))
    ends = "" if low is None or high is None else f" [{short(low)}, {short(high)}]"
    return short(interval["estimate"]) + ends


def undetermined(interval: Mapping[str, Any]) -> bool:
    """Whether it holds a student that falls far below its supervisor and one that recovers the gap twice: -1 and 2."""
    low, high = interval["low"], interval["high"]
    return low is not None and high is not None and low < -1 and high > 2


def short(value: float) -> str:
    """Three decimals without a leading zero, as tables in this field have them."""
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def rows(cells: Cells, shows: View = ACCURACIES) -> list[list[str]]:
    """The table's texts, header first."""
    names = names_of(cells)
    header = [*(TITLES[name] for name in (*names, "seeds")), *shows.columns.values()]
    return [
        header,
        *(
            [
                *(display(cell[name]) for name in names),
                str(len(cell["seeds"])),
                *(number(interval) for interval in shows.intervals(cell)),
            ]
            for cell in cells
        ),
    ]


def markdown(table: Sequence[Sequence[str]]) -> str:
    """A GitHub table of texts, header first."""
    header, *body = ([text.replace("|", r"\|").replace("\n", " ") for text in row] for row in table)
    lines = [header, ["---"] * len(header), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def csv_text(cells: Cells, shows: View = ACCURACIES) -> str:
    """One line a cell, every number in full, empty where it is undefined."""
    ends = ("estimate", "low", "high")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    *_, last = shows.columns
    numbers = [f"{name}_{end}" for name in shows.columns for end in ends]
    writer.writerow([*NAMES, "seeds", "n_test", *numbers, f"{last}_status"])
    for cell in cells:
        intervals = shows.intervals(cell)
        values = [interval[end] for interval in intervals for end in ends]
        writer.writerow(
            [*(harmless(display(cell[name])) for name in NAMES), len(cell["seeds"]), cell["n_test"]]
            + ["" if value is None else repr(value) for value in values]
            + [intervals[-1]["status"]]
        )
    return out.getvalue()
