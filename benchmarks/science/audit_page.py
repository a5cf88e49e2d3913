"""Tables of docs/audit.md and docs/reference/statistics.md, from what coverage.py, comparisons.py, over_tasks.py
and choose.py wrote.

python benchmarks/science/audit_page.py      # writes them between the pages' marks

A table stands between `<!-- measured: NAME -->` and `<!-- / -->`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
PAGES = (DOCS / "audit.md", DOCS / "reference" / "statistics.md")
MARKED = re.compile(r"(<!-- measured: ([a-z_]+) -->\n).*?(\n<!-- / -->)", re.DOTALL)
MODELS = ("probit", "heavy")
SEEDS, ROWS = (1, 3, 5, 10), (200, 1000)
LEAST, MOST = 0.93, 0.98  # where coverage of 95% intervals should lie

Row = dict[str, Any]


def measured(name: str) -> Any:
    """What a benchmark wrote."""
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


def share(value: float) -> str:
    """.953, 1.000"""
    return f"{value:.3f}".removeprefix("0")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def settings() -> str:
    """PGR's intervals by setting: crossed, redrawn, and over seeds alone."""
    kinds = ("crossed_fieller", "crossed_bootstrap", "seeds_only")
    header = ["model", "weak / student / ceiling", "seeds"]
    header += ["crossed Fieller", "width", "crossed bootstrap", "width", "seeds only", "width"]
    rows = []
    for row in measured("coverage")["settings"]:
        cells = [row["model"], " / ".join(f"{a:.2f}".removeprefix("0") for a in row["accuracies"]), str(row["seeds"])]
        for kind in kinds:
            found = row.get(kind)
            cells += [share(found["held"]), f"{found['width']:.2f}".removeprefix("0")] if found else ["", ""]
        rows.append(cells)
    return table(header, rows)


def sources() -> str:
    """The same by where errors come from."""
    header = ["difficulty", "taste", "chance", "crossed Fieller", "seeds only"]
    keys = ("difficulty", "taste", "chance")
    return table(
        header,
        [
            [
                *(f"{row[key]:.2f}".removeprefix("0") if 0 < row[key] < 1 else f"{row[key]:.0f}" for key in keys),
                share(row["crossed_fieller"]),
                share(row["seeds_only"]),
            ]
            for row in measured("coverage")["sources"]
        ],
    )


def groups() -> str:
    """The same of rows in groups, with and without them."""
    header = ["groups", "rows in the largest", "accuracies (the worst of three), by group", "by row", "PGR, by group"]
    keys = ("accuracies by group", "accuracies by row", "pgr by group", "pgr by row")
    return table(
        [*header, "by row"],
        [
            [str(row["groups"]), str(row["largest"]), *(share(row[key]) for key in keys)]
            for row in measured("coverage")["groups"]
        ],
    )


def coverage(model: str) -> str:
    """Every kind of interval in one model."""
    rows = [row for row in measured("comparisons")["coverage"] if row["model"] == model]
    found = {(row["what"], row["rows"], row["seeds"]): share(row["held"]) for row in rows}
    places = [(n, s) for n in ROWS for s in SEEDS]
    header = ["interval", *(f"{n:,} rows, {s} seed{'s' if s > 1 else ''}" for n, s in places)]
    whats = dict.fromkeys(row["what"] for row in rows)
    return table(header, [[what, *(found.get((what, n, s), "") for n, s in places)] for what in whats])


def verdict() -> str:
    """What of the two tables lies outside the aim, in words."""
    every = [
        row
        for row in measured("comparisons")["coverage"]
        if row["seeds"] >= 3 and "99%" not in row["what"] and "calibration" not in row["what"]
    ]
    sentences = []
    for seeds in (3, 5, 10):
        rows = [row for row in every if row["seeds"] == seeds]
        low, high = (end(row["held"] for row in rows) for end in (min, max))
        inside = sum(LEAST <= round(row["held"], 3) <= MOST for row in rows)
        sentences.append(
            f"{seeds} seeds: {inside} of {len(rows)} between .93 and .98, from {share(low)} to {share(high)}"
        )
    below = [row for row in every if row["seeds"] >= 5 and round(row["held"], 3) < LEAST]
    listed = ", ".join(
        f"{row['what']} ({row['model']}, {row['rows']:,} rows, {row['seeds']} seeds: {share(row['held'])})"
        for row in sorted(below, key=lambda row: row["held"])
    )
    return f"{'; '.join(sentences)}. Below .93 with five or ten seeds: {listed or 'none'}."


def type_one() -> str:
    """How often p < .05 comes out where there is no difference."""
    rows = measured("comparisons")["type_one"]
    found = {(r["model"], r["rows"], r["effect"], r["taste"]): share(r["share"]) for r in rows}
    places = [(model, taste) for model in MODELS for taste in (0.1, 0.25)]
    header = ["test rows", "standard deviation over seeds", *(f"{m}, taste {t:.2f}" for m, t in places)]
    keys = dict.fromkeys((r["rows"], r["effect"]) for r in rows)
    return table(header, [[f"{n:,}", share(e), *(found[m, n, e, t] for m, t in places)] for n, e in keys])


