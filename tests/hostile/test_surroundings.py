"""Odd surroundings: no UTF-8, no docstrings, little memory, an output that is full or closed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import RAW

from outgrow.cli.failures import explain
from outgrow.execution.executors.carry_out import failure

EXPERIMENT = """
name: café
tasks: [sentiment]
weak: [{static: wordllama, rows: 50}]
strong: [static:wordllama]
methods: [naive]
seeds: 1
split: {weak_train: 60, transfer: 60, test: 60}
"""


def ended(command: str, cwd: Path, **environment: str) -> tuple[int, str, str]:
    """A shell's command line with `outgrow` for the command; exit code, stdout, stderr."""
    where = {**os.environ, "HOME": str(cwd), "OMP_NUM_THREADS": "1", **environment}
    line = command.replace("outgrow", f"{sys.executable} -m outgrow", 1)
    found = subprocess.run(["bash", "-c", line], cwd=cwd, env=where, capture_output=True, check=False, timeout=120)
    out, said = found.stdout.decode("utf-8", "replace"), found.stderr.decode("utf-8", "replace")
    assert not [raw for raw in RAW if raw in out + said], out + said
    return found.returncode, out, said


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("surroundings")
    (folder / "e.yaml").write_text(EXPERIMENT, encoding="utf-8")
    code, _, said = ended("outgrow run e.yaml --out run --quiet", folder)
    assert code == 0, said
    return folder


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.slow
def test_no_utf_8(place: Path) -> None:
    code, _, said = ended("outgrow run e.yaml", place, **ASCII)
    assert code == 1
    assert "cannot be written in this system's encoding" in said
    assert "PYTHONUTF8=1" in said
    assert ended("outgrow show run --markdown", place, **ASCII)[0] == 0
    assert ended("outgrow run e.yaml --quiet", place, LC_ALL="C")[0] == 0
    assert (place / "runs" / "café" / "results.json").is_file()


@pytest.mark.slow
def test_no_docstrings(place: Path) -> None:
    code, _, said = ended("outgrow run e.yaml --out bare", place, PYTHONOPTIMIZE="2")
    assert code == 1
    assert "bare/report.html: this report was not written" in said
    assert ended("outgrow show bare", place, PYTHONOPTIMIZE="2")[0] == 0
    assert ended("outgrow report bare", place)[0] == 0


LITTLE_MEMORY: list[Exception] = [  # what `ulimit -v` brought forth, by how much was left
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried to"),
    RuntimeError("can't start new thread"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    SystemError("error return without exception set"),
]


@pytest.mark.parametrize("error", LITTLE_MEMORY, ids=lambda error: type(error).__name__)
def test_little_memory(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    sentence = "memory ran out; give fewer --jobs, fewer rows or a smaller model"
    assert explain(error) == 1
    assert capsys.readouterr().err == f"outgrow: {sentence}\n"
    assert failure(error).sentences == (sentence,)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["show run", "show run --json", "list models", "--version", "teach --help"])
def test_an_output_that_is_full_or_closed(place: Path, command: str) -> None:
    code, _, said = ended(f"outgrow {command} > /dev/full", place)
    assert (code, "the disk is full" in said) == (1, True)
    assert ended(f"outgrow {command} >&-", place) == (0, "", "")
    code, out, _ = ended(f"outgrow {command} 2>&-", place)
    assert code == 0
    assert out
    assert ended("outgrow show nowhere 2>&-", place) == (1, "", "")
