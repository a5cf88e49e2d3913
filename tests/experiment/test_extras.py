"""Label curves and controls as ordinary steps: keyed, shared, made, and without the truth where they must not have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_experiment import TEXTS, asked

from outgrow import Results, UsageError, run
from outgrow.execution.machine import Machine
from outgrow.execution.step import Context, Job, walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.experiment.planning.curves_and_controls import curve_sizes
from outgrow.experiment.steps.controls import shuffle
from outgrow.results.run_folder import read_run


def planned(folder: Path, **changes: Any) -> Any:
    return prepare(asked(folder, **changes), Store(folder / "store"), Machine())


def test_what_a_label_file_has_to_say_is_said_in_a_join_too(tmp_path: Path) -> None:
    asked(tmp_path)
    (tmp_path / "crowd.csv").write_text("sentence,label\n" + "".join(f"{text},pos\n" for text in TEXTS[:150]))
    crowd = {"given": str(tmp_path / "crowd.csv"), "text": "sentence"}
    alone, joined = (
        [
            note
            for note in run(asked(tmp_path, weak=[weak], seeds=1), store=tmp_path / "store").notes
            if "labels cover" in note
        ]
        for weak in (crowd, [crowd, "majority", "static:wordllama"])
    )
    assert alone
    assert joined == alone


def test_curve_sizes_double_below_all_of_transfer() -> None:
    assert curve_sizes(900) == [25, 50, 100, 200, 400, 800]
    assert curve_sizes(25) == []
    assert curve_sizes(26) == [25]


def test_they_change_no_key_and_are_shared(tmp_path: Path) -> None:
    before = {step.key for step in walk(planned(tmp_path).wanted)}
    plan = planned(tmp_path, label_curve=True, controls=True)
    steps = list(walk(plan.wanted))
    assert before < {step.key for step in steps}
    new = [step for step in steps if step.key not in before]
    # A seed: ceilings at 25 and 50 rows, at these and all rows with three l2 more, shuffled labels and their student; not
    # twice for two methods. The student's model is its supervisor's here, so that it as its own supervisor is there already,
    # rows included.
    assert sorted(step.kind for step in new) == ["head"] * 2 * (2 + 3 * 3 + 1) + ["shuffle"] * 2
    assert all(run.extras.keys() == plan.runs[0].extras.keys() for run in plan.runs)
    assert {step.key for step in walk(planned(tmp_path, metrics=["brier"]).wanted)} == before


def test_a_student_as_its_own_supervisor_has_as_many_rows_as_the_cells(tmp_path: Path) -> None:
    weak = ["static:wordllama", {"static": "wordllama", "rows": 20}]
    plan = planned(tmp_path, controls=True, weak=weak)
    assert [run.extras["own_weak"].params["rows"] for run in plan.runs if run.seed == plan.runs[0].seed] == [
        run.supervisor.params["rows"] for run in plan.runs if run.seed == plan.runs[0].seed
    ]
    assert {run.extras["own_weak"].params["rows"] for run in plan.runs} == {None, 20}


def test_a_curve_needs_a_student_whose_ceilings_are_cheap(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text("from pydantic import BaseModel\n\n\nclass Mine(BaseModel):\n    pass\n")
    with pytest.raises(UsageError, match="label_curve: no student here is static or a probe"):
        asked(tmp_path, strong=[f"{plugin}:Mine"], label_curve=True)


def test_shuffled_labels_are_the_same_labels_on_other_rows(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.random((100, 3)).astype(np.float32)
    values[7] = np.nan  # somebody's labels left this one out
    parts = {"transfer": np.arange(60), "validation": np.arange(60, 80)}
    for name in ("labels", "split", "made", "again", "other"):
        (tmp_path / name).mkdir()
    np.save(tmp_path / "labels" / "probabilities.npy", values)
    for part, rows in parts.items():
        np.save(tmp_path / "split" / f"{part}.npy", rows)
    parents = {"weak_labels": tmp_path / "labels", "split": tmp_path / "split"}
    jobs = [Job(tmp_path / name, {"seed": seed}, parents) for name, seed in (("made", 1), ("again", 1), ("other", 2))]
    shuffle(jobs, Context())
    made, again, other = (np.load(job.folder / "probabilities.npy") for job in jobs)
    np.testing.assert_array_equal(made, again)
    assert not np.array_equal(made[:60], other[:60], equal_nan=True)
    for rows in parts.values():
        kept = [row for row in rows.tolist() if row != 7]
        assert sorted(map(tuple, made[kept])) == sorted(map(tuple, values[kept]))
        assert (made[kept] != values[kept]).any(axis=1).mean() > 0.8
    assert np.isnan(made[7]).all()
    assert np.isnan(made[80:]).all()  # no label of a test row is there to be learned


def test_a_run_tells_them(tmp_path: Path) -> None:
    experiment = asked(tmp_path, label_curve=True, controls=True, metrics=["brier"])
    results = run(experiment, store=tmp_path / "store", out=tmp_path / "out", machine=Machine(threads=1))
    cell = results.cells[0]
    assert [point["rows"] for point in cell["equivalent_labels"]["curve"]] == [25, 50, 60]
    assert cell["student_brier"]["status"] == "ok"
    kinds = [control["control"] for control in results.controls]
    assert set(kinds) == {"shuffled labels", "no teacher", "weak = strong", "seed noise floor"}
    assert kinds.count("no teacher") == 2  # of each method
    (shuffled,) = [control for control in results.controls if control["control"] == "shuffled labels"]
    assert shuffled["status"] == "ok"
    assert Results.read(tmp_path / "out").controls == results.controls
    # The folder, read again, says the same.
    reading = read_run(tmp_path / "out")
    again = Results.compute(reading.asked, reading.scored.tables, {}, metrics=["brier"], controls=True)
    assert again.cells == results.cells
    assert again.controls == results.controls
