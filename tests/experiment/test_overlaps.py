"""The overlap density of a run: what its labels and features in the store give, read by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outgrow.execution.machine import Machine
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare, run
from outgrow.experiment.spec.schema import Experiment
from outgrow.report.tables.cell_tables import agreement_view
from outgrow.report.words.sentences import agreements
from outgrow.results.metrics.overlap import overlap

ASKED: dict[str, Any] = {
    "name": "x",
    "tasks": ["sentiment"],
    "weak": [{"static": "wordllama", "rows": 100}, "majority"],
    "strong": [{"static": "wordllama", "l2": 0.1}],
    "methods": ["naive", "confidence"],
    "seeds": 3,
    "split": {"weak_train": 200, "transfer": 300, "test": 200},
}


def test_a_cell_has_the_mean_over_its_seeds(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    experiment = Experiment.model_validate(ASKED)
    results = run(experiment, out=tmp_path / "run", store=store, machine=Machine(device="cpu"))
    expected = []
    for one in prepare(experiment, store, Machine(device="cpu")).runs[:3]:
        folders = [store.open(step.key) for step in (one.supervisor, one.split, one.student.parents["features"])]
        names = ("probabilities.npy", "transfer.npy", "features.npy")
        labels, rows, features = (np.load(at / name) for at, name in zip(folders, names, strict=True) if at)
        found = overlap(labels[rows], features[rows])
        assert found is not None
        expected.append(found.density)
    learned = [cell for cell in results.cells if cell["weak"] != "majority"]
    of_cells = [cell["agreement"]["overlap_density"] for cell in learned]
    assert len(of_cells) == 2
    assert of_cells[0] == of_cells[1]  # methods share labels and features
    assert of_cells[0]["estimate"] == pytest.approx(np.mean(expected))
    assert of_cells[0]["low"] < of_cells[0]["estimate"] < of_cells[0]["high"]
    assert agreement_view(results.cells).columns["overlap_density"] == "overlap"
    assert f"{100 * np.mean(expected):.0f}% are overlap" in agreements(learned)[0]
    assert '<th scope="col" class="number">overlap</th>' in (tmp_path / "run" / "report.html").read_text()
    alike = [cell for cell in results.cells if cell["weak"] == "majority"]  # all labels are equally sure
    assert all("overlap_density" not in cell["agreement"] for cell in alike)
