"""Finetuning as a user meets it: as options, in an experiment, killed, and with real models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models as tiny
from finetuning import options
from places import SRC
from pydantic import ValidationError

from outgrow.core.errors import UsageError
from outgrow.execution.machine import Machine
from outgrow.experiment.pipeline import run
from outgrow.experiment.spec.schema import Experiment
from outgrow.methods.losses import Naive
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.finetune.options import Finetune
from outgrow.models.finetune.saved import predict_texts, train_texts
from outgrow.models.finetune.train import Lesson

pytestmark = pytest.mark.usefixtures("one_thread")


# --- options ---


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"lora": {"r": 8}, "bitfit": True}, "`lora` and `bitfit` both say"),
        ({"processes": 0}, "greater than or equal to 1"),
        ({"keep": "students", "pooling": "mean"}, "transformers' pipeline cannot load"),
        ({"precision": "fp8"}, "fp32"),
        ({"lr": 0}, "greater than 0"),
        ({"callbacks": ["comet"]}, "mlflow"),
        ({"epoch": 3}, "Extra inputs"),
        ({"early_stop": 11}, "less than or equal to 10"),
    ],
)
def test_options_that_make_no_sense_are_refused(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        options(**asked)


def test_a_missing_package_is_said_before_any_work(made: Callable[[str], Path]) -> None:
    location = resolve(str(made("bert")), "finetune")
    (sentence,) = options(callbacks=["mlflow"]).problems(location)
    assert "pip install mlflow" in sentence
    assert options(lora={"r": 2}).problems(location) == []


def test_options_load_no_torch() -> None:
    code = "import sys, outgrow.models.finetune.options, outgrow.experiment.steps.models.finetune\n"
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(SRC)})


# --- experiments ---


def experiment(folder: Path, bert: Path, gpt2: Path, **changes: Any) -> Experiment:
    rows = "".join(f"film {a} {b} {c},{b}\n" for a in tiny.WORDS[:8] for b in ("light", "town") for c in tiny.WORDS[:6])
    (folder / "t.csv").write_text("text,label\n" + rows)
    return Experiment(
        **{
            "name": "x",
            "tasks": [{"file": str(folder / "t.csv"), "text": "text", "label": "label"}],
            "weak": [{"finetune": str(bert), "rows": 16, "epochs": 2, "lr": 1e-3}],
            "strong": [
                {"finetune": str(gpt2), "epochs": 2, "lr": 1e-3, "keep": "students", "early_stop": 3},
                {"probe": str(bert)},
            ],
            "methods": ["naive", "confidence"],
            "seeds": 1,
            "split": {"weak_train": 20, "transfer": 30, "validation": 10, "test": 20},
            **changes,
        }
    )


def test_an_experiment_from_supervisor_to_curves(made: Callable[[str], Path], tmp_path: Path) -> None:
    import pyarrow.parquet as pq
    from transformers import pipeline

    store = tmp_path / "store"
    asked = experiment(tmp_path, made("bert"), made("gpt2"))
    results = run(asked, store=store, out=tmp_path / "out", machine=Machine(threads=1, device="cpu"))
    assert len(results.runs) == 4
    assert all(0 <= found["student_accuracy"] <= 1 for found in results.runs)
    curves = pq.read_table(tmp_path / "out" / "curves.parquet").to_pylist()
    assert {(row["role"], row["method"]) for row in curves} == {
        ("weak", None), ("ceiling", None), ("student", "naive"), ("student", "confidence"),
    }  # fmt: skip
    for row in curves:
        assert (row["weak_agreement"] is not None) == (row["role"] == "student")
    folders = {path.parent: json.loads(path.read_text()) for path in store.rglob("artifact.json")}
    by_kind = lambda kind: [(folder, meta) for folder, meta in folders.items() if meta["kind"] == kind]  # noqa: E731
    assert len(by_kind("tokens")) == 2
    for folder, meta in by_kind("finetune"):
        said = np.load(folder / "probabilities.npy")
        known = ~np.isnan(said).any(axis=1)
        assert known.sum() == (60 if "transfer" in meta["params"]["reads"] else 20)
        assert (folder / "model").is_dir() == ("weak_labels" in meta["parents"])
    kept = next(folder / "model" for folder, meta in by_kind("finetune") if "weak_labels" in meta["parents"])
    pipe = pipeline("text-classification", str(kept), device="cpu")
    assert pipe("film light town")[0]["label"] in ("light", "town")
    # Again, and with one more seed: what is there is not made again.
    before = {folder: folder.stat().st_ino for folder, _ in by_kind("finetune")}
    assert run(asked, store=store, out=tmp_path / "out", machine=Machine(threads=1)).to_json() == results.to_json()
    assert all(folder.stat().st_ino == at for folder, at in before.items())


@pytest.mark.slow
def test_two_processes_make_an_experiment_that_one_makes(tmp_path: Path) -> None:
    """Of one key: only the last digits of what is predicted may differ, of the kept student too."""
    import pyarrow.parquet as pq
    from transformers import pipeline

    body = tiny.steady("gpt2", tmp_path / "gpt2")
    other = tmp_path / "other.csv"
    other.write_text("text,label\n" + "".join(f"town film {n} light,{('light', 'town')[n % 2]}\n" for n in range(24)))
    found, kept = [], []
    for processes in (1, 2):
        student = {"finetune": str(body), "lr": 1e-3, "keep": "students", "processes": processes}
        columns = {"text": "text", "label": "label"}
        task = {"file": str(tmp_path / "t.csv"), **columns, "also_test": [{"file": str(other), **columns}]}
        split = {"weak_train": 20, "transfer": 30, "test": 20}
        asked = experiment(tmp_path, body, body, tasks=[task], strong=[student], methods=["confidence"], split=split)
        store, out = tmp_path / f"store{processes}", tmp_path / f"out{processes}"
        run(asked, store=store, out=out, machine=Machine(threads=2, device="cpu"))
        found.append(pq.read_table(out / "predictions.parquet"))
        folders = {path.parent: json.loads(path.read_text()) for path in store.rglob("artifact.json")}
        ways = {
            meta["environment"].get("processes", 1) for meta in folders.values() if meta["kind"].startswith("finetune")
        }
        assert ways == {1, processes}, "the supervisor is made by one"
        (model,) = (folder / "model" for folder in folders if (folder / "model").is_dir())
        classified = pipeline("text-classification", str(model), device="cpu", top_k=None)(["film town"])[0]
        kept.append([one["score"] for one in sorted(classified, key=lambda one: one["label"])])
    one, two = found
    assert one.schema == two.schema
    for name in one.column_names:
        mine, theirs = (table.column(name).to_pylist() for table in found)
        if name == "probabilities":
            np.testing.assert_allclose(theirs, mine, atol=1e-5, err_msg=name)
        elif name != "strong":  # it is named by its entry
            assert theirs == mine, name
    np.testing.assert_allclose(kept[1], kept[0], atol=1e-5)


@pytest.mark.slow
def test_a_killed_training_starts_again_and_ends_the_same(made: Callable[[str], Path], tmp_path: Path) -> None:
    asked = experiment(
        tmp_path, made("bert"), made("gpt2"), methods=["naive"], strong=[{"finetune": str(made("gpt2")), "lr": 1e-3}]
    )
    whole = run(asked, store=tmp_path / "one", out=tmp_path / "a", machine=Machine(threads=1, device="cpu"))
    (tmp_path / "x.yaml").write_text(asked.to_yaml())
    code = (
        "import os, signal, sys\n"
        "from outgrow.models.finetune.learning_curve import Curve\n"
        "step, calls = Curve.step, []\n"
        "def die(self, done, total):\n"
        "    calls.append(done)\n"
        "    if len(calls) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return step(self, done, total)\n"
        "Curve.step = die\n"
        "from outgrow import Machine, run\n"
        f"run({str(tmp_path / 'x.yaml')!r}, store={str(tmp_path / 'two')!r}, out={str(tmp_path / 'b')!r}, "
        "machine=Machine(threads=1))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert killed.returncode == -9
    again = run(asked, store=tmp_path / "two", out=tmp_path / "b", machine=Machine(threads=1, device="cpu"))
    assert again.runs == whole.runs
    read = lambda out: (tmp_path / out / "predictions.parquet").read_bytes()  # noqa: E731
    assert read("a") == read("b")
    assert not [path for path in (tmp_path / "two").rglob("*") if path.name.startswith("trainer-")]


def test_what_an_experiment_cannot_mean_is_said(made: Callable[[str], Path], tmp_path: Path) -> None:
    split = {"weak_train": 20, "transfer": 30, "test": 20}
    with pytest.raises(UsageError, match="stops early by it"):
        experiment(tmp_path, made("bert"), made("gpt2"), split=split)
    with pytest.raises(UsageError, match="`rows` is for supervisors"):
        experiment(tmp_path, made("bert"), made("gpt2"), strong=[{"finetune": str(made("bert")), "rows": 9}])
    with pytest.raises(UsageError, match="is of kind static"):
        resolve("wordllama", "finetune")
    several = [{"finetune": str(made("gpt2")), "processes": 2}]
    asked = experiment(tmp_path, made("bert"), made("gpt2"), strong=several, methods=["generative"], split=split)
    with pytest.raises(UsageError, match="one process reads the texts for `generative`: leave it or `processes` out"):
        run(asked, store=tmp_path / "store", out=tmp_path / "out", machine=Machine(threads=1, device="cpu"))


def test_a_rate_may_be_written_as_5e_5(made: Callable[[str], Path], tmp_path: Path) -> None:
    asked = experiment(tmp_path, made("bert"), made("gpt2"))
    (tmp_path / "x.yaml").write_text(asked.to_yaml().replace("lr: 0.001", "lr: 1e-3"))
    again = Experiment.read(tmp_path / "x.yaml")
    assert again.weak[0].options.lr == 0.001
    assert Experiment.read(tmp_path / "x.yaml").strong[0].options == asked.strong[0].options


# --- real models ---


@pytest.mark.slow
def test_minilm_learns_sentiment(tmp_path: Path) -> None:
    """The real model on the sentences of the package: far above the chance of .5 after 256 of them."""
    from outgrow.tasks.sentiment import sentiment

    raw = sentiment()
    order = np.random.default_rng(0).permutation(len(raw.inputs))[:356].tolist()
    texts = [str(raw.inputs[row]) for row in order]
    names = sorted({str(raw.labels[row]) for row in order})
    truth = np.array([names.index(str(raw.labels[row])) for row in order])
    taught = np.arange(256)
    lesson = Lesson(taught, np.eye(2)[truth[:256]], Naive(), 0)
    location = resolve("minilm", "finetune")
    asked = Finetune(checkpoint="minilm", epochs=2, lr=2e-4, max_length=32, batch=16)
    train_texts(location, asked, texts, names, lesson, tmp_path)
    assert (predict_texts(tmp_path, texts[256:]).argmax(axis=1) == truth[256:]).mean() > 0.7


@pytest.mark.slow
def test_smollm2_learns_sentiment_by_lora(tmp_path: Path) -> None:
    """A causal model of 135M by adapters, in a chat template; merged, it loads by transformers alone."""
    from transformers import pipeline

    from outgrow.tasks.sentiment import sentiment

    raw = sentiment()
    order = [
        row for row in np.random.default_rng(0).permutation(len(raw.inputs)).tolist() if len(raw.inputs[row]) < 120
    ][:178]
    texts = [str(raw.inputs[row]) for row in order]
    names = sorted({str(raw.labels[row]) for row in order})
    truth = np.array([names.index(str(raw.labels[row])) for row in order])
    lesson = Lesson(np.arange(128), np.eye(2)[truth[:128]], Naive(), 0)
    location = resolve("smollm2", "finetune")
    asked = Finetune(checkpoint="smollm2", epochs=2, lr=5e-4, max_length=48, batch=16, lora={"r": 8})
    found = train_texts(location, asked, texts, names, lesson, tmp_path)
    assert found.curve[-1]["loss"] < found.curve[0]["loss"]  # type: ignore[operator]
    said = predict_texts(tmp_path, texts[128:])
    assert (said.argmax(axis=1) == truth[128:]).mean() > 0.7
    pipe = pipeline("text-classification", str(tmp_path), top_k=None, device="cpu")
    theirs = [{score["label"]: score["score"] for score in row} for row in pipe(texts[128:138], truncation=True)]
    np.testing.assert_allclose(said[:10], [[row[name] for name in names] for row in theirs], atol=1e-5)
