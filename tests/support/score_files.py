"""Files of predictions for `outgrow score`: a row an id and seed, one file a role."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from folders import guesses, held_out

ACCURACIES = {"weak": 0.6, "student": 0.75, "ceiling": 0.9}
N = 60


def rows(role: str, seeds: Sequence[int] = (0, 1, 2), n: int = N) -> list[dict[str, Any]]:
    test = held_out("a", n)
    made = []
    for seed in seeds:
        values = guesses(test, ACCURACIES[role], [list(ACCURACIES).index(role), seed])
        made += [{"seed": seed, "id": str(row), "label": int(p.argmax())} for row, p in enumerate(values)]
    return made


def table(path: Path, content: Sequence[dict[str, Any]]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(content[0]))
            writer.writeheader()
            writer.writerows(content)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(list(content)), path)
    return path


def files(place: Path, ending: str = "csv", **changed: Sequence[dict[str, Any]]) -> dict[str, Path]:
    content = {role: rows(role) for role in ACCURACIES}
    content["truth"] = [{"id": str(row), "label": int(c)} for row, c in enumerate(held_out("a", N).truth)]
    return {role: table(place / f"{role}.{ending}", changed.get(role, made)) for role, made in content.items()}
