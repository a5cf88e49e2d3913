"""What `teach`'s student brings over the join of its voters: made crowds and keyword rules on four data sets.

    python benchmarks/science/teach_voters.py

Writes teach_voters.json beside it, and prints the table of docs/guide/teach.md: a quarter of an hour on one core. Voters and
data are those of crowdlab.py; 200 careful labels, and the command as a user gives it. Accuracy of labels is that of the texts
with a vote; of students, of texts that nobody has seen.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from crowdlab import DRAWS, SETS, drawn
from teach_data import AS_TAUGHT, data_set
from teach_worlds import World, labelled, right, taught, world_of, write

from outgrow.core.examples import Ints, harden
from outgrow.models.label_sources.aggregate import join_answers

FOUND = Path(__file__).with_suffix(".json")
ABOVE, ROOM = 2.0, 5.0  # points above the join that are asked for, where the truth would bring as many as ROOM


def measured(of: World, answers: Ints, learned: Ints, unseen: Ints, careful: Ints, folder: Path) -> dict[str, Any]:
    """Accuracies of labels and of students; careful: places in `learned` with a careful label."""
    truth = of.data.truth[learned]
    known = np.flatnonzero((answers >= 0).any(axis=1))
    names = [f"voter{number}" for number in range(answers.shape[1])]
    rows = (
        [of.words[row], *(None if answer < 0 else answer for answer in some)]
        for row, some in zip(learned, answers, strict=True)
    )
    file = write(folder / "votes.csv", rows, names)
    gold = labelled(of, folder / "gold.csv", learned[careful], of.data.truth)
    report = taught(of, file, gold, names)
    said = report.student_accuracy
    found = {"by": report.joined_by, "student": float(right(of, folder, unseen).mean())}
    found |= {"said": said.estimate, "low": said.low, "high": said.high}
    rules: dict[str, Any] = {"majority": "majority", "join": report.joined_by}
    for name, rule in rules.items():
        joined = join_answers(answers, of.data.classes, rule).probabilities[known]
        found[name] = float((harden(joined, np.array([f"{row:08x}" for row in known])) == truth[known]).mean())
    taught(of, labelled(of, folder / "truth.csv", learned, of.data.truth), None, method="naive")
    return {**found, "truth": float(right(of, folder, unseen).mean())}


def page(found: Sequence[Mapping[str, Any]]) -> str:
    """The table: a row per data set and kind of voters, means over draws, in per cent."""
    rows = [
        "| | votes by majority | joined, by 200 careful labels | **`teach`'s student** | the truth as labels |",
        "|---|---|---|---|---|",
    ]
    asked = missed = 0
    for name, kind in dict.fromkeys((row["data"], row["voters"]) for row in found):
        some = [row for row in found if (row["data"], row["voters"]) == (name, kind)]
        majority, join, student, truth = (
            100 * float(np.mean([row[key] for row in some])) for key in ("majority", "join", "student", "truth")
        )
        room = truth - join >= ROOM
        short = room and student - join < ABOVE
        asked, missed = asked + room, missed + short
        mark = "**" if short else ""
        gain = f"{mark}{student:.1f} ({student - join:+.1f}){mark}"
        rows.append(f"| {name}, {kind} | {majority:.1f} | {join:.1f} | {gain} | {truth:.1f} |")
    held = sum(row["low"] <= row["student"] <= row["high"] for row in found)
    over = 100 * float(np.mean([row["said"] - row["student"] for row in found]))
    told = (
        f"In {asked} rows the truth itself, as labels, teaches a student that is {ROOM:.0f} points above the join. "
        f"`teach`'s student is {ABOVE:.0f} points above the join in {asked - missed} of them. The accuracy that it printed is "
        f"{over:+.1f} points from that on unseen texts on average, and its interval holds that in {held} of {len(found)} runs."
    )
    return "\n".join([*rows, "", told])


def main() -> list[dict[str, Any]]:
    """A row per data set, draw and kind of voters."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for name in SETS:
            world = world_of(data_set(name, (AS_TAUGHT,)), Path(place) / name, AS_TAUGHT)
            for draw in range(DRAWS):
                (learned, unseen, careful), voters = drawn(world.data, draw)
                for kind, answers in voters.items():
                    with tempfile.TemporaryDirectory() as folder:
                        found = measured(world, answers, learned, unseen, careful, Path(folder))
                    values = {
                        key: round(value, 4) if isinstance(value, float) else value for key, value in found.items()
                    }
                    rows.append({"data": name, "draw": draw, "voters": kind, **values})
                    print(json.dumps(rows[-1]), flush=True)
    return rows


if __name__ == "__main__":
    made = main()
    lines = ",\n".join(json.dumps(row) for row in made)
    FOUND.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(page(made))
