"""Runs the experiments behind the section on texts of docs/results.md, and writes its tables and its figure there again.

python benchmarks/science/results_nlp.py     two hours of one core; what the store has is not made again. It reads
../shared/data and needs the package of MPNet.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from outgrow import Experiment, Machine, Results, plot, run
from outgrow.experiment.spec.paths import BASE
from outgrow.report.tables.cell_tables import NAMES, markdown, number, rows, short
from outgrow.results.compare import compare
from outgrow.results.diagnostics.margins import by_margin
from outgrow.results.run_folder import read_run

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "results.md"
ASKED = Path(__file__).parent / "results"
NAIVE = "naive"
ANSWERS = {"cosmos_qa": 4, "hellaswag": 4, "openbookqa": 4, "piqa": 2, "ethics_utilitarianism": 2, "social_i_qa": 3}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=ROOT / "runs")
    out = arguments.parse_args().out

    def made(name: str, asked: Experiment | Path) -> Results:
        return run(asked, out=out / f"results-{name}", machine=Machine(threads=1))

    preferences = made("preferences", example("preferences", _here))
    controls = made("controls", ASKED / "controls.yaml")
    paper, forms, easy = (made(name, ASKED / f"{name}.yaml") for name in ("paper", "forms", "easy"))
    reading = read_run(out / "results-preferences")
    naive = [one for one in reading.asked if one.method.name == NAIVE]
    tables = {
        "preferences": markdown(narrow(rows(preferences.cells))),
        "margin": markdown(narrow(rows(by_margin(naive, reading.scored)))),
        "controls": "".join(f"- {control['says']}.\n" for control in controls.controls),
        "paper": markdown(narrow(rows(paper.cells))),
        "averages": averages(out / "results-paper"),
        "forms": both_forms(paper.cells, forms.cells),
        "easy": markdown(narrow(rows(easy.cells))),
    }
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")
    plot(paper, "paper").save(PAGE.with_name("results-texts.svg"))


def example(name: str, changed: Callable[[dict[str, Any]], None]) -> Experiment:
    """An example of examples/ with its rows where they lie here."""
    content = yaml.safe_load((ROOT / "examples" / f"{name}.yaml").read_text(encoding="utf-8"))
    changed(content)
    base = BASE.set(ROOT / "examples")
    try:
        return Experiment(name=name, **content)
    finally:
        BASE.reset(base)


def _here(content: dict[str, Any]) -> None:
    (task,) = content["tasks"]
    for entry in (task, *task["also_test"]):
        entry["from"] = str(DATA / f"{entry['task']}_base")


def filled(page: str, tables: Mapping[str, str], section: str = "nlp") -> str:
    """The page with each table between its two comments."""
    for name, text in tables.items():
        pattern = rf"(<!-- {section}:{name} -->\n).*?(<!-- /{section}:{name} -->)"
        before, *rest = re.split(pattern, page, flags=re.DOTALL)
        if len(rest) != 3:
            raise SystemExit(f"{PAGE}: has {len(rest) // 3} places for the table {section}:{name}")
        begin, end, after = rest
        page = f"{before}{begin}{text}{end}{after}"
    return page


def narrow(texts: Sequence[Sequence[str]]) -> list[list[str]]:
    """A table of texts less its constant columns."""
    header, *body = texts
    kept = [place for place in range(len(header)) if len({line[place] for line in body}) > 1]
    return [[line[place] for place in kept] for line in texts]


def both_forms(binary: Sequence[Mapping[str, Any]], choice: Sequence[Mapping[str, Any]]) -> str:
    """A row a task, student and method that ran in both forms: the accuracies of each."""

    def name(cell: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(cell[one]).removesuffix(" choice") for one in NAMES)

    shown = ("weak_accuracy", "student_accuracy", "ceiling_accuracy")
    of_binary = {name(cell): cell for cell in binary}
    header = ["task", "strong student", "method", "chance"]
    lines = [
        [*header, *(f"{form}: {what}" for form in ("binary", "choice") for what in ("weak", "student", "ceiling"))]
    ]
    for cell in choice:
        task = name(cell)[0]
        values = [number(one[key]) for one in (of_binary[name(cell)], cell) for key in shown]
        lines.append(
            [task, cell["strong"], cell["method"], f".50 and {1 / ANSWERS[task]:.2f}".replace("0.", "."), *values]
        )
    return markdown(narrow(lines))


def averages(folder: Path) -> str:
    """PGR over tasks by method: ratio of sums, median, and how many are undefined."""
    found: list[Mapping[str, Any]] = [
        row for row in compare(read_run(folder), "method", NAIVE).across if "pgr_median" in row
    ]
    lines = [["method", "tasks", "ratio of sums", "median PGR", "of", "undefined"]]
    for row in found:
        median = "" if row["pgr_median"] is None else short(row["pgr_median"])
        counts = [str(len(row["tasks"])), number(row["pgr_ratio_of_sums"]), median, str(len(row["defined"]))]
        lines.append([str(row["method"]), *counts, ", ".join(row["undefined"]) or "none"])
    return markdown(lines)


if __name__ == "__main__":
    main()
