"""Tables for papers: LaTeX with booktabs, narrow enough for a column, and one value for each of several tasks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.core.registry import nearest
from outgrow.core.text.entry_names import display
from outgrow.report.tables.cell_tables import (
    ACCURACIES,
    NAMES,
    TITLES,
    Cells,
    View,
    markdown,
    names_of,
    number,
    short,
    undetermined,
)
from outgrow.report.tables.comparison_tables import best_first, p_text
from outgrow.results.cells import ROLES
from outgrow.results.compare import Comparison, in_seeds_and_rows

ESCAPES = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    **{char: f"{{{char}}}" for char in "[]*"},  # after a line's end, LaTeX takes [ and * for an argument of it
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\n": " ",
    "×": r"$\times$",
    "−": "$-$",
    "–": "--",
    "…": r"\ldots{}",
}
NEEDS = r"% \usepackage{booktabs,graphicx}"
# What pdflatex does not set from UTF-8 by itself: all but Latin letters and the usual quotes and dashes.
BEYOND_LATIN = re.compile("[^\\u0000-\\u017f\\u2013\\u2014\\u2018-\\u201e\\u2022\\u2026\\u20ac]")
FITS = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"  # smaller where it would leave its column
SIGNS = {"--": "--: undefined", "n.d.": "n.d.: not determined, an interval that reaches below -1 and above 2"}


@dataclass(frozen=True)
class _Column:
    """A column as LaTeX: its title, and the one or two lines of each row. Plain: what a comment says where all rows agree."""

    title: str
    lines: Sequence[tuple[str, str]]
    plain: Sequence[str]
    is_name: bool = False


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is; a hyphen before a number becomes a minus, and two hyphens stay two."""
    plain = "".join(ESCAPES.get(char, char) for char in text.replace("--", "-\0-")).replace("\0", "{}")
    return re.sub(r"(?<![\w.])-(?=\.?\d)", "$-$", plain)


def table(cells: Cells, shows: View = ACCURACIES) -> str:
    """The cells as a `tabular` that is never wider than its column: each interval in small print beneath its estimate.

    What all cells share becomes a comment.
    """
    numbers = [
        _numbers(title, [shows.intervals(cell)[place] for cell in cells])
        for place, title in enumerate(shows.columns.values())
    ]
    seeds = sorted({len(cell["seeds"]) for cell in cells})
    notes = [*([shows.caption.strip("; ")] if shows.caption else []), f"seeds {', '.join(map(str, seeds))}"]
    return _tabular([*_names(cells, names_of(cells)), *numbers], notes)


def differences(found: Comparison) -> str:
    """A comparison as a `tabular`, in the form of `table`, the largest difference first."""
    rows = best_first(found)
    axes = [found.by, *(axis for axis in names_of(rows) if axis != found.by)]
    needed = [in_seeds_and_rows(row).partition(" or ") for row in rows]
    floors = ["" if row["noise_floor"] is None else short(row["noise_floor"]) for row in rows]
    columns = [
        *_names(rows, axes),
        _numbers("student's difference", [row["difference"] for row in rows]),
        _texts("p", [p_text(row["difference"]["p"]) for row in rows]),
        _texts("p (Holm)", [p_text(row["difference"]["p_holm"]) for row in rows]),
        _numbers("PGR's difference", [row["pgr_difference"] for row in rows]),
        _texts("noise floor", floors),
        _Column(
            "needed to detect it",
            [(escaped(one), _small(escaped(f"or {other}")) if other else "") for one, _, other in needed],
            [in_seeds_and_rows(row) for row in rows],
        ),
    ]
    return _tabular(columns, [f"against {found.by} {found.against}"])


def pivot(cells: Cells, axis: str, shows: View = ACCURACIES, *, latex: bool = True, of: str | None = None) -> str:
    """One column per value of an axis, one number of `shows` in each; bold where its interval leaves 0 out.

    of: the title of that number, such as gain; None: the last, PGR. Raises UsageError where there is no such axis or number.
    """
    if axis not in NAMES:
        raise UsageError(f"show: --pivot {axis}: there is no such axis{nearest(axis, NAMES)}")
    titles = list(shows.columns.values())
    what = next((title for title in titles if title.lower() == of.lower()), None) if of is not None else titles[-1]
    if what is None:
        raise UsageError(f"show: --of {of}: there is no such number{nearest(str(of), titles)}")
    place = titles.index(what)
    columns = list(dict.fromkeys(display(cell[axis]) for cell in cells))
    others = [name for name in NAMES if name != axis and len({display(cell[name]) for cell in cells}) > 1]
    rows: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for cell in cells:
        key = tuple(display(cell[name]) for name in others)
        rows.setdefault(key, {})[display(cell[axis])] = shows.intervals(cell)[place]
    header = [*(TITLES[name] for name in others), *columns]
    bold = what not in ROLES  # accuracies are all above 0
    if not latex:
        body = [[*key, *(_marked(found.get(column), bold) for column in columns)] for key, found in rows.items()]
        return markdown([header, *body])
    keys, places = list(rows), list(rows.values())
    columns_of_names = [
        _texts(TITLES[name], [key[place] for key in keys], is_name=True) for place, name in enumerate(others)
    ]
    numbers = [_numbers(column, [found.get(column) for found in places], bold=bold) for column in columns]
    notes = [f"{what}; bold where the 95% interval leaves 0 out" if bold else what]
    return _tabular([*columns_of_names, *numbers], notes, keep=True)


