"""Runs examples/images.yaml for the section on images of docs/results.md, and writes its tables and its figure there again.

python benchmarks/science/results_images.py     an hour of one core; what the store has is not made again. It reads
../shared/data/cifar10 and needs the packages that the example names.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path
from typing import Any

from results_nlp import DATA, PAGE, ROOT, example, filled, narrow

from outgrow import Experiment, Machine, Results, plot, run
from outgrow.core.text.entry_names import display
from outgrow.execution.store import Store, default_store
from outgrow.report.tables.cell_tables import markdown, rows

CIFAR = DATA / "cifar10"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=ROOT / "runs")
    arguments.add_argument("--store", type=Path, default=default_store())
    given = arguments.parse_args()
    machine = Machine(jobs=2, threads=1)
    made = run(asked(), out=given.out / "results-images", store=Store(given.store), machine=machine)
    tables = {
        "cells": markdown(narrow(rows(made.cells))),
        "controls": controls(made),
        "chosen": chosen(made),
    }
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), tables, "images"), encoding="utf-8")
    plot(made, "paper").save(PAGE.with_name("results-images.png"), scale_factor=2)


def asked() -> Experiment:
    """The example, with the data where they lie here."""
    return example("images", _here)


def _here(content: dict[str, Any]) -> None:
    content["tasks"][0] |= {part: str(CIFAR / Path(content["tasks"][0][part]).name) for part in ("file", "test")}


def controls(made: Results) -> str:
    """What the controls say: of equal sentences one, and of students above what needs no supervisor how many they are."""
    alone = [control["status"] == "ok" for control in made.controls if control["control"] == "no teacher"]
    shown = [one for one in made.controls if one["control"] != "no teacher" or one["status"] != "ok"]
    lines = [re.sub(r" as many rows as [^:]*:", " as many rows as the supervisors:", one["says"]) for one in shown]
    lines.append(f"{sum(alone)} of {len(alone)} students are above always saying one class")
    return "".join(f"- {line}.\n" for line in dict.fromkeys(lines))


def chosen(made: Results) -> str:
    """How often each l2 was chosen, by role: over cells and seeds, each head once."""
    heads = {
        (role, display(row["weak"]) if role != "ceiling" else "", display(row["strong"]) if role != "weak" else "",
         display(row["method"]) if role == "student" else "", row["seed"]): l2
        for row in made.runs
        for role, l2 in row.get("chosen_l2", {}).items()
    }  # fmt: skip
    values = sorted(set(heads.values()))
    counts = {
        role: Counter(l2 for key, l2 in heads.items() if key[0] == role) for role in ("weak", "student", "ceiling")
    }
    lines = [["l2", *(f"{value:g}" for value in values)]]
    lines += [[role, *(str(count[value]) for value in values)] for role, count in counts.items()]
    return markdown(lines)


if __name__ == "__main__":
    main()
