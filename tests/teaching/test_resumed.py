"""`outgrow teach`, killed: the same command goes on where it was, and ends with the same student."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from killed import dying, started
from taught import make_files, read, write


def start(files: Path, place: Path, jobs: int, **environment: str) -> subprocess.Popen[str]:
    """The command in a process group of its own, one thread per process."""
    command = ["teach", files / "labels.csv", "--text", "text", "--label", "rule"]
    command += ["--student", "wordllama", "--truth", files / "gold.csv", "--choose", "--mix", "--device", "cpu"]
    command += ["--store", place / "store", "--out", place / "student", "--jobs", jobs, "--threads", 1]
    return started(command, **environment)


def finish(process: subprocess.Popen[str]) -> None:
    output = process.communicate(timeout=600)
    assert process.returncode == 0, output


def results(place: Path) -> dict[str, int]:
    """Which heads are in the store, and which file on the disk each is."""
    return {path.parent.name: path.stat().st_ino for path in place.glob("store/objects/*/*/head.safetensors")}


@pytest.mark.slow
@pytest.mark.parametrize("at", ["head", "lesson"])
def test_a_killed_teach_goes_on_where_it_was(tmp_path: Path, at: str) -> None:
    """Killed when a candidate was trained, or all of them; with two processes, as with one."""
    files, killed, whole = make_files(tmp_path), tmp_path / "killed", tmp_path / "whole"
    write(files / "gold.csv", ["text", "label"], read(files / "gold.csv")[:36])  # too few for a learning curve
    process = start(files, killed, 2, **dying(DIES_AT=at, DIES_AFTER="head"))
    output = process.communicate(timeout=600)
    assert process.returncode == -signal.SIGKILL, output
    assert not (killed / "student").exists()
    before = results(killed)

    finish(start(files, killed, 2))
    finish(start(files, whole, 1))
    after = results(killed)
    assert after.keys() == results(whole).keys()
    assert len(after) > len(before)
    assert {key: after[key] for key in before} == before  # nothing that was there was made again
    paths = [path.relative_to(whole) for path in sorted((whole / "student").rglob("*")) if path.is_file()]
    assert len(paths) > 5
    for path in paths:
        assert (killed / path).read_bytes() == (whole / path).read_bytes(), path


@pytest.mark.slow
def test_a_full_disk_leaves_the_older_student(tmp_path: Path, small_disk: Path) -> None:
    """safetensors has an error of its own for it, which ends in the same sentence as the file system's."""
    files, place = make_files(tmp_path), small_disk
    older = place / "student" / "student.json"
    older.parent.mkdir()
    older.write_text("{}")
    command = [sys.executable, "-m", "outgrow", "teach", files / "labels.csv", "--text", "text", "--label", "rule"]
    command += ["--student", "wordllama", "--device", "cpu", "--store", tmp_path / "store", "--out", older.parent]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        f"outgrow: {older.parent}: the disk is full; nothing already computed is lost"
    )
    assert [path.name for path in place.iterdir()] == ["student"]
    assert older.read_text() == "{}"
