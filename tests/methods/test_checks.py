"""`outgrow new` writes what works, and `outgrow check` finds what does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from places import EXAMPLES, SRC

from outgrow.cli.check_plugin import check
from outgrow.cli.new_plugin import new
from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.registry import BUILT_IN, find
from outgrow.execution.machine import Machine
from outgrow.experiment.pipeline import run
from outgrow.experiment.spec.schema import Experiment
from outgrow.methods.check import files_opened


@pytest.mark.parametrize(
    ("kind", "name"), [("method", "MyOwn"), ("model", "MyOwn"), ("task", "my_own"), ("metric", "my_own")]
)
def test_what_is_written_keeps_its_contract_and_runs(kind: str, name: str, tmp_path: Path) -> None:
    said = new(kind, tmp_path / "my_own.py")
    target = f"{tmp_path / 'my_own.py'}:{name}"
    assert f"outgrow check {target} " in said[1]
    assert check(target)
    test = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "test_my_own.py")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert test.returncode == 0, test.stdout
    parts = {"method": "methods", "model": "strong", "task": "tasks", "metric": "metrics"}
    plugged = {"tasks": ["sentiment"], "weak": [{"static": "wordllama", "rows": 30}], "strong": ["static:wordllama"]}
    plugged[parts[kind]] = [target]
    split = {"weak_train": 40, "transfer": 80, "test": 80}
    results = run(
        Experiment(name="x", seeds=[0], split=split, **plugged),
        store=tmp_path / "s",
        out=tmp_path / "o",
        machine=Machine(threads=1),
    )
    assert results.runs[0]["student_accuracy"] is not None


@pytest.mark.parametrize(
    "name", ["my_method.py:MyMethod", "my_model.py:MyModel", "my_task.py:my_task", "my_metric.py:my_metric"]
)
def test_the_examples_keep_their_contract(name: str) -> None:
    file = name.partition(":")[0]
    assert (EXAMPLES / "plugins" / file).resolve() == (SRC / "outgrow" / "cli" / "plugins" / file).resolve()
    assert check(f"{EXAMPLES / 'plugins'}/{name}")


def test_nothing_is_written_over_or_where_python_cannot_read_it(tmp_path: Path) -> None:
    new("method", tmp_path / "mine.py")
    with pytest.raises(UsageError, match=r"mine.py and .*test_mine.py exists already"):
        new("task", tmp_path / "mine.py")
    for name in ("my-own.py", "mine", "class.py", "1st.py"):
        with pytest.raises(UsageError, match="is not the name of a Python module"):
            new("method", tmp_path / name)
    with pytest.raises(UsageError, match=r'there is no example of a "metod"; did you mean "method"'):
        new("metod", tmp_path / "x.py")


NEEDS = {"bootstrap": 'through: tuple = ("static:wordllama",)', "window": ""}


@pytest.mark.parametrize("name", sorted(BUILT_IN["methods"]))
def test_the_built_in_methods_keep_the_contract(name: str, tmp_path: Path) -> None:
    target = find("methods", name).target
    module, _, attribute = target.partition(":")
    path = tmp_path / "mine.py"
    body = NEEDS.get(name) or "pass"
    path.write_text(f"from {module} import {attribute}\n\n\nclass Mine({attribute}):\n    {body}\n")
    lines = check(f"{path}:Mine")
    assert len(lines) > 3
    assert all(line.startswith("ok: ") for line in lines)


HEAD = "from pathlib import Path\n\nimport numpy as np\nimport torch\nfrom outgrow import Method\n\n\nclass Mine(Method):\n"
LABELS = "    def labels(self, weak, rows):\n"
LOSS = "    def loss(self, logits, weak, progress, statistic=None):\n"
CE = "-(weak * logits.log_softmax(-1)).sum(-1)"
BY_ROW = "    @property\n    def by_row(self):\n        return True\n\n"
MODELS = "    @property\n    def models(self):\n        return ['static:wordllama', 'probee:x']\n\n"
PROCEDURE = "    def procedure(self, build):\n"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("    pass\n", "brings nothing: define loss"),
        (LABELS + "        return weak[:5]\n", "labels of 2 classes: shape [5, 2], not [120, 2]"),
        (LABELS + "        return weak * 2\n", "rows are not probabilities"),
        (LABELS + "        return weak * np.nan\n", "no row is left"),
        (LABELS + "        weak[:] = 0.5\n        return weak\n", "changes the array it is given"),
        (LABELS + "        return np.eye(2)[weak.argmax(1)]\n", "labels of 5 classes raises IndexError"),
        (LABELS + "        return np.random.default_rng().permutation(weak)\n", "differ when made again"),
        (LABELS + "        np.random.rand()\n        return weak\n", "draws from or seeds a global random state"),
        (LABELS + "        Path(__file__ + '.txt').read_text()\n        return weak\n", "must be an option"),
        (LOSS + "        Path(__file__ + '.txt').read_text()\n        return " + CE + "\n", "the loss reads"),
        (LOSS + "        return " + CE + ".mean()\n", "not one loss an example"),
        (LOSS + "        return " + CE.replace("logits.", "logits.detach().") + "\n", "no gradient reaches the logits"),
        (LOSS + "        return logits.sum(-1) * 0\n", "no gradient reaches the logits"),
        (LOSS + "        return " + CE + " * logits.std()\n", "a row's loss depends on the other rows of its part"),
        (
            "    def statistic(self, logits):\n        return logits.mean()\n\n" + LOSS
            + "        s = self.statistic(logits) if statistic is None else statistic\n"
            + "        return " + CE + " * (1 + s**2)\n",
            "the statistic carries a gradient",
        ),
        (
            BY_ROW + "    def statistic(self, logits):\n        return logits.detach().mean()\n\n" + LOSS
            + "        return " + CE + " * torch.arange(1, len(logits) + 1)\n",
            "a row's loss changes with its company",
        ),
        (PROCEDURE + "        return build.labels\n", "does not return what build.train returned"),
        (PROCEDURE + "        return build.train('truth')\n", "which is neither build.labels nor a student"),
        (PROCEDURE + "        return build.train(build.labels, model=0)\n", "is of model 0, and `models` names 0"),
        (PROCEDURE + "        return build.train(build.labels, fold=(2, 2))\n", "parts count from 0"),
        (PROCEDURE + "        return build.train(build.train(build.labels))\n", "train it with asked=True"),
        (
            MODELS + PROCEDURE + "        return build.train(build.labels)\n",
            'unknown model kind "probee"',
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(body: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HEAD + body)
    Path(f"{path}.txt").write_text("the truth")
    with pytest.raises(OutgrowError) as caught:
        check(f"{path}:Mine")
    assert sentence in str(caught.value)


def test_files_are_seen_and_imports_are_not(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x")
    with files_opened() as opened:
        (tmp_path / "data.csv").read_text()
        __import__("this")
    assert opened == [str(tmp_path / "data.csv")]
    (tmp_path / "data.csv").read_text()
    assert len(opened) == 1