def power() -> str:
    """How often p < .05 comes out where there is a difference."""
    rows = measured("comparisons")["power"]
    found = {(r["model"], r["points"], r["rows"], r["seeds"]): share(r["share"]) for r in rows}
    places = [(model, seeds) for model in MODELS for seeds in (3, 5, 10)]
    header = ["true difference", "test rows", *(f"{model}, {seeds} seeds" for model, seeds in places)]
    keys = dict.fromkeys((r["points"], r["rows"]) for r in rows)
    return table(
        header,
        [[f"+{p} point{'s' if p > 1 else ''}", f"{n:,}", *(found[m, p, n, s] for m, s in places)] for p, n in keys],
    )


def over_tasks() -> str:
    """Intervals over tasks, of these tasks and of tasks as drawn."""
    rows = measured("over_tasks")["coverage"]
    counts = list(dict.fromkeys(row["tasks"] for row in rows))
    whats = dict.fromkeys(key for row in rows for key in row if key not in ("model", "between", "tasks"))
    keys = dict.fromkeys((row["model"], row["between"]) for row in rows)
    found = {(row["model"], row["between"], row["tasks"]): row for row in rows}
    header = ["interval", "model", "spread of true gains between tasks", *(f"{count} tasks" for count in counts)]
    return table(
        header,
        [
            [
                what,
                model,
                "1 point" if between == 0.01 else f"{100 * between:.0f} points",
                *(_over(found[model, between, count].get(what)) for count in counts),
            ]
            for what in whats
            for model, between in keys
        ],
    )


def _over(one: Row | None) -> str:
    if one is None:
        return ""
    undefined = f" ({one['undefined']:.0%} undefined)" if one["undefined"] else ""
    return f"{share(one['held'])}{undefined}"


def chosen() -> str:
    """Intervals of what is chosen among candidates by the rows that measure it."""
    rows = measured("choose")["simulated"]
    keys = dict.fromkeys((row["careful"], row["candidates"], row["accuracies"]) for row in rows)
    found = {(row["model"], row["careful"], row["candidates"], row["accuracies"]): row for row in rows}
    whats = ("accuracy", "gain", "accuracy, of one deal into ten parts", "accuracy, of the choice by itself")
    header = [
        "careful labels",
        "candidates",
        "their accuracies",
        *(f"{model}: {w}" for w in whats[:2] for model in MODELS),
    ]
    header += [f"{model}: {what.partition(', ')[2]}" for what in whats[2:] for model in MODELS]
    return table(
        header,
        [
            [
                str(careful),
                str(candidates),
                how,
                *(share(found[model, careful, candidates, how][what]) for what in whats for model in MODELS),
            ]
            for careful, candidates, how in keys
        ],
    )


def taught() -> str:
    """Intervals that `teach` printed of students of real texts, beside what is true."""
    rows = measured("choose")["taught"]
    settings = dict.fromkeys(row["chosen"] for row in rows)
    header = [
        "chosen by the careful labels",
        *(f"{n} careful labels: {w}" for n in (50, 200) for w in ("accuracy", "gain")),
    ]
    made = []
    for setting in settings:
        line = [setting]
        for careful in (50, 200):
            mine = [row for row in rows if (row["chosen"], row["careful"]) == (setting, careful)]
            line += [f"{sum(holds(row[what]) for row in mine)} of {len(mine)}" for what in ("accuracy", "gain")]
        made.append(line)
    totals = [
        f"{sum(holds(row[what]) for row in mine)} of {len(mine)}"
        for careful in (50, 200)
        for what in ("accuracy", "gain")
        for mine in [[row for row in rows if row["careful"] == careful]]
    ]
    return table(header, [*made, ["all", *totals]])


def holds(found: Sequence[float]) -> bool:
    """Whether an interval `[estimate, low, high, true, its standard error]` holds the truth, as far as that is known."""
    estimate, low, high, true, error = found
    ends = (estimate - math.hypot(estimate - low, 1.96 * error), estimate + math.hypot(high - estimate, 1.96 * error))
    return ends[0] <= true <= ends[1]


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "sources": sources,
    "groups": groups,
    "probit": lambda: coverage("probit"),
    "heavy": lambda: coverage("heavy"),
    "verdict": verdict,
    "type_one": type_one,
    "power": power,
    "over_tasks": over_tasks,
    "chosen": chosen,
    "taught": taught,
}


def written(text: str) -> str:
    """A page with what was measured between its marks."""
    return MARKED.sub(lambda mark: f"{mark[1]}{TABLES[mark[2]]()}{mark[3]}", text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
