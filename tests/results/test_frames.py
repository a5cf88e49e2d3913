"""Results as data frames: what they hold is what results.json and the predictions hold, and names join."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from folders import folder
from grids import grid

import outgrow
from outgrow import OutgrowError, Results, UsageError
from outgrow.results.run_folder import read_run

MODELS = ["task", "weak", "strong", "method"]
ACCURACIES = {"a": {"weak": 0.6, "naive": 0.7, "confidence": 0.78, "ceiling": 0.9}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("frames"), ACCURACIES)


def test_cells_are_flat(run: Path) -> None:
    results = Results.read(run)
    cells = results.cells_frame()
    assert len(cells) == len(results.cells)
    for row, cell in zip(cells.to_dict("records"), results.cells, strict=True):
        assert [row[name] for name in ("pgr", "pgr_low", "pgr_high")] == [
            cell["pgr"][end] for end in ("estimate", "low", "high")
        ]
        assert row["student_accuracy"] == cell["student_accuracy"]["estimate"]
        assert row["agreement_mistakes_copied"] == cell["agreement"]["mistakes_copied"]["estimate"]
        assert row["seeds"] == 3
        assert not [name for name, value in row.items() if isinstance(value, dict | list)]


def test_every_frame_and_file_spells_a_model_alike(run: Path) -> None:
    content = json.loads((run / "results.json").read_text())
    for one in (*content["runs"], *content["cells"]):
        one["weak"] = {"static": "w"}  # as a YAML may say it
    (run / "results.json").write_text(json.dumps(content))
    results = Results.read(run)
    results.write(run)
    parquet = pq.read_table(run / "results.parquet").to_pandas()
    predicted = pq.read_table(run / "predictions.parquet").to_pandas()
    spelled = {name: set(frame["weak"].dropna()) for name, frame in {
        "cells": results.cells_frame(), "runs": results.runs_frame(), "predictions": results.predictions_frame(),
        "results.parquet": parquet, "predictions.parquet": predicted,
    }.items()}  # fmt: skip
    assert spelled == {name: {"static:w"} for name in spelled}
    joined = results.predictions_frame().merge(parquet, on=[*MODELS, "seed"], how="left")
    assert joined["student_accuracy"].notna().all()


def test_predictions_give_the_accuracies_again(run: Path) -> None:
    results = Results.read(run)
    frame = results.predictions_frame()
    right = (frame["student_label"] == frame["truth"]).groupby([frame[name] for name in (*MODELS, "seed")]).mean()
    for row in results.runs_frame().to_dict("records"):
        assert right[tuple(row[name] for name in (*MODELS, "seed"))] == pytest.approx(row["student_accuracy"])
    assert frame["student_probability"].between(0, 1).all()
    assert set(frame["id"]) == set(read_run(run).scored.test("a").ids.tolist())


def test_polars_where_asked(run: Path) -> None:
    polars = Results.read(run).cells_frame("polars")
    assert type(polars).__module__.startswith("polars")
    np.testing.assert_allclose(polars["pgr"].to_numpy(), Results.read(run).cells_frame()["pgr"])
    with pytest.raises(UsageError, match='of "pandas" or "polars"'):
        Results.read(run).cells_frame("arrow")


def test_a_comparison_is_a_frame(run: Path) -> None:
    found = Results.read(run).compare("method")
    assert found["method"].tolist() == ["confidence"]
    assert found["against"].tolist() == ["naive"]
    assert found["difference"][0] == pytest.approx(0.08)
    assert found["difference_low"][0] < 0.08 < found["difference_high"][0]


def test_results_are_short_in_a_notebook(run: Path) -> None:
    results = Results.read(run)
    assert repr(results) == f"Results(2 cells, 6 runs, folder={str(run)!r})"
    html = results._repr_html_()
    assert html.count("<tr>") == 3
    hostile = Results([], [{**results.cells[0], "method": "<script>"}, results.cells[1]], {})
    assert "<script>" not in hostile._repr_html_()
    with pytest.raises(OutgrowError, match="belong to no run folder"):
        hostile.predictions_frame()


def test_a_figure_is_a_chart(tmp_path: Path) -> None:
    results = Results.read(grid(tmp_path / "run", strong=["probe:one", "probe:two"], seeds=[0, 1], n=60))
    chart = outgrow.plot(results).to_dict()
    assert len(chart["vconcat"]) == 2
    drawn = [row["estimate"] for rows in chart["datasets"].values() for row in rows]
    assert drawn == [cell["pgr"]["estimate"] for strong in ("probe:one", "probe:two")
                     for cell in results.cells if cell["strong"] == strong]  # fmt: skip
    alone = Results.read(grid(tmp_path / "one", strong=["probe:one"], seeds=[0, 1], n=60))
    assert "vconcat" not in outgrow.plot(alone).to_dict()
    with pytest.raises(UsageError, match='no figure "prg"; did you mean "pgr"'):
        outgrow.plot(results, "prg")
    with pytest.raises(OutgrowError, match="nothing to show in learning_curves"):
        outgrow.plot(results, "learning_curves")


def test_completion_shows_the_names_and_loads_nothing() -> None:
    assert {"Experiment", "Results", "WeakToStrongClassifier", "plot", "run"} <= set(dir(outgrow))
