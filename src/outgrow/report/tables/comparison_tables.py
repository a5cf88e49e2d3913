"""A comparison as tables and sentences for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from outgrow.core.files.spreadsheet import harmless
from outgrow.core.text.entry_names import display
from outgrow.core.text.units import plural
from outgrow.report.tables.cell_tables import NAMES, TITLES, names_of, number, short
from outgrow.report.tables.terminal import Column, fitted, without_constants
from outgrow.results.compare import Comparison, in_seeds_and_rows
from outgrow.results.predictions import OWN

if TYPE_CHECKING:
    from rich.console import RenderableType


def shown(found: Comparison, width: int = 140) -> Iterator[RenderableType]:
    """The differences, then the averages over tasks, then the sentences on both."""
    yield _differences(found, width)
    if any(row["difference"]["p_holm"] is None or row["difference"]["p_holm"] >= 0.05 for row in found.rows):
        yield (
            "needed to detect it: how many seeds (at this test set) or test rows (at these seeds) would detect a true "
            "difference of this size in 4 of 5 experiments, at the p that Holm's correction demands."
        )
    averages = [row for row in found.across if "pgr_median" in row]
    means = [row for row in found.across if "difference" in row]
    if means:
        yield _means(found, means, width)
    if averages:
        yield _averages(averages, width)
        for row in averages:
            for task, status in row["undefined"].items():
                yield f"{_who(row)}: PGR on {task} is {status}"
    for note in found.notes:
        yield f"note: {note}"


MEANS = ("student's difference", "p (Holm)", "tasks as drawn", "its p (Holm)")
TOLD = ("student's difference", "p", "p (Holm)", "PGR's difference", "noise floor", "needed to detect it")


def _axes(found: Comparison) -> tuple[list[str], list[str]]:
    """The axes that tell rows apart, the one compared first; those that all rows share."""
    axes = [found.by, *(axis for axis in names_of(found.rows) if axis != found.by)]
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
                p_text(row["difference"]["p"]),
                p_text(row["difference"]["p_holm"]),
                number(row["pgr_difference"]),
                "" if floor is None else short(floor),
                in_seeds_and_rows(row),
            ]
        )
    return table


def mean_rows(found: Comparison) -> list[list[str]]:
    """The means over tasks as texts, header first; the header alone where there is one task."""
    means = [row for row in found.across if "difference" in row]
    axes = [axis for axis in names_of(means) if axis != "task"] if means else []
    axes = [axis for axis in axes if axis == found.by or len({display(row[axis]) for row in means}) > 1]
    body = [
        [
            *(display(row[axis]) for axis in axes),
            number(row["difference"]),
            p_text(row["difference"]["p_holm"]),
            number(row["tasks_drawn"]),
            p_text(row["tasks_drawn"]["p_holm"]),
        ]
        for row in means
    ]
    return [[*(TITLES[axis] for axis in axes), *MEANS], *body]


def csv_text(found: Comparison) -> str:
    """One line a difference, every number in full, empty where it is undefined."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    ends = ("estimate", "low", "high", "p", "p_holm")
    numbers = [f"{name}_{end}" for name in ("difference", "pgr_difference") for end in ends]
    writer.writerow([*NAMES, "by", "against", "seeds", "n_test", *numbers, "noise_floor"])
    for row in best_first(found):
        values = [row[name][end] for name in ("difference", "pgr_difference") for end in ends] + [row["noise_floor"]]
        names = [harmless(display(row[axis])) for axis in NAMES]
        writer.writerow(
            [*names, harmless(row["by"]), harmless(row["against"]), len(row["seeds"]), row["n_test"]]
            + ["" if value is None else repr(value) for value in values]
        )
    return out.getvalue()


LEAVES = {"noise floor": 5, "PGR's difference": 4, "p": 3, "needed to detect it": 2}


