"""`outgrow seal` on a small experiment, and answers to it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commands import bad, good, outgrow
from small_experiment import TEXTS, asked

from outgrow import UsageError
from outgrow.execution.machine import Machine
from outgrow.execution.store import Store
from outgrow.experiment.seal import seal
from outgrow.results.sealed.envelope import read_envelope


@pytest.mark.slow
def test_the_public_part_tells_nothing_and_the_sealed_part_scores(tmp_path: Path) -> None:
    experiment = asked(tmp_path, methods=["naive"])
    (tmp_path / "x.yaml").write_text(experiment.to_yaml())
    out, key = tmp_path / "public", tmp_path / "sealed"
    good(outgrow("seal", "x.yaml", "--out", out, "--key", key, "--store", tmp_path / "s", cwd=tmp_path), computes=True)
    test, transfer = (pq.read_table(out / f"{name}.parquet").to_pylist() for name in ("test", "transfer"))
    part = read_envelope(key)
    assert json.loads((out / "manifest.json").read_text())["sealed_sha256"] == part.hash
    assert [row["id"] for row in test] == list(part.ids) == sorted(part.ids)
    assert set(test[0]) == {"id", "input"}
    assert len(test) == 40
    assert set(transfer[0]) == {"seed", "id", "input", "label", "p_neg", "p_pos"}
    assert not {row["input"] for row in test} & {row["input"] for row in transfer}
    assert {row["seed"] for row in transfer} == {0, 1}
    # The truth is in the text of these sentences: who answers by it is right everywhere.
    truth = {row["id"]: "pos" if row["input"].endswith("good") else "neg" for row in test}
    assert [part.classes[one] for one in part.truth] == [truth[id_] for id_ in part.ids]
    assert 15 <= part.held.sum() <= 25
    lines = [json.dumps({"seed": seed, "id": id_, "label": label}) for seed in (0, 1) for id_, label in truth.items()]
    (tmp_path / "answers.jsonl").write_text("\n".join(lines) + "\n")
    done = good(outgrow("score", "answers.jsonl", "--sealed", key, "--json", cwd=tmp_path))
    assert json.loads(done.out)["this"]["student_accuracy"]["estimate"] == 1.0
    assert "Submission 1 of 1" in good(outgrow("score", "answers.jsonl", "--sealed", key, cwd=tmp_path)).out
    bad(outgrow("score", "--sealed", key, cwd=tmp_path), 2, "--sealed needs a file of answers")
    assert len(TEXTS) == 160
    other = tmp_path / "other"
    store = Store(tmp_path / "s")
    first = seal(experiment, store, other / "a", other / "b", Machine(), salt="1")
    second = seal(experiment, store, other / "c", other / "d", Machine(), salt="2")
    assert first != second
    orders = [[row["input"] for row in pq.read_table(other / name / "test.parquet").to_pylist()] for name in ("a", "c")]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def test_what_cannot_be_sealed_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    with pytest.raises(UsageError, match="methods holds several"):
        seal(asked(tmp_path), store, tmp_path / "a", tmp_path / "b", Machine())
    with pytest.raises(UsageError, match="one lies in the other"):
        seal(asked(tmp_path, methods=["naive"]), store, tmp_path / "a", tmp_path / "a" / "b", Machine())
    with pytest.raises(UsageError, match="is there already"):
        seal(asked(tmp_path, methods=["naive"]), store, tmp_path, tmp_path / "b", Machine())
