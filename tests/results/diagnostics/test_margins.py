"""Accuracy by the margin of the weak label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import outgrow
from small_experiment import asked

from outgrow import run
from outgrow.results.diagnostics.margins import by_margin, margins
from outgrow.results.run_folder import read_run


def test_a_margin_is_the_likeliest_class_less_the_next() -> None:
    assert margins(np.array([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0], [0.9, 0.1, 0.0]])) == pytest.approx([0.2, 1.0, 0.8])


def test_thirds_by_margin_part_the_test_rows_and_average_to_the_whole(tmp_path: Path) -> None:
    made = run(asked(tmp_path, methods=["naive"]), store=tmp_path / "store", out=tmp_path / "out")
    reading = read_run(tmp_path / "out")
    found = by_margin(reading.asked, reading.scored)
    assert [cell["n_test"] for cell in found] == [14, 13, 13]
    ends = [cell["test_set"].removeprefix("test, margin ").split(" to ") for cell in found]
    numbers = [float(end) for pair in ends for end in pair]
    assert numbers == sorted(numbers)
    (whole,) = made.cells
    for role in ("weak", "student", "ceiling"):
        parts = [cell[f"{role}_accuracy"]["estimate"] * cell["n_test"] for cell in found]
        assert sum(parts) / 40 == pytest.approx(whole[f"{role}_accuracy"]["estimate"])
    said = outgrow("show", tmp_path / "out", "--margin", "--csv", cwd=tmp_path)
    assert said.code == 0
    assert "margin" in said.out.splitlines()[1]
    wrong = outgrow("show", tmp_path / "out", "--margin", "--agreement", cwd=tmp_path)
    assert wrong.code == 2


def test_a_supervisor_that_is_equally_sure_everywhere_is_a_sentence(tmp_path: Path) -> None:
    run(asked(tmp_path, weak=["majority"], methods=["naive"], seeds=1), store=tmp_path / "store", out=tmp_path / "out")
    said = outgrow("show", tmp_path / "out", "--margin", cwd=tmp_path)
    assert said.code == 2
    assert "equally sure of all rows" in said.said[-1]
