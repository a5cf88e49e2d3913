"""Every command that answers a question, killed: given again it ends as if nothing had happened, and as its call does."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from killed import dying, started
from saved_students import saved
from taught import make_files, read, write

from outgrow.execution.machine import Machine
from outgrow.questions.audit import audit_files
from outgrow.questions.estimate import estimate_files
from outgrow.questions.join import join_files
from outgrow.questions.material import Place
from outgrow.questions.next_rows import next_rows
from outgrow.teaching.saved.saved_student import load

pytestmark = pytest.mark.usefixtures("one_thread")
VOTERS = ["rule", "model", "person"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few rows with labels, some with careful ones, and a student."""
    folder = make_files(tmp_path_factory.mktemp("files"))
    write(folder / "labels.csv", ["text", *VOTERS], read(folder / "labels.csv")[600:])
    saved(folder / "student", "static:wordllama", 2)
    return folder


def run(words: list[object], **environment: str) -> int:
    process = started(words, **environment)
    process.communicate(timeout=300)
    return process.returncode


def place(folder: Path) -> Place:
    return Place(folder / "store", Machine(threads=1, device="cpu"))


Call = Callable[[Path, Path], object]
LABELLED = ["--text", "text", "--label", "rule", "--student", "wordllama"]
OPTIONS = {"text": "text", "columns": ["rule"], "student": "wordllama"}
COMMANDS: dict[str, tuple[Callable[[Path], list[object]], list[str], Call]] = {
    "audit": (
        lambda files: [files / "labels.csv", *LABELLED],
        ["out.csv", "out.html"],
        lambda files, folder: audit_files(
            files / "labels.csv", out=folder / "out.csv", place=place(folder), **OPTIONS
        ),
    ),
    "estimate": (
        lambda files: [files / "labels.csv", *LABELLED, "--truth", files / "gold.csv"],
        ["out.csv"],
        lambda files, folder: estimate_files(
            files / "labels.csv", truth=files / "gold.csv", out=folder / "out.csv", place=place(folder), **OPTIONS
        ),
    ),
    "next": (
        lambda files: [files / "student", files / "labels.csv", "--rows", 50],
        ["out.csv"],
        lambda files, folder: next_rows(
            load(files / "student"), files / "labels.csv", folder / "out.csv", rows=50, threads=1, device="cpu"
        ),
    ),
    "join": (
        lambda files: [files / "labels.csv", "--text", "text", "--label", ",".join(VOTERS), "--truth", files / "gold.csv"],
        ["out.csv", "voters.csv"],
        lambda files, folder: join_files(
            files / "labels.csv", text="text", columns=VOTERS, truth=files / "gold.csv", out=folder / "out.csv",
            voters_out=folder / "voters.csv",
        ),
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "at"),
    [
        pytest.param("audit", "out.html", marks=pytest.mark.slow),
        ("estimate", "head"),
        ("next", "out.csv"),
        ("join", "voters.csv"),
    ],
)
def test_a_killed_command_ends_as_one_that_was_not(files: Path, tmp_path: Path, command: str, at: str) -> None:
    given, written, call = COMMANDS[command]

    def words(folder: Path) -> list[object]:
        own: list[object] = [] if command == "join" else ["--device", "cpu", "--threads", 1]
        own += ["--voters", folder / "voters.csv"] if command == "join" else []
        own += ["--store", folder / "store"] if command in ("audit", "estimate") else []
        return [command, *given(files), *own, "-o", folder / "out.csv"]

    killed, whole, called = (tmp_path / name for name in ("killed", "whole", "called"))
    for folder in (killed, whole, called):
        folder.mkdir()
    moment = {"DIES_WRITING": at} if "." in at else {"DIES_AT": at, "DIES_AFTER": at}
    assert run(words(killed), **dying(**moment)) == -signal.SIGKILL
    before = {one: one.stat().st_ino for one in killed.glob("store/objects/*/*/artifact.json")}
    assert not (killed / (at if "." in at else "out.csv")).exists()

    assert run(words(killed)) == run(words(whole)) == 0
    call(files, called)
    for name in written:
        expected = (whole / name).read_bytes()
        assert (killed / name).read_bytes() == (called / name).read_bytes() == expected
    assert before.items() <= {one: one.stat().st_ino for one in killed.glob("store/objects/*/*/artifact.json")}.items()
    leftovers = [one.name for one in killed.iterdir() if one.name not in (*written, "store")]
    assert leftovers == []