def _differences(found: Comparison, width: int) -> RenderableType:
    header, *body = rows(found)
    varying, shared = _axes(found)
    first, *others = (
        Column(title, [row[place] for row in body], leaves=LEAVES.get(title, 0), is_name=place < len(varying))
        for place, title in enumerate(header)
    )
    columns, same = without_constants(others)
    fixed = [(TITLES[axis], display(found.rows[0][axis])) for axis in shared]
    title = "; ".join([f"against {found.by} {found.against}", *(f"{name} {text}" for name, text in (*fixed, *same))])
    return fitted(
        [first, *columns],
        width,
        title,
        f"95% intervals and p of paired differences, crossed over seeds and examples; Holm's correction over "
        f"{plural(len(body), 'comparison')}. noise floor: the ceiling's standard deviation over seeds",
    )


def best_first(found: Comparison) -> list[Mapping[str, Any]]:
    """The rows that share all but the axis compared stay together, and of these the largest difference is first.

    Within such a group that is the order of PGR too, where supervisor and ceiling are the same.
    """
    others = [axis for axis in NAMES if axis != found.by]
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in found.rows:
        groups.setdefault(tuple(display(row[axis]) for axis in others), []).append(row)
    return [row for rows in groups.values() for row in sorted(rows, key=lambda row: -row["difference"]["estimate"])]


def p_text(value: float | None) -> str:
    """A p-value as tables have it."""
    if value is None:
        return "unknown"
    return "<.001" if value < 0.001 else short(value)


def _means(found: Comparison, means: list[Mapping[str, Any]], width: int) -> RenderableType:
    columns = [
        *_models(means),
        Column("tasks", [str(len(row["tasks"])) for row in means]),
        Column("difference", [number(row["difference"]) for row in means]),
        Column("p", [p_text(row["difference"]["p"]) for row in means], leaves=1),
        Column("p (Holm)", [p_text(row["difference"]["p_holm"]) for row in means]),
        Column("tasks as drawn", [number(row["tasks_drawn"]) for row in means]),
        Column("its p (Holm)", [p_text(row["tasks_drawn"]["p_holm"]) for row in means]),
        Column("a new task", [_new_task(row["tasks_drawn"]["new_task"]) for row in means], leaves=2),
    ]
    title = f"mean over tasks of the student's difference, against {found.by} {found.against}"
    return _titled(
        columns,
        width,
        title,
        "difference: of these tasks; tasks as drawn: over all tasks that these are a sample of (random effects, "
        "Hartung & Knapp); a new task: where the difference on one more of them lies, 95%",
    )


def _new_task(ends: Sequence[float] | None) -> str:
    return "three tasks tell" if ends is None else f"{short(ends[0])} to {short(ends[1])}"


def _averages(averages: list[Mapping[str, Any]], width: int) -> RenderableType:
    medians = [
        f"{'undefined' if row['pgr_median'] is None else short(row['pgr_median'])} of {len(row['defined'])}"
        for row in averages
    ]
    columns = [
        *_models(averages),
        Column("tasks", [str(len(row["tasks"])) for row in averages]),
        Column("ratio of sums", [number(row["pgr_ratio_of_sums"]) for row in averages]),
        Column(
            "tasks as drawn",
            [
                "" if row["pgr_ratio_of_sums_tasks_drawn"] is None else number(row["pgr_ratio_of_sums_tasks_drawn"])
                for row in averages
            ],
        ),
        Column("median", medians, leaves=1),
        Column("undefined", [", ".join(row["undefined"]) or "none" for row in averages], is_name=True),
    ]
    return _titled(
        columns,
        width,
        "PGR over tasks",
        "ratio of sums: of summed gains to summed gaps over all tasks that have both; tasks as drawn: the same ratio "
        "over all tasks that these are a sample of; median: of the defined ones",
    )


def _models(rows: list[Mapping[str, Any]]) -> list[Column]:
    return [
        Column(TITLES[axis], [display(row[axis]) for row in rows], is_name=True)
        for axis in names_of(rows)
        if axis != "task"
    ]


def _titled(columns: list[Column], width: int, title: str, caption: str = "") -> RenderableType:
    kept, same = without_constants(columns)
    return fitted(kept, width, "; ".join([title, *(f"{name} {text}" for name, text in same)]), caption)


def _who(row: Mapping[str, Any]) -> str:
    where = "" if row["test_set"] == OWN else f" tested on {row['test_set']}"
    return f"{display(row['strong'])}, taught by {display(row['weak'])} with {display(row['method'])}{where}"