def _tabular(columns: Sequence[_Column], notes: Sequence[str], keep: bool = False) -> str:
    """The columns with booktabs rules; those that are the same in every row become comments, unless all are kept."""
    constant = [one for one in columns if not keep and len(one.plain) > 1 and len(set(one.plain)) == 1]
    kept = [column for column in columns if column not in constant]
    found = [*notes, *(f"{column.title} {column.plain[0]}" for column in constant if column.plain[0])]
    found += [why for sign, why in SIGNS.items() if any(sign == one for column in kept for one, _ in column.lines)]
    sides = "".join("l" if column.is_name else "r" for column in kept)
    body = []
    for lines in zip(*(column.lines for column in kept), strict=True):
        body += [[line[part] for line in lines] for part in (0, 1) if part == 0 or any(line[part] for line in lines)]
    set_as = "".join(" & ".join(row) for row in [*body, [_stacked(column) for column in kept]])
    letters = list(dict.fromkeys(BEYOND_LATIN.findall(set_as)))
    return "\n".join(
        [
            NEEDS,
            *(
                [f"% xelatex or lualatex, and a font (fontspec's \\setmainfont) that has {''.join(letters[:8])}"]
                if letters
                else []
            ),
            *(f"% {' '.join(note.split())}" for note in found),
            FITS,
            r"\small\setlength{\tabcolsep}{3pt}%",
            rf"\begin{{tabular}}{{@{{}}{sides}@{{}}}}",
            r"\toprule",
            " & ".join(_stacked(column) for column in kept) + r" \\",
            r"\midrule",
            *(" & ".join(row) + r" \\" for row in body),
            r"\bottomrule",
            r"\end{tabular}}",
            "",
        ]
    )


def _stacked(column: _Column) -> str:
    """A title on one line, or on two that are about as long, as titles are wider than numbers."""
    words = column.title.split()
    cuts = [(" ".join(words[:place]), " ".join(words[place:])) for place in range(1, len(words))]
    if not cuts:
        return escaped(column.title)
    top, bottom = min(cuts, key=lambda cut: max(map(len, cut)))
    return rf"\shortstack[{'l' if column.is_name else 'r'}]{{\strut {escaped(top)}\\{escaped(bottom)}}}"


def _names(rows: Sequence[Mapping[str, Any]], axes: Sequence[str]) -> list[_Column]:
    return [_texts(TITLES[axis], [display(row[axis]) for row in rows], is_name=True) for axis in axes]


def _texts(title: str, texts: Sequence[str], is_name: bool = False) -> _Column:
    return _Column(title, [(escaped(text), "") for text in texts], texts, is_name)


def _numbers(title: str, intervals: Sequence[Mapping[str, Any] | None], bold: bool = False) -> _Column:
    lines = [((_bold if bold else _estimate)(one), _ends(one)) for one in intervals]
    return _Column(title, lines, ["" if one is None else number(one) for one in intervals])


def _small(text: str) -> str:
    return rf"{{\scriptsize {text}}}"


def _estimate(interval: Mapping[str, Any] | None) -> str:
    if interval is None or interval["estimate"] is None:
        return "--"
    return "n.d." if undetermined(interval) else escaped(short(interval["estimate"]))


def _ends(interval: Mapping[str, Any] | None) -> str:
    if interval is None or interval["low"] is None or interval["high"] is None or undetermined(interval):
        return ""
    return _small(f"[{escaped(short(interval['low']))}, {escaped(short(interval['high']))}]")


def _leaves_0_out(interval: Mapping[str, Any] | None) -> bool:
    return interval is not None and interval["low"] is not None and (interval["low"] > 0 or interval["high"] < 0)


def _bold(interval: Mapping[str, Any] | None) -> str:
    return rf"\textbf{{{_estimate(interval)}}}" if _leaves_0_out(interval) else _estimate(interval)


def _marked(interval: Mapping[str, Any] | None, bold: bool) -> str:
    if interval is None or interval["estimate"] is None:
        return "–"
    estimate, bracket, ends = number(interval).partition(" [")
    return f"{f'**{estimate}**' if bold and _leaves_0_out(interval) else estimate}{bracket}{ends}"
