"""What cheap labels are worth is counted last: it can be left out, and whatever stops it leaves the student."""

import json
import signal
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_models
from killed import dying, started
from taught import make_files, read, write
from typer.testing import CliRunner

from outgrow.cli.app import app
from outgrow.teaching.saved.saved_student import load
from outgrow.teaching.students import no_progress
from outgrow.teaching.teach_files import teach_files

pytestmark = pytest.mark.usefixtures("one_thread")
NOT_COUNTED = (
    "How many careful labels would have done as well was not counted: the same command without --no-worth counts it."
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 cheap labels and 60 careful ones, enough for a curve, and a body that is finetuned in a moment."""
    folder = make_files(tmp_path_factory.mktemp("files"))
    write(folder / "few.csv", ["text", "rule"], [(row[0], row[3]) for row in read(folder / "labels.csv")[:60]])
    write(folder / "gold.csv", ["text", "label"], read(folder / "gold.csv")[120:180])
    tiny_models.make("bert", folder / "bert")
    return folder


def curves(place: Path) -> int:
    """How many results in the store only the learning curve of careful labels has."""
    return sum(b'"careful_order"' in path.read_bytes() for path in place.glob("store/objects/*/*/artifact.json"))


def heads_of_curve(store: Path) -> dict[int, Counter[float]]:
    """How many heads a learning curve of careful labels has: by size, by strength of regularisation."""
    made = [json.loads(path.read_bytes()) for path in store.glob("objects/*/*/artifact.json")]
    orders = {one["key"] for one in made if one["kind"] == "careful_order"}
    found: dict[int, Counter[float]] = {}
    for one in made:
        if orders & set(one["parents"].values()):
            found.setdefault(one["params"]["rows"], Counter())[one["params"]["l2"]] += 1
    return dict(sorted(found.items()))


@pytest.mark.slow
def test_no_worth_leaves_that_out_and_nothing_else(files: Path, tmp_path: Path) -> None:
    given = {"text": "text", "columns": ["person"], "student": "wordllama", "truth": files / "gold.csv"}
    command = ["teach", files / "labels.csv", "--text", "text", "--label", "person", "--student", "wordllama"]
    command += ["--truth", files / "gold.csv", "--store", tmp_path / "store", "--out", tmp_path / "short"]
    done = CliRunner().invoke(app, [*map(str, command), "--no-worth"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-2] == NOT_COUNTED
    assert NOT_COUNTED in (tmp_path / "short" / "README.md").read_text()
    assert curves(tmp_path) == 0

    called = teach_files(files / "labels.csv", out=tmp_path / "called", store=tmp_path / "store", worth=False, **given)
    whole = teach_files(files / "labels.csv", out=tmp_path / "whole", store=tmp_path / "store", **given)
    assert whole.worth is not None
    assert replace(whole, worth=None, worth_counted=False) == called
    assert curves(tmp_path) > 0
    by_size = heads_of_curve(tmp_path / "store")
    assert list(by_size) == [point.size for point in whole.worth.points]
    for of_size in by_size.values():  # ten repeats at every strength choose, and all forty are made of what they chose
        assert set(of_size) >= {0.01, 0.03, 0.1, 0.3}
        assert set(of_size.values()) == {10, 40}
    paths = [path.relative_to(tmp_path / "short") for path in (tmp_path / "short").rglob("*") if path.is_file()]
    assert len(paths) > 5
    for path in paths:
        assert (tmp_path / "short" / path).read_bytes() == (tmp_path / "called" / path).read_bytes(), path


def start(files: Path, place: Path, **environment: str) -> subprocess.Popen[str]:
    command = ["teach", files / "few.csv", "--text", "text", "--label", "rule"]
    command += [
        "--student",
        f"{{finetune: {files / 'bert'}, epochs: 1, max_length: 16}}",
        "--truth",
        files / "gold.csv",
    ]
    command += ["--device", "cpu", "--threads", 1, "--store", place / "store", "--out", place / "student"]
    return started(command, **environment)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["SIGKILL", "SIGINT"])
def test_a_finetuned_student_is_there_before_its_worth_is_counted(files: Path, tmp_path: Path, by: str) -> None:
    process = start(files, tmp_path, **dying(DIES_AT="careful_order", DIES_AFTER="finetune", DIES_BY=by))
    _, said = process.communicate(timeout=300)
    assert process.returncode == (-signal.SIGKILL if by == "SIGKILL" else 130), said
    if by == "SIGINT":
        assert said.splitlines()[-2:] == [
            f"outgrow: the student is in {tmp_path / 'student'}; what its cheap labels are worth was not counted",
            "outgrow: stopped; what was finished is kept, and the same command goes on from here",
        ]
    assert NOT_COUNTED in (tmp_path / "student" / "README.md").read_text()
    texts = [row[0] for row in read(files / "gold.csv")]
    early = load(tmp_path / "student").student.reader("cpu")(texts, no_progress)

    again = start(files, tmp_path)
    out, said = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert "Your 60 cheap labels are worth" in out
    assert NOT_COUNTED not in (tmp_path / "student" / "README.md").read_text()
    assert (load(tmp_path / "student").student.reader("cpu")(texts, no_progress) == early).all()
