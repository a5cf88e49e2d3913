"""The two doors to the same numbers: examples/one_cell.py by hand, and plan, store and run folder."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from places import EXAMPLES

from outgrow import Experiment, run

EXAMPLE = EXAMPLES / "one_cell.py"


@pytest.mark.slow
def test_the_example_by_hand_prints_what_a_run_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand = runpy.run_path(str(EXAMPLE))["main"](2)
    printed = capsys.readouterr().out
    results = run(
        Experiment(
            name="one_cell",
            tasks=["sentiment"],
            weak=[{"static": "wordllama", "rows": 200}],
            strong=["probe:minilm"],
            methods=["confidence"],
            seeds=2,
            split={"weak_train": 900, "transfer": 900, "test": 1000},
        ),
        store=tmp_path / "store",
        out=tmp_path / "out",
    )
    (cell,) = results.cells
    for name in ("weak_accuracy", "student_accuracy", "ceiling_accuracy", "pgr"):
        assert cell[name]["estimate"] == by_hand[name]
        assert f"{by_hand[name]:.4f}" in printed


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 150
