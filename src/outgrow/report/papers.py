"""Tables for papers: LaTeX with booktabs, narrow enough for a column, and one value for each of several tasks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.core.entry_names import display
from outgrow.core.errors import UsageError
from outgrow.core.registry import nearest
from outgrow.report.tables import ACCURACIES, NAMES, TITLES, Cells, View, markdown, names_of, number, short

ESCAPES = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\n": " ",
    "×": r"$\times$",
    "…": r"\ldots{}",
}
NEEDS = "% \\usepackage{booktabs}"


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is; a hyphen before a number becomes a minus."""
    plain = "".join(ESCAPES.get(char, char) for char in text)
    return re.sub(r"(?<![\w.])-(?=\.?\d)", "$-$", plain)


def latex(table: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A `tabular` with booktabs rules, of plain texts, header first; what is the same in every row becomes a comment."""
    header, *body = table
    kept = [place for place in range(len(header)) if len(body) < 2 or len({row[place] for row in body}) > 1]
    same = [f"{header[place]} {body[0][place]}" for place in range(len(header)) if place not in kept]
    rows = [[escaped(row[place]) for place in kept] for row in body]
    return _tabular([escaped(header[place]) for place in kept], rows, [*notes, *same])


def table(cells: Cells, shows: View = ACCURACIES) -> str:
    """The cells as a `tabular` of a column's width: each interval in small print beneath its estimate.

    What all cells share becomes a comment.
    """
    titles = list(shows.columns.values())
    all_names = names_of(cells)
    names = [name for name in all_names if len(cells) < 2 or len({display(cell[name]) for cell in cells}) > 1]
    same = [f"{TITLES[name]} {display(cells[0][name])}" for name in all_names if name not in names and cells]
    seeds = sorted({len(cell["seeds"]) for cell in cells})
    rows = []
    for cell in cells:
        intervals = shows.intervals(cell)
        rows.append([*(escaped(display(cell[name])) for name in names), *(_estimate(one) for one in intervals)])
        if any(_ends(one) for one in intervals):
            rows.append([*([""] * len(names)), *(_ends(one) for one in intervals)])
    header = [escaped(text) for text in (*(TITLES[name] for name in names), *titles)]
    return _tabular(header, rows, [*same, f"seeds {', '.join(map(str, seeds))}"], right=len(titles))


def pivot(cells: Cells, axis: str, shows: View = ACCURACIES, *, latex: bool = True) -> str:
    """One column per value of an axis, the last number of `shows` (PGR) in each; bold where its interval leaves 0 out.

    Raises UsageError where there is no such axis, and where two cells would share a place.
    """
    if axis not in NAMES:
        raise UsageError(f"show: --pivot {axis}: there is no such axis{nearest(axis, NAMES)}")
    columns = list(dict.fromkeys(display(cell[axis]) for cell in cells))
    others = [name for name in NAMES if name != axis and len({display(cell[name]) for cell in cells}) > 1]
    rows: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for cell in cells:
        key = tuple(display(cell[name]) for name in others)
        rows.setdefault(key, {})[display(cell[axis])] = shows.intervals(cell)[-1]
    header = [*(TITLES[name] for name in others), *columns]
    what = list(shows.columns.values())[-1]
    if not latex:
        body = [[*key, *(_marked(found.get(column)) for column in columns)] for key, found in rows.items()]
        return markdown([header, *body])
    lines = []
    for key, found in rows.items():
        lines.append([*map(escaped, key), *(_bold(found.get(column)) for column in columns)])
        lines.append([*([""] * len(key)), *(_ends(found.get(column)) for column in columns)])
    note = f"{what}; bold where the 95% interval leaves 0 out; -- undefined"
    return _tabular([escaped(text) for text in header], lines, [note], right=len(columns))


def _tabular(header: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str], right: int = 0) -> str:
    columns = "l" * (len(header) - right) + "r" * right
    return "\n".join(
        [
            NEEDS,
            *(f"% {' '.join(note.split())}" for note in notes),
            r"\small\setlength{\tabcolsep}{3pt}",
            rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
            r"\toprule",
            " & ".join(header) + r" \\",
            r"\midrule",
            *(" & ".join(row) + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _estimate(interval: Mapping[str, Any] | None) -> str:
    if interval is None or interval["estimate"] is None:
        return "--"
    return escaped(short(interval["estimate"]))


def _ends(interval: Mapping[str, Any] | None) -> str:
    if interval is None or interval["low"] is None or interval["high"] is None:
        return ""
    return rf"{{\scriptsize [{escaped(short(interval['low']))}, {escaped(short(interval['high']))}]}}"


def _leaves_0_out(interval: Mapping[str, Any] | None) -> bool:
    return interval is not None and interval["low"] is not None and (interval["low"] > 0 or interval["high"] < 0)


def _bold(interval: Mapping[str, Any] | None) -> str:
    return rf"\textbf{{{_estimate(interval)}}}" if _leaves_0_out(interval) else _estimate(interval)


def _marked(interval: Mapping[str, Any] | None) -> str:
    if interval is None or interval["estimate"] is None:
        return "–"
    estimate, bracket, ends = number(interval).partition(" [")
    return f"{f'**{estimate}**' if _leaves_0_out(interval) else estimate}{bracket}{ends}"
