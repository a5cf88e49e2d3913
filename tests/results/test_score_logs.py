"""`outgrow score` on logs that inspect and lm-eval leave, in their documented forms."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import outgrow

from outgrow import UsageError
from outgrow.results.external.score import score_predictions

ACCURACIES = {"weak": 0.6, "student": 0.75, "ceiling": 0.9}
N = 80


def right(role: str, n: int = N, epoch: int = 1) -> list[bool]:
    draws = np.random.default_rng([list(ACCURACIES).index(role), epoch]).random(n)
    return [bool(one) for one in draws < ACCURACIES[role]]


def inspect_log(path: Path, epochs: Sequence[Sequence[bool]], **changed: Any) -> Path:
    samples = [
        {
            "id": f"q{row}",
            "epoch": epoch,
            "input": "2 + 2?",
            "target": "4",
            "scores": {"match": {"value": "C" if one else "I", "answer": "4", "explanation": "", "metadata": None}},
        }
        for epoch, answers in enumerate(epochs, 1)
        for row, one in enumerate(answers)
    ]
    log = {"version": 2, "status": "success", "eval": {"task": "sums", "model": "m"}, "results": {}, "samples": samples}
    path.write_text(json.dumps({**log, **changed}, indent=2))
    return path


def lm_eval(path: Path, answers: Sequence[bool], metric: str = "acc", filters: Sequence[str] = ("none",)) -> Path:
    rows = [
        {
            "doc_id": row,
            "doc": {"question": "2 + 2?"},
            "target": "1",
            "arguments": {"gen_args_0": {"arg_0": "2 + 2?"}},
            "resps": [[["-1.0", "False"]]],
            "filtered_resps": [["-1.0", "False"]],
            "filter": name,
            "metrics": [metric],
            "doc_hash": f"{row:064x}"[::-1],
            metric: float(one),
        }
        for name in filters
        for row, one in enumerate(answers)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def fault(call: Callable[[], Any]) -> str:
    with pytest.raises(UsageError) as caught:
        call()
    return " ".join(caught.value.problems)


def test_logs_of_both_programs_give_what_predictions_give(tmp_path: Path) -> None:
    """The same answers as a log of either program and as plain predictions: the same accuracies, gain and PGR."""
    logs = {role: inspect_log(tmp_path / f"{role}.json", [right(role)]) for role in ACCURACIES}
    harness = {role: lm_eval(tmp_path / f"samples_{role}.jsonl", right(role)) for role in ACCURACIES}
    plain = {}
    for role in ACCURACIES:
        rows = [{"id": f"q{row}", "label": int(one)} for row, one in enumerate(right(role))]
        plain[role] = tmp_path / f"plain_{role}.jsonl"
        plain[role].write_text("".join(json.dumps(row) + "\n" for row in rows))
    truth = tmp_path / "truth.jsonl"
    truth.write_text("".join(json.dumps({"id": f"q{row}", "label": 1}) + "\n" for row in range(N)))
    wanted = score_predictions(**plain, truth=truth).cells[0]
    for found in (score_predictions(**logs, truth=None), score_predictions(**harness, truth=None)):
        for key in ("weak_accuracy", "student_accuracy", "ceiling_accuracy", "gain", "pgr"):
            assert found.cells[0][key] == wanted[key], key
        assert found.cells[0]["agreement"] is None
        assert any("not what was answered" in note for note in found.notes)


def test_epochs_count_as_seeds_and_a_note_says_of_what(tmp_path: Path) -> None:
    epochs = {role: [right(role, epoch=epoch) for epoch in (1, 2, 3)] for role in ACCURACIES}
    logs = {role: inspect_log(tmp_path / f"{role}.json", answers) for role, answers in epochs.items()}
    found = score_predictions(**logs, truth=None)
    assert found.cells[0]["seeds"] == [1, 2, 3]
    assert found.cells[0]["student_accuracy"]["estimate"] == pytest.approx(np.mean(epochs["student"]))
    assert any(note.startswith("the 3 epochs count as seeds") for note in found.notes)


def test_the_command_reads_logs(tmp_path: Path) -> None:
    logs = [f"--{role}={inspect_log(tmp_path / f'{role}.json', [right(role)])}" for role in ACCURACIES]
    done = outgrow("score", *logs, "--json", cwd=tmp_path)
    assert done.code == 0, done.said
    assert json.loads(done.out)["cells"][0]["student_accuracy"]["estimate"] == pytest.approx(np.mean(right("student")))


def test_faults_of_logs_have_a_sentence_each(tmp_path: Path) -> None:
    good = {role: inspect_log(tmp_path / f"{role}.json", [right(role)]) for role in ACCURACIES}

    def of(student: Path, **more: Any) -> str:
        return fault(lambda: score_predictions(**{**good, "student": student}, truth=None, **more))

    bad = tmp_path / "bad.json"
    assert "ended as 'error'" in of(inspect_log(bad, [right("student")], status="error"))
    assert "holds no samples" in of(inspect_log(bad, [right("student")], samples=None))
    partly = [{"id": f"q{row}", "epoch": 1, "scores": {"match": {"value": "P"}}} for row in range(N)]
    assert "has 'P' in sample 1, 2, 3, 4, 5 and 75 more" in of(inspect_log(bad, [], samples=partly))
    both = [{"id": f"q{row}", "epoch": 1, "scores": {"a": {"value": 1}, "b": {"value": 0}}} for row in range(N)]
    assert "has several scorers, a, b; name one" in of(inspect_log(bad, [], samples=both))
    assert "has no scorer 'c'; there is a, b" in of(inspect_log(bad, [], samples=both), scorer="c")
    assert "2 of the 80 ids" in of(inspect_log(bad, [right("student")[:-2]]))
    assert "inspect log convert" in of(tmp_path / "x.eval")
    assert "leave --truth away" in fault(lambda: score_predictions(**good, truth=bad))
    assert "right and wrong alone" in fault(lambda: score_predictions(**good, truth=None, metric="brier"))
    two = lm_eval(tmp_path / "two.jsonl", right("student"), "exact_match", ("strict-match", "flexible-extract"))
    said = fault(lambda: score_predictions(two, two, two, None))
    assert "--scorer exact_match,flexible-extract" in said
    found = score_predictions(two, two, two, None, scorer="exact_match,strict-match")
    assert found.cells[0]["student_accuracy"]["estimate"] == pytest.approx(np.mean(right("student")))
    other = tmp_path / "other.jsonl"
    other.write_text(two.read_text().replace('"doc_hash": "', '"doc_hash": "ff'))
    assert "80 of the 160 ids" in fault(
        lambda: score_predictions(two, other, None, None, scorer="exact_match,strict-match")
    )
