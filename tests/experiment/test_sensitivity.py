"""Tuning parity: what a cell would be at other strengths of regularisation, from ordinary steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_experiment import asked
from typer.testing import CliRunner

from outgrow import Results, UsageError, run
from outgrow.cli.app import app
from outgrow.execution.machine import Machine
from outgrow.execution.step import walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.report.words.sensitivity import at_each_strength, most_moved, sensitivities
from outgrow.results.run_folder import read_run

L2S = {"l2": [0.001, 0.3]}


def steps(folder: Path, **changes: Any) -> set[str]:
    return {step.key for step in walk(prepare(asked(folder, **changes), Store(folder / "store"), Machine()).wanted)}


def test_it_changes_no_key_and_makes_nothing_twice(tmp_path: Path) -> None:
    before, after = steps(tmp_path), steps(tmp_path, sensitivity=L2S)
    assert before < after
    # A seed and other l2: a student by each of two methods, and one ceiling for both; its own l2 is there already.
    assert len(after - before) == 2 * 2 * 3
    chosen = {"static": "wordllama", "l2": [0.001, 0.3]}
    assert steps(tmp_path, strong=[chosen], sensitivity=L2S) == steps(tmp_path, strong=[chosen])


def test_a_cell_at_another_l2_is_what_an_experiment_with_that_l2_prints(tmp_path: Path) -> None:
    store, machine = tmp_path / "store", Machine(threads=1)
    tried = run(asked(tmp_path, sensitivity=L2S), store=store, out=tmp_path / "out", machine=machine)
    for cell in tried.cells:
        assert [point["l2"] for point in cell["sensitivity"]] == [0.001, 0.03, 0.3]
        own = cell["sensitivity"][1]
        assert {key: cell[key] for key in own if key not in ("l2", "strong")} == {
            key: value for key, value in own.items() if key not in ("l2", "strong")
        }
    for place, l2 in ((0, 0.001), (2, 0.3)):
        entry = tried.cells[0]["sensitivity"][place]["strong"]
        assert entry == {"static": "wordllama", "l2": l2}
        alone = run(asked(tmp_path, strong=[entry]), store=store, out=tmp_path / "alone", machine=machine)
        for cell, one in zip(tried.cells, alone.cells, strict=True):
            point = cell["sensitivity"][place]
            assert {key: one[key] for key in point if key != "l2"} == {k: v for k, v in point.items() if k != "l2"}
    reading = read_run(tmp_path / "out")
    assert Results.compute(reading.asked, reading.scored.tables, {}).cells == tried.cells


def test_show_and_the_page_print_it(tmp_path: Path) -> None:
    results = run(asked(tmp_path, sensitivity="l2"), store=tmp_path / "store", out=tmp_path / "out")
    assert [point["l2"] for point in results.cells[0]["sensitivity"]] == [0.001, 0.003, 0.01, 0.03, 0.1, 0.3]
    told = CliRunner().invoke(app, ["show", str(tmp_path / "out"), "--sensitivity", "--csv"]).output.splitlines()
    assert len(told) == 1 + 2 * 6
    assert [line.split(",")[3] for line in told[1:7]] == [
        f"static:wordllama l2={l2}" for l2 in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
    ]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Sensitivity to l2" in page
    assert all(sentence.split(":")[0] in page for sentence in sensitivities(results.cells))
    plain = run(asked(tmp_path), store=tmp_path / "store", out=tmp_path / "plain")
    assert "Sensitivity to l2" not in (tmp_path / "plain" / "report.html").read_text()
    with pytest.raises(UsageError, match="`sensitivity: l2` in the experiment"):
        at_each_strength(plain.cells)


def test_sentences_of_known_numbers() -> None:
    def point(l2: float, student: float, ceiling: float, pgr: float | None) -> dict[str, Any]:
        numbers = {"student_accuracy": student, "ceiling_accuracy": ceiling, "pgr": pgr}
        return {"l2": l2, **{name: {"estimate": value} for name, value in numbers.items()}}

    cell = {
        **dict(zip(("task", "weak", "strong", "method"), ("t", "static:a", "probe:b", "naive"), strict=True)),
        "sensitivity": [point(0.01, 0.71, 0.8, 0.1), point(0.1, 0.76, 0.8, 0.6), point(1.0, 0.7, 0.7, None)],
    }
    assert sensitivities([cell, {}]) == [
        "probe:b, taught by static:a with naive on t: over l2 0.01 to 1, PGR goes from .100 (l2 0.01) to .600 (l2 0.1); "
        "PGR is undefined at 1 of 3 values; the student from .700 to .760; the ceiling from .700 to .800."
    ]
    still = {**cell, "method": "confidence", "sensitivity": [point(0.01, 0.75, 0.8, 0.5), point(0.1, 0.75, 0.8, 0.5)]}
    (most,) = most_moved([still, cell])
    assert most.startswith("How far l2 decides, where it does most: probe:b, taught by static:a with naive on t: over")
    assert most_moved([{}]) == []


@pytest.mark.parametrize("wrong", ["lr", {"lr": [0.1]}, {"l2": []}, {"l2": [0]}, {}])
def test_what_cannot_be_tried_is_refused(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(UsageError, match="sensitivity"):
        asked(tmp_path, sensitivity=wrong)


def test_a_student_without_heads_cannot_be_tried(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sensitivity: no student here is static or a probe"):
        asked(tmp_path, strong=["majority"], sensitivity="l2")
