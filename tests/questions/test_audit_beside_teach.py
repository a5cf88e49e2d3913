"""`outgrow teach --audit`: the same files as `outgrow audit` writes, from the same store, and what it refuses."""

from pathlib import Path

import pytest
from taught import make_files, read, write
from typer.testing import CliRunner

from outgrow.cli.app import app
from outgrow.core.errors import UsageError
from outgrow.questions.audit import audit_files
from outgrow.questions.material import Place

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As for teach, of fewer rows."""
    folder = make_files(tmp_path_factory.mktemp("files"))
    write(folder / "labels.csv", ["text", "rule", "model", "person"], read(folder / "labels.csv")[600:])
    return folder


def objects(store: Path) -> dict[Path, int]:
    return {path: path.stat().st_ino for path in store.glob("objects/*/*/artifact.json")}


@pytest.mark.slow
def test_it_writes_what_audit_writes_and_trains_nothing_twice(files: Path, tmp_path: Path) -> None:
    given = [files / "labels.csv", "--text", "text", "--label", "rule,model,person", "--truth", files / "gold.csv"]
    given += ["--student", "wordllama", "--store", tmp_path / "store", "--device", "cpu"]
    beside, alone, called = (tmp_path / folder / "audit.csv" for folder in ("beside", "alone", "called"))
    words = ["teach", *given, "--no-worth", "--out", tmp_path / "student", "--audit", beside]
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.output
    made = objects(tmp_path / "store")

    audit = CliRunner().invoke(app, list(map(str, ["audit", *given, "-o", alone])))
    assert audit.exit_code == 0, audit.output
    assert objects(tmp_path / "store") == made
    audit_files(
        files / "labels.csv",
        text="text",
        columns=["rule", "model", "person"],
        truth=files / "gold.csv",
        student="wordllama",
        out=called,
        place=Place(tmp_path / "store"),
    )
    for name in ("audit.csv", "audit.html"):
        assert beside.with_name(name).read_bytes() == alone.with_name(name).read_bytes()
        assert beside.with_name(name).read_bytes() == called.with_name(name).read_bytes()
    told = [line for line in audit.output.splitlines() if not line.startswith("note: ")]
    assert [line.replace(str(alone.parent), str(beside.parent)) for line in told] == done.output.splitlines()[-7:-1]
    assert done.output.splitlines()[-1].startswith("The student is in ")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--student", "{finetune: minilm}"], "--audit: finetune:minilm: is not a head on frozen features; take one"),
        (["--audit", "audit"], "audit: this kind of file is not known; there is .csv"),
        (
            ["--audit", "student/audit.csv"],
            "is inside the student's folder, which others may get; name a file beside it",
        ),
        (
            ["--learn", "gold.csv", "--truth", "gold.csv"],
            "leave out --learn, all but one --truth, or give `outgrow audit`",
        ),
        (["--confidence", "sure"], "leave out --confidence, or give"),
    ],
)
def test_what_it_refuses_before_any_work(files: Path, tmp_path: Path, options: list[str], sentence: str) -> None:
    usual = {"--student": "wordllama", "--audit": "audit.csv"}
    usual |= {"--out": str(tmp_path / "student"), "--store": str(tmp_path / "store")}
    rest = [word for option, value in usual.items() if option not in options for word in (option, value)]
    options = [str(tmp_path / one) if one.startswith("student/") else one for one in options]
    words = ["teach", files / "labels.csv", "--text", "text", "--label", "rule", "--truth", files / "gold.csv", *rest]
    done = CliRunner().invoke(app, list(map(str, [*words, *options])))
    assert isinstance(done.exception, UsageError)
    assert sentence in str(done.exception)
    assert not (tmp_path / "store").exists()
