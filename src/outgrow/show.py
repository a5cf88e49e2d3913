"""Cells as a table: for the terminal, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from outgrow.specs import display

if TYPE_CHECKING:
    from rich.table import Table

NAMES = ("task", "weak", "strong", "method")
NUMBERS = ("weak_accuracy", "student_accuracy", "ceiling_accuracy", "pgr")
TITLES = {
    "task": "task",
    "weak": "weak supervisor",
    "strong": "strong student",
    "method": "method",
    "seeds": "seeds",
    "weak_accuracy": "weak",
    "student_accuracy": "student",
    "ceiling_accuracy": "ceiling",
    "pgr": "PGR",
}

Cells = Sequence[Mapping[str, Any]]


def terminal(cells: Cells) -> Table:
    """A rich table; names that all cells share stand in its title."""
    from rich.table import Table
    from rich.text import Text

    same = [name for name in NAMES if len({display(cell[name]) for cell in cells}) == 1]
    shown = [name for name in NAMES if name not in same] if len(cells) > 1 else []
    title = "; ".join(f"{TITLES[name]} {display(cells[0][name])}" for name in NAMES if name not in shown)
    seeds = sorted({len(cell["seeds"]) for cell in cells})
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    table = Table(
        title=title, caption=f"95% intervals over {count} seed{'s' if seeds != [1] else ''} and the test examples"
    )
    if seeds == [1]:
        table.caption = "95% intervals over the test examples; one seed tells nothing of other seeds"
    for name in shown:
        table.add_column(TITLES[name], overflow="fold")
    for name in NUMBERS:
        table.add_column(TITLES[name], justify="left", no_wrap=name != "pgr")
    for cell in cells:
        table.add_row(*(Text(display(cell[name])) for name in shown), *(Text(number(cell[name])) for name in NUMBERS))
    return table


def number(interval: Mapping[str, Any], digits: int | None = None) -> str:
    """`.843 [.826, .860]`, or the reason why there is no number."""
    if interval["estimate"] is None:
        return str(interval["status"])
    low, high = (interval[end] for end in ("low", "high"))
    ends = "" if low is None or high is None else f" [{short(low)}, {short(high)}]"
    return short(interval["estimate"]) + ends


def short(value: float) -> str:
    """Three decimals without a leading zero, as tables in this field have them."""
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def rows(cells: Cells) -> list[list[str]]:
    """The table's texts, header first."""
    header = [TITLES[name] for name in (*NAMES, "seeds", *NUMBERS)]
    return [
        header,
        *(
            [
                *(display(cell[name]) for name in NAMES),
                str(len(cell["seeds"])),
                *(number(cell[name]) for name in NUMBERS),
            ]
            for cell in cells
        ),
    ]


def markdown(cells: Cells) -> str:
    """A GitHub table."""
    header, *body = ([text.replace("|", r"\|").replace("\n", " ") for text in row] for row in rows(cells))
    lines = [header, ["---"] * len(header), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex(cells: Cells) -> str:
    """A `tabular` with booktabs rules."""
    escapes = {char: f"\\{char}" for char in "&%$#_{}"}
    escapes |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\n": " "}
    header, *body = (["".join(escapes.get(char, char) for char in text) for text in row] for row in rows(cells))
    lines = [" & ".join(row) + r" \\" for row in body]
    columns = "llll" + "r" + "l" * len(NUMBERS)
    head = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", " & ".join(header) + r" \\", r"\midrule"]
    return "\n".join([*head, *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def csv_text(cells: Cells) -> str:
    """One line a cell, every number in full, empty where it is undefined."""
    ends = ("estimate", "low", "high")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*NAMES, "seeds", "n_test", *(f"{name}_{end}" for name in NUMBERS for end in ends), "pgr_status"])
    for cell in cells:
        values = [cell[name][end] for name in NUMBERS for end in ends]
        writer.writerow(
            [*(display(cell[name]) for name in NAMES), len(cell["seeds"]), cell["n_test"]]
            + ["" if value is None else repr(value) for value in values]
            + [cell["pgr"]["status"]]
        )
    return out.getvalue()
