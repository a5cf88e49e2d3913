"""Runs the experiments behind the section on texts of docs/results.md, and writes its tables there again.

python benchmarks/science/results_nlp.py     minutes; what the store has is not made again. It reads ../shared/data.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from outgrow import Machine, Results, run
from outgrow.report.tables.cell_tables import markdown, number, rows, short
from outgrow.results.compare import compare
from outgrow.results.diagnostics.margins import by_margin
from outgrow.results.run_folder import read_run

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results.md"
ASKED = Path(__file__).parent / "results"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=ROOT / "runs")
    out = arguments.parse_args().out
    tables: dict[str, str] = {}
    for name in ("preferences", "paper", "easy"):
        folder = out / f"results-{name}"
        made = run(ASKED / f"{name}.yaml", out=folder, machine=Machine(threads=1))
        tables[name] = table(made)
        if name == "preferences":
            reading = read_run(folder)
            naive = [one for one in reading.asked if one.method.name == "naive"]
            tables["margin"] = markdown(narrow(rows(by_margin(naive, reading.scored))))
            tables["controls"] = "".join(f"- {control['says']}.\n" for control in made.controls)
        if name == "paper":
            tables["averages"] = averages(folder)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")


def filled(page: str, tables: Mapping[str, str], section: str = "nlp") -> str:
    """The page with each table between its two comments."""
    for name, text in tables.items():
        pattern = rf"(<!-- {section}:{name} -->\n).*?(<!-- /{section}:{name} -->)"
        page, found = re.subn(pattern, lambda place, text=text: f"{place[1]}{text}{place[2]}", page, flags=re.DOTALL)
        if found != 1:
            raise SystemExit(f"{PAGE}: has {found} places for the table {section}:{name}")
    return page


def table(made: Results) -> str:
    """The cells in the experiment's order, without the columns that are the same in all."""
    return markdown(narrow(rows(made.cells)))


def narrow(texts: Sequence[Sequence[str]]) -> list[list[str]]:
    """A table of texts less its constant columns."""
    header, *body = texts
    kept = [place for place in range(len(header)) if len({line[place] for line in body}) > 1]
    return [[line[place] for place in kept] for line in texts]


def averages(folder: Path) -> str:
    """PGR over tasks by method: ratio of sums, median, and how many are undefined."""
    found: list[Mapping[str, Any]] = [
        row for row in compare(read_run(folder), "method", "naive").across if "pgr_median" in row
    ]
    lines = [["method", "tasks", "ratio of sums", "median PGR", "of", "undefined"]]
    for row in found:
        median = "" if row["pgr_median"] is None else short(row["pgr_median"])
        counts = [str(len(row["tasks"])), number(row["pgr_ratio_of_sums"]), median, str(len(row["defined"]))]
        lines.append([str(row["method"]), *counts, ", ".join(row["undefined"]) or "none"])
    return markdown(lines)


if __name__ == "__main__":
    main()
