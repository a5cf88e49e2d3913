"""Given labels of choices: a label means the candidate that the file meant, wherever that has gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outgrow import Experiment, UsageError, run
from outgrow.core.inputs.input_type import input_type
from outgrow.core.pool import Pool
from outgrow.models.label_sources.label_file import read_given
from outgrow.results.predictions import Predictions
from outgrow.tasks.files import file_task
from outgrow.tasks.pool import build_pool

KEYS = {"prompt": "q", "a": "x", "b": "y"}
ROWS = [
    {"id": f"r{i}", "q": f"q{i}", "x": f"good {i}", "y": f"bad {i}", "best": "a" if i % 3 else "b"} for i in range(60)
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pool(folder: Path) -> Pool:
    task = file_task(write(folder / "task.jsonl", ROWS), inputs=input_type("choice"), label="best", **KEYS)
    made = build_pool(task, test_rows=20, balance=True)
    made.save(folder)
    return made


def good(made: Pool) -> Any:
    """Each row's place of the candidate that begins with "good", one-hot."""
    places = [[text.startswith("good") for text in value.candidates] for value in made.inputs]
    return np.array(places, dtype=float)


@pytest.mark.parametrize("turned", [False, True])
def test_a_label_by_name_follows_its_candidate(tmp_path: Path, turned: bool) -> None:
    made = pool(tmp_path)
    rows = [{"q": row["q"], "x": row["x"], "y": row["y"], "label": "a"} for row in ROWS]
    if turned:
        rows = [{"q": row["q"], "x": row["y"], "y": row["x"], "label": "b"} for row in rows]
    found = read_given(write(tmp_path / "given.jsonl", rows), tmp_path, columns=KEYS)
    assert (found.probabilities == good(made)).all()


def test_a_tie_is_a_half_each_and_a_blank_is_none(tmp_path: Path) -> None:
    pool(tmp_path)
    labels = {0: "tie", 1: None}
    rows = [{"q": row["q"], "x": row["x"], "y": row["y"], "label": labels.get(i, "a")} for i, row in enumerate(ROWS)]
    made = Pool.load(tmp_path)
    found = read_given(write(tmp_path / "given.jsonl", rows), tmp_path, columns=KEYS).probabilities
    place = {value.context: row for row, value in enumerate(made.inputs)}
    assert found[place["q0"]].tolist() == [0.5, 0.5]
    assert np.isnan(found[place["q1"]]).all()


@pytest.mark.parametrize("on", ["id", "row"])
def test_a_label_by_id_or_row_is_a_place_of_the_tasks_file(tmp_path: Path, on: str) -> None:
    made = pool(tmp_path)
    rows = [{"id": row["id"], "p_0": 0.9, "p_1": 0.1} for row in ROWS]
    found = read_given(write(tmp_path / "given.jsonl", rows), tmp_path, on=on).probabilities
    assert found == pytest.approx(np.where(good(made) > 0, 0.9, 0.1))
    hard = [{"id": row["id"], "label": 0} for row in ROWS]
    assert (read_given(write(tmp_path / "hard.jsonl", hard), tmp_path, on=on).probabilities == good(made)).all()


def test_a_label_that_is_no_candidate_has_its_sentence(tmp_path: Path) -> None:
    pool(tmp_path)
    rows = [{"q": "q1", "x": "good 1", "y": "bad 1", "label": "c"}]
    with pytest.raises(UsageError, match="line 1: has a label that is none of its candidates"):
        read_given(write(tmp_path / "given.jsonl", rows), tmp_path, columns=KEYS)


def test_preferences_by_a_file_supervise_a_student(tmp_path: Path) -> None:
    write(tmp_path / "task.jsonl", ROWS)
    rows = [{"q": row["q"], "x": row["y"], "y": row["x"], "label": "a" if row["best"] == "b" else "b"} for row in ROWS]
    write(tmp_path / "given.jsonl", rows)
    experiment = Experiment(
        name="given",
        tasks=[{"file": str(tmp_path / "task.jsonl"), "label": "best", **KEYS}],
        weak=[{"given": str(tmp_path / "given.jsonl")}],
        strong=["static:wordllama"],
        seeds=1,
        split={"transfer": 30, "test": 20},
    )
    run(experiment, store=tmp_path / "store", out=tmp_path / "run")
    tables = Predictions.read(tmp_path / "run")
    test = tables.tests["task"]
    (weak,) = [values for key, values in tables.probabilities.items() if key.role == "weak"]
    assert (weak.argmax(axis=1) == test.truth).all()
