"""What hill-climbing on a sealed score buys, and what of it is real: the table of docs/guide/sealed.md.

    python benchmarks/science/sealed.py --json benchmarks/science/sealed.json     # about two minutes

A test set of 1,000 rows in two halves; weak .70, ceiling .90, a first student .80, one seed. Two ways to climb on the open
half's score. `flips`: each attempt turns the answers of two test rows round and is kept where the score rises: nothing of that
is real, and its accuracy on new rows is that of a student whose answers are turned as often. `tuning`: each attempt is another
student, truly better or worse by a normal number (standard deviation .01), and the best is kept. A model is right where
gap + difficulty(i) + taste(model, i) > 0, both normal; students share four fifths of the taste, as trainings of one model do.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from outgrow.results.sealed.attempts import Threshold, ask_holdout, simultaneous
from outgrow.results.statistics.recovery import performance_gap_recovered

ROWS, EXPERIMENTS = 1000, 200
COUNTS = (1, 10, 100, 1000)
WEAK, STUDENT, CEILING = 0.7, 0.8, 0.9
SPREAD = 0.01  # of the true accuracy of attempts in `tuning`
RULE = Threshold()
Bits = NDArray[np.bool_]
Row = dict[str, Any]


def attempts(way: str, random: np.random.Generator) -> tuple[Bits, Bits, list[tuple[Bits, float]]]:
    """Weak's and ceiling's right rows, and each attempt's with its true accuracy; each follows on the scores before it."""
    shared = np.sqrt(0.5) * random.standard_normal(ROWS)

    def right(accuracy: float, taste: NDArray[np.float64]) -> Bits:
        return np.asarray(ndtri(accuracy) + shared + np.sqrt(0.5) * taste > 0)

    weak, ceiling = (right(accuracy, random.standard_normal(ROWS)) for accuracy in (WEAK, CEILING))
    taste = random.standard_normal(ROWS)
    made = [(right(STUDENT, taste), STUDENT)]
    best, turned = made[0][0], 0
    for _ in range(COUNTS[-1] - 1):
        if way == "tuning":
            real = STUDENT + SPREAD * random.standard_normal()
            made.append((right(real, np.sqrt(0.8) * taste + np.sqrt(0.2) * random.standard_normal(ROWS)), real))
            continue
        tried = best.copy()
        tried[random.choice(ROWS, 2, replace=False)] ^= True
        odd = (1 - (1 - 2 * 2 / ROWS) ** (turned + 1)) / 2  # the share of rows turned an odd number of times
        made.append((tried, STUDENT * (1 - odd) + (1 - STUDENT) * odd))
        if tried[: ROWS // 2].sum() > best[: ROWS // 2].sum():
            best, turned = tried, turned + 1
    return weak, ceiling, made


def simulate(way: str) -> list[Row]:
    """One row a number of attempts: what the best of them scores, what it is worth, and what each report says of it."""
    found: dict[int, list[Row]] = {count: [] for count in COUNTS}
    open_ = np.arange(ROWS) < ROWS // 2
    groups = np.arange(ROWS // 2).astype(np.str_)
    for experiment in range(EXPERIMENTS):
        random = np.random.default_rng([experiment, len(way)])
        weak, ceiling, made = attempts(way, random)
        used, told = 0, []
        for number, (right, _) in enumerate(made, 1):
            answer = ask_holdout(
                float(right[open_].mean()), float(right[~open_].mean()), RULE, f"{way}{experiment}", number, used
            )
            used += answer.spent
            told.append(answer.value)
        for count in COUNTS:
            place = int(np.argmax([right[open_].sum() for right, _ in made[:count]]))
            right, accuracy = made[place]
            tables = [one[open_][None].astype(np.float64) for one in (weak, right, ceiling)]
            real = performance_gap_recovered(WEAK, accuracy, CEILING)
            assert real is not None  # the ceiling is above the supervisor
            row: Row = {"real": real, "accuracy": accuracy, "open": float(right[open_].mean())}
            for name, n in (("one", 1), ("all", count)):
                pgr = simultaneous(tables[0], tables[1], tables[2], groups, n)["pgr"]
                row["score"] = pgr.estimate
                row[name] = None if pgr.low is None or pgr.high is None else bool(pgr.low <= real <= pgr.high)
            value = told[place]
            row["holdout"] = None if value is None else performance_gap_recovered(WEAK, value, CEILING)
            row["far"] = None if value is None else abs(value - accuracy)
            found[count].append(row)
    return [{"way": way, "attempts": count, **_mean(rows)} for count, rows in found.items()]


def _mean(rows: list[Row]) -> Row:
    def over(name: str) -> float | None:
        values = [row[name] for row in rows if row[name] is not None]
        return float(np.mean(values)) if values else None

    silent = float(np.mean([row["holdout"] is None for row in rows]))
    return {**{name: over(name) for name in rows[0]}, "silent": silent}


def table(found: dict[str, Any]) -> str:
    """The page's table, in Markdown."""
    lines = [
        "| how | attempts | PGR by the score | PGR that is real | naive interval holds it | corrected interval holds it | "
        "holdout says | holdout is silent |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        said = "–" if row["holdout"] is None else f"{row['holdout']:.2f}"
        lines.append(
            f"| {row['way']} | {row['attempts']:,} | {row['score']:.2f} | {row['real']:.2f} | {row['one']:.0%} | "
            f"{row['all']:.0%} | {said} | {row['silent']:.0%} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write where --json says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=Path, help="write the table here")
    to = parser.parse_args().json
    found = {
        "rows_of_test": ROWS,
        "experiments": EXPERIMENTS,
        "rule": asdict(RULE),
        "rows": [row for way in ("flips", "tuning") for row in simulate(way)],
    }
    print(table(found))
    if to:
        to.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
