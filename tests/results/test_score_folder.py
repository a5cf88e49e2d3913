"""`outgrow score --folder`: results in the form of the field's reference code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outgrow import UsageError
from outgrow.results.external.reference_folder import score_folder


def fault(call: Callable[[], Any]) -> list[str]:
    with pytest.raises(UsageError) as caught:
        call()
    return list(caught.value.problems)


def trained(root: Path, model: str, accuracy: float, seed: int, weak: str | None = None, **more: Any) -> Path:
    place = root / f"{model}-{weak}-{seed}-{'-'.join(map(str, more.values()))}"
    place.mkdir(parents=True)
    config = {"ds_name": "sciq", "model_size": model, "seed": seed, "loss": "xent", "epochs": 2, "lr": 1e-5, **more}
    (place / "config.json").write_text(json.dumps(config | ({} if weak is None else {"weak_model_size": weak})))
    (place / "results_summary.json").write_text(json.dumps({"accuracy": accuracy}))
    return place


def reference(root: Path) -> Path:
    for seed in range(3):
        trained(root, "gpt2", 0.6 + seed / 100, seed)
        trained(root, "gpt2-large", 0.8, seed)
        trained(root, "gpt2-large", 0.7 + seed / 100, seed, weak="gpt2")
        trained(root, "gpt2-large", 0.75, seed, weak="gpt2", loss="logconf")
    return root


def test_a_sweep_of_the_reference_code(tmp_path: Path) -> None:
    results = score_folder(reference(tmp_path))
    cells = {(c["task"], c["weak"], c["strong"], c["method"]): c for c in results.cells}
    assert set(cells) == {("sciq", "gpt2", "gpt2-large", "logconf"), ("sciq", "gpt2", "gpt2-large", "xent")}
    assert cells["sciq", "gpt2", "gpt2-large", "xent"]["pgr"]["estimate"] == pytest.approx(0.1 / 0.19)
    notes = " ".join(results.notes)
    assert "test set's own noise" in notes
    assert "on the supervisor's half of the data" in notes
    assert "may be of different rows" in notes


def test_other_settings_are_cells_of_their_own(tmp_path: Path) -> None:
    """Students that differ in a setting are apart, whatever its name; a name that each run has for itself is none."""
    root = reference(tmp_path / "runs")
    number = 0
    for share in (0.25, 0.5):
        for seed in range(3):
            number += 1
            settings = {"loss": "mixed", "gt_fraction": share, "run_name": f"run{number}", "save_path": f"/x/{number}"}
            trained(root, "gpt2-large", 0.7 + share / 10 + seed / 100, seed, "gpt2", **settings | {"save_path": number})
    cells = {cell["method"]: cell for cell in score_folder(root).cells}
    assert set(cells) == {"xent", "logconf", "mixed gt_fraction=0.25", "mixed gt_fraction=0.5"}
    assert cells["mixed gt_fraction=0.5"]["student_accuracy"]["estimate"] == pytest.approx(0.76)
    assert all(cell["seeds"] == [0, 1, 2] for cell in cells.values())
    one = tmp_path / "one"
    for model in ("gpt2", "gpt2-large"):
        trained(one, model, 0.6 if model == "gpt2" else 0.8, 0)
    for share in (0.0, 0.5):
        trained(one, "gpt2-large", 0.7, 0, "gpt2", gt_fraction=share)
    assert [cell["method"] for cell in score_folder(one).cells] == ["xent gt_fraction=0.0", "xent gt_fraction=0.5"]


def test_ceilings_may_lie_in_another_folder(tmp_path: Path) -> None:
    for seed in range(3):
        trained(tmp_path / "runs", "gpt2", 0.6, seed)
        trained(tmp_path / "runs", "gpt2-large", 0.7, seed, weak="gpt2")
        trained(tmp_path / "tops", "gpt2-large", 0.8 + seed / 100, seed)
    assert "no run of gpt2-large taught the truth" in fault(lambda: score_folder(tmp_path / "runs"))[0]
    (cell,) = score_folder(tmp_path / "runs", tmp_path / "tops").cells
    assert cell["ceiling_accuracy"]["estimate"] == pytest.approx(0.81)
    assert "there is no such folder" in fault(lambda: score_folder(tmp_path / "runs", tmp_path / "no"))[0]
    (tmp_path / "empty").mkdir()
    assert "--ceilings names their folder" in fault(lambda: score_folder(tmp_path / "runs", tmp_path / "empty"))[0]


def test_weak_labels_are_read_and_pickles_are_not(tmp_path: Path) -> None:
    import pyarrow as pa

    reference(tmp_path)
    place = tmp_path / "gpt2-None-0-"
    (place / "weak_labels").mkdir()
    rows_ = pa.table({"gt_label": [0, 1, 1, 0], "hard_label": [0, 1, 0, 0], "soft_label": [[0.9, 0.1]] * 4})
    path = str(place / "weak_labels" / "data-00000-of-00001.arrow")
    with pa.OSFile(path, "wb") as file, pa.ipc.new_stream(file, rows_.schema) as writer:
        writer.write_table(rows_)
    (place / "results.pkl").write_bytes(b"cposix\nsystem\n(S'false'\ntR.")
    notes = " ".join(score_folder(tmp_path).notes)
    assert "right on 0.750 of the rows that it labelled" in notes
    assert "1 result in pickle files is not read" in notes


def test_the_joint_form_names_no_seed(tmp_path: Path) -> None:
    for repeat in range(3):
        (tmp_path / str(repeat)).mkdir()
        content = {
            "weak_acc": 0.6,
            "strong_acc": 0.8 + repeat / 100,
            "transfer_acc_xent": 0.7,
            "transfer_acc_logconf": 0.8,
        }
        (tmp_path / str(repeat) / "gpt2_gpt2-large.results_summary.json").write_text(json.dumps(content))
    cells = score_folder(tmp_path).cells
    assert [(c["weak"], c["strong"], c["method"], len(c["seeds"])) for c in cells] == [
        ("gpt2", "gpt2-large", "xent", 3), ("gpt2", "gpt2-large", "logconf", 3),
    ]  # fmt: skip
    assert cells[0]["pgr"]["estimate"] == pytest.approx(0.1 / 0.21)


def test_faults_of_folders_have_a_sentence_each(tmp_path: Path) -> None:
    assert "there is no such folder" in fault(lambda: score_folder(tmp_path / "x"))[0]
    assert "holds no results in the form" in fault(lambda: score_folder(tmp_path))[0]
    place = trained(tmp_path, "gpt2-large", 0.7, 0, weak="gpt2")
    assert "there is no run of gpt2 taught the truth on sciq with seed 0" in fault(lambda: score_folder(tmp_path))[0]
    (place / "results_summary.json").write_text('{"accuracy": 70}')
    assert "accuracy is 70, not between 0 and 1" in fault(lambda: score_folder(tmp_path))[0]
    (place / "results_summary.json").write_text("{")
    assert "is damaged or not JSON" in fault(lambda: score_folder(tmp_path))[0]
    (place / "results_summary.json").write_text('{"accuracy": 0.7}')
    trained(tmp_path, "gpt2", 0.6, 0)
    trained(tmp_path, "gpt2", 0.61, 0, lr=1e-4)
    trained(tmp_path, "gpt2-large", 0.8, 0)
    assert "are both gpt2 taught the truth" in fault(lambda: score_folder(tmp_path))[0]
    (place / "config.json").unlink()
    assert "config.json is missing" in fault(lambda: score_folder(tmp_path))[0]
