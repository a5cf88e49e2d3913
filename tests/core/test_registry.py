"""Names lead to members: built in, from an installed package, or from a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from outgrow import OutgrowError, UsageError
from outgrow.core.registry import BUILT_IN, find, names, nearest
from outgrow.execution.step import Kind
from outgrow.results.metrics.scores import Metric

METHOD = """
from outgrow import Method


class Half(Method):
    def loss(self, logits, weak, progress, statistic=None):
        return -(weak * logits.log_softmax(-1)).sum(-1) / 2
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package that brings a method, as pip would leave it."""
    (tmp_path / "half_method.py").write_text(METHOD)
    about = tmp_path / "half_method-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: half-method\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text("[outgrow.methods]\nhalf = half_method:Half\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("half_method", None)


def test_every_built_in_name_loads() -> None:
    kinds = {"step kinds": Kind, "metrics": Metric}
    for kind, members in BUILT_IN.items():
        for name in members:
            thing = find(kind, name).load()
            assert isinstance(thing, kinds[kind]) if kind in kinds else callable(thing)


def test_a_packages_entry_point_is_a_name(package: Path) -> None:
    member = find("methods", "half")
    assert member.load().__name__ == "Half"
    assert member.identity == {"name": "half", "distribution": "half-method", "version": "1.2"}
    assert "half" in names("methods")


def test_a_packages_method_runs_in_an_experiment(package: Path) -> None:
    from outgrow import Experiment, Machine, run

    asked = Experiment(
        name="x", tasks=["sentiment"], weak=[{"static": "wordllama", "rows": 30}], strong=["static:wordllama"],
        methods=["half", "naive"], seeds=[0], split={"weak_train": 50, "transfer": 100, "test": 100},
    )  # fmt: skip
    half, naive = run(asked, store=package / "store", out=package / "out", machine=Machine(threads=1)).runs
    assert half["method"] == "half"
    assert half["student_accuracy"] > 0.5
    assert half["ceiling_accuracy"] == naive["ceiling_accuracy"]


def test_a_package_does_not_take_a_built_in_name(package: Path) -> None:
    about = package / "half_method-1.2.dist-info"
    (about / "entry_points.txt").write_text("[outgrow.methods]\nnaive = half_method:Half\n")
    assert find("methods", "naive").load().__name__ == "Naive"


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(METHOD)
    first = find("methods", f"{path}:Half")
    copied = tmp_path / "copy.py"
    copied.write_text(METHOD)
    assert find("methods", f"{copied}:Half").identity == first.identity
    path.write_text(METHOD.replace("/ 2", "/ 3"))
    second = find("methods", f"{path}:Half")
    assert second.identity != first.identity
    assert second.load().__module__ != find("methods", f"{copied}:Half").load().__module__


@pytest.mark.parametrize(
    ("code", "error", "sentence"),
    [
        ("class Halff: ...", UsageError, "the file has no 'Half'; did you mean \"Halff\"?"),
        ("import nowhere_at_all", OutgrowError, "cannot be imported: ModuleNotFoundError"),
        ("def broken(:", OutgrowError, "cannot be imported: SyntaxError"),
    ],
)
def test_a_file_that_does_not_serve_has_its_sentence(
    tmp_path: Path, code: str, error: type[OutgrowError], sentence: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(code)
    with pytest.raises(error) as caught:
        find("methods", f"{path}:Half").load()
    assert sentence in str(caught.value)


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UsageError, match=r'unknown method "confidance"; did you mean "confidence"\?'):
        find("methods", "confidance")
    with pytest.raises(UsageError, match="there is no file"):
        find("methods", "nowhere.py:Half")
    assert nearest("zzz", ["a", "b"]) == "; there is a, b"
    assert nearest("zzz", []) == ""
