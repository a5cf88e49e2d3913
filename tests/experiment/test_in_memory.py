"""Objects of a notebook among an experiment's entries: what they become, that they are cached, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pydantic import Field

from outgrow import Experiment, Method, Model, RawTask, Results, UsageError, run
from outgrow.core.source_of import source_of
from outgrow.experiment.spec.in_memory import as_written
from outgrow.methods.losses import Confidence
from outgrow.tasks.sentiment import sentiment

POWER = 2.0
TABLE = np.arange(3)
shrunk = partial(pow, 2)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def doubt(weak: Any) -> Any:
    return (1 - weak.max(dim=-1).values) ** POWER


class Careful(Method):
    """Less from unsure rows."""

    strength: float = Field(default=1.0, ge=0)

    def loss(self, logits: Any, weak: Any, progress: float, statistic: Any = None) -> Any:
        import torch

        return (1 - self.strength * doubt(weak)) * torch.nn.functional.cross_entropy(logits, weak, reduction="none")


def sharpened(logits: Any, weak: Any) -> Any:
    import torch

    return torch.nn.functional.cross_entropy(logits, weak**2 / (weak**2).sum(dim=-1, keepdim=True), reduction="none")


class Commonest(Model):
    by_loss = False
    smoothing: float = 1.0

    def fit(self, examples: Any, targets: Any, objective: Any, seed: int) -> Shares:
        return Shares(targets.probabilities.sum(axis=0) + self.smoothing)


class Shares:
    def __init__(self, counts: Any) -> None:
        self.counts = counts

    def predict(self, examples: Any) -> Any:
        return np.tile(self.counts / self.counts.sum(), (len(examples.inputs), 1))


def frame() -> pd.DataFrame:
    raw = sentiment()
    return pd.DataFrame({"text": raw.inputs, "label": raw.labels})[:900]


def asked(**changes: Any) -> dict[str, Any]:
    return {
        "name": "memory",
        "tasks": [frame()],
        "weak": [{"static": "wordllama", "rows": 60}],
        "strong": ["static:wordllama"],
        "methods": ["naive"],
        "seeds": 2,
        "split": {"weak_train": 120, "transfer": 200, "test": 200},
        **changes,
    }


@pytest.mark.usefixtures("one_thread")
def test_objects_run_and_results_call_them_by_their_names(tmp_path: Path) -> None:
    experiment = Experiment(
        **asked(
            strong=["static:wordllama", Commonest(smoothing=2.0)],
            methods=["naive", Careful(strength=0.5), sharpened],
            names={"Careful strength=0.5": "Ours"},
        )
    )
    made = run(experiment, store=tmp_path / "store", out=tmp_path / "run")
    cells = made.cells_frame()
    assert set(cells["method"]) == {"naive", "Ours", "sharpened"}
    assert set(cells["strong"]) == {"static:wordllama", "Commonest smoothing=2.0"}
    assert set(cells["task"]) == {"frame"}
    students = made.runs_frame().query("strong == 'static:wordllama' and seed == 0").set_index("method")
    assert students["student_accuracy"].nunique() > 1  # the losses are not one
    assert Results.read(tmp_path / "run").to_json() == made.to_json()
    again = Experiment.read(_written(tmp_path, experiment))  # without the objects
    assert run(again, store=tmp_path / "store", out=tmp_path / "again").cells == made.cells


def _written(folder: Path, experiment: Experiment) -> Path:
    (folder / "memory.yaml").write_text(experiment.to_yaml())
    return folder / "memory.yaml"


@pytest.mark.usefixtures("one_thread")
def test_worker_processes_find_them(tmp_path: Path) -> None:
    from outgrow import Machine

    made = run(
        Experiment(**asked(methods=[sharpened], seeds=1)),
        store=tmp_path / "store",
        out=tmp_path / "run",
        machine=Machine(jobs=2),
    )
    assert [cell["method"] for cell in made.cells_frame().to_dict("records")] == ["sharpened"]


def test_the_same_objects_are_the_same_experiment_and_others_another() -> None:
    first, same = (Experiment(**asked(methods=[Careful])).to_yaml() for _ in range(2))
    assert first == same
    assert first != Experiment(**asked(methods=[Careful], tasks=[frame()[:899]])).to_yaml()
    as_polars = Experiment(**asked(methods=[Careful], tasks=[pl.from_pandas(frame())])).to_yaml()
    assert as_polars == first


def test_a_value_that_a_function_reads_is_part_of_its_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    before = source_of(Careful)
    assert "POWER = 2.0" in before
    assert before.index("def doubt") < before.index("class Careful")
    monkeypatch.setitem(globals(), "POWER", 3.0)
    assert source_of(Careful) != before


def test_closures_are_written_out() -> None:
    def made(power: float) -> Any:
        def loss(logits: Any, weak: Any) -> Any:
            return (logits - weak).abs().sum(dim=-1) ** power

        return loss

    text = source_of(made(1.5))
    assert "power = 1.5" in text
    space: dict[str, Any] = {}
    exec(compile(text, "written", "exec"), space)
    import torch

    assert space["loss"](torch.ones(2, 2), torch.zeros(2, 2)).tolist() == pytest.approx([2**1.5] * 2)


def test_what_is_registered_keeps_its_name() -> None:
    found = as_written({"methods": [Confidence(alpha=0.5), Confidence, ["balance", Confidence]]})
    assert found["methods"] == [{"confidence": {"alpha": 0.5}}, "confidence", ["balance", "confidence"]]
    assert "names" not in found


def test_rows_in_memory() -> None:
    raw = RawTask(
        ["a", "b", "c", "d"], [True, False, None, True], groups=["x", None, "y", "x"], test=[False, True, False, False]
    )
    (entry,) = as_written({"tasks": [raw]})["tasks"]
    rows, test = (pl.read_parquet(entry[part]) for part in ("file", "test"))
    assert rows.select("text", "label", "group").to_dict(as_series=False) == {
        "text": ["a", "c", "d"],
        "label": ["true", None, "true"],
        "group": ["x", "y", "x"],
    }
    assert test["text"].to_list() == ["b"]
    assert entry["unlabelled"]


def _table_loss(logits: Any, weak: Any) -> Any:
    return logits[TABLE]


def _partial_loss(logits: Any, weak: Any) -> Any:
    return shrunk(weak)


def _one_argument(logits: Any) -> Any:
    return logits


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": [lambda logits, weak: logits]}, "methods[0]: a lambda has no source of its own"),
        ({"methods": ["naive", _table_loss]}, "methods[1]: _table_loss reads TABLE, a ndarray in memory"),
        ({"methods": [_partial_loss]}, "reads shrunk, a partial in memory"),
        ({"methods": [_one_argument]}, "_one_argument: a loss function takes logits"),
        ({"tasks": [pd.DataFrame({"sentence": ["a"], "label": [1]})]}, "needs the columns `text` and `label`"),
        ({"tasks": [{"frame": 3, "text": "text", "label": "label"}]}, "is a data frame of pandas or polars, not a int"),
        ({"tasks": [RawTask(["a"], [1], input_type="choice")]}, "tasks[0]: a RawTask in memory holds texts"),
        (
            {"tasks": [{"frame": pd.DataFrame({"text": [object()], "label": [1]}), "text": "text", "label": "label"}]},
            "Parquet",
        ),
    ],
)
def test_what_cannot_be_kept_is_a_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        Experiment(**asked(**changes))
    assert words in str(caught.value)


def test_code_without_a_source_is_a_sentence() -> None:
    space: dict[str, Any] = {}
    exec("def loss(logits, weak):\n    return logits", space)
    with pytest.raises(UsageError, match=r"Python cannot say what its source is; write it to a file"):
        Experiment(**asked(methods=[space["loss"]]))


def test_the_api_is_listed_without_loading_it() -> None:
    script = "import sys, outgrow; print(set(outgrow.__all__) <= set(dir(outgrow)), 'torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert found.split() == ["True", "False"]
    import outgrow

    for name in outgrow.__all__:
        assert callable(getattr(outgrow, name)), name
    assert {name for name in dir(outgrow) if not name.startswith("__")} == set(outgrow.__all__)
