"""A comparison as tables and sentences for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from outgrow.core.entry_names import display
from outgrow.core.files.spreadsheet import harmless
from outgrow.report.tables import TITLES, number, short
from outgrow.results.compare import Comparison, in_seeds_and_rows

if TYPE_CHECKING:
    from rich.console import RenderableType


def shown(found: Comparison) -> Iterator[RenderableType]:
    """The differences, then the averages over tasks, then what is to be said of both."""
    yield _differences(found)
    if any(row["difference"]["p_holm"] is None or row["difference"]["p_holm"] >= 0.05 for row in found.rows):
        yield (
            "to show it: how many seeds (at this test set) or test rows (at these seeds) would show a true difference of "
            "this size in 4 of 5 experiments."
        )
    averages = [row for row in found.across if "pgr_median" in row]
    means = [row for row in found.across if "difference" in row]
    if means:
        yield _means(found, means)
    if averages:
        yield _averages(averages)
        for row in averages:
            for task, status in row["undefined"].items():
                yield f"{_who(row)}: PGR on {task} is {status}"
    for note in found.notes:
        yield f"note: {note}"


TOLD = ("student's difference", "p", "p (Holm)", "PGR's difference", "noise floor", "to show it")


def _axes(found: Comparison) -> tuple[list[str], list[str]]:
    """The axes that tell rows apart, the one compared first; those that all rows share."""
    axes = [found.by, *(axis for axis in ("task", "weak", "strong", "method") if axis != found.by)]
    varying = [axis for axis in axes if axis == found.by or len({display(row[axis]) for row in found.rows}) > 1]
    return varying, [axis for axis in axes if axis not in varying and found.rows]


def rows(found: Comparison) -> list[list[str]]:
    """The differences as texts, header first, the largest first."""
    varying, _ = _axes(found)
    table = [[*(TITLES[axis] for axis in varying), *TOLD]]
    for row in best_first(found):
        floor = row["noise_floor"]
        table.append(
            [
                *(display(row[axis]) for axis in varying),
                number(row["difference"]),
                _p(row["difference"]["p"]),
                _p(row["difference"]["p_holm"]),
                number(row["pgr_difference"]),
                "" if floor is None else short(floor),
                in_seeds_and_rows(row),
            ]
        )
    return table


def csv_text(found: Comparison) -> str:
    """One line a difference, every number in full, empty where it is undefined."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    ends = ("estimate", "low", "high", "p", "p_holm")
    numbers = [f"{name}_{end}" for name in ("difference", "pgr_difference") for end in ends]
    writer.writerow(["task", "weak", "strong", "method", "by", "against", "seeds", "n_test", *numbers, "noise_floor"])
    for row in best_first(found):
        values = [row[name][end] for name in ("difference", "pgr_difference") for end in ends] + [row["noise_floor"]]
        names = [harmless(display(row[axis])) for axis in ("task", "weak", "strong", "method")]
        writer.writerow(
            [*names, harmless(row["by"]), harmless(row["against"]), len(row["seeds"]), row["n_test"]]
            + ["" if value is None else repr(value) for value in values]
        )
    return out.getvalue()


def _differences(found: Comparison) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    varying, shared = _axes(found)
    fixed = [f"{TITLES[axis]} {display(found.rows[0][axis])}" for axis in shared]
    count = len(found.rows)
    table = Table(
        title="; ".join([f"against {found.by} {found.against}", *fixed]),
        caption=f"95% intervals and p of paired differences, crossed over seeds and examples; Holm's correction over "
        f"{count} comparison{'' if count == 1 else 's'}. noise floor: the ceiling's standard deviation over seeds",
    )
    header, *body = rows(found)
    for place, title in enumerate(header):
        table.add_column(title, overflow="fold" if place < len(varying) else "ellipsis")
    for texts in body:
        table.add_row(*map(Text, texts))
    return table


def best_first(found: Comparison) -> list[Mapping[str, Any]]:
    """The rows that share all but the axis compared stay together, and of these the largest difference is first.

    Within such a group that is the order of PGR too: supervisor and ceiling are the same.
    """
    others = [axis for axis in ("task", "weak", "strong", "method") if axis != found.by]
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in found.rows:
        groups.setdefault(tuple(display(row[axis]) for axis in others), []).append(row)
    return [row for rows in groups.values() for row in sorted(rows, key=lambda row: -row["difference"]["estimate"])]


def _p(value: float | None) -> str:
    if value is None:
        return "unknown"
    return "<.001" if value < 0.001 else short(value)


def _means(found: Comparison, rows: list[Mapping[str, Any]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"mean over tasks of the student's difference, against {found.by} {found.against}")
    for title in ("weak supervisor", "strong student", "method", "tasks", "difference", "p", "p (Holm)"):
        table.add_column(title)
    for row in rows:
        values = [display(row[axis]) for axis in ("weak", "strong", "method")]
        values += [str(len(row["tasks"])), number(row["difference"])]
        values += [_p(row["difference"]["p"]), _p(row["difference"]["p_holm"])]
        table.add_row(*(Text(value) for value in values))
    return table


def _averages(rows: list[Mapping[str, Any]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title="PGR over tasks",
        caption="ratio of sums: of summed gains to summed gaps over all tasks that have both; median: of the defined ones",
    )
    for title in ("weak supervisor", "strong student", "method", "tasks", "ratio of sums", "median", "undefined"):
        table.add_column(title)
    for row in rows:
        values = [display(row[axis]) for axis in ("weak", "strong", "method")]
        median = "undefined" if row["pgr_median"] is None else short(row["pgr_median"])
        values += [str(len(row["tasks"])), number(row["pgr_ratio_of_sums"]), f"{median} of {len(row['defined'])}"]
        values.append(", ".join(row["undefined"]) or "none")
        table.add_row(*(Text(value) for value in values))
    return table


def _who(row: Mapping[str, Any]) -> str:
    return f"{display(row['strong'])}, taught by {display(row['weak'])} with {display(row['method'])}"
