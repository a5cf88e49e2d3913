"""Every command as a user gives it, in a process of its own: what it prints, writes and returns, and what it loads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commands import FILES, SMALL, good, objects, outgrow

from outgrow.core.identity import digest_file

TIMED = ["report.html", "work.json"]  # they say how long it took


# Help, and words that are no command


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["run", "--help"], ["prune", "--help"], ["--version"]])
def test_help_loads_next_to_nothing(arguments: list[str], tmp_path: Path) -> None:
    answer = good(outgrow(*arguments, cwd=tmp_path))
    assert answer.loaded <= {"pydantic"}  # which typer itself looks for
    assert answer.out.startswith("outgrow 0." if arguments == ["--version"] else "Usage: ")


def test_help_names_every_command(tmp_path: Path) -> None:
    text = outgrow("--help", cwd=tmp_path).out
    for name in ("run", "plan", "demo", "show", "list", "check", "prune"):
        assert f"\n  {name} " in text
    assert "..." not in text.partition("Commands:")[2]  # none is cut at 80 columns


@pytest.mark.parametrize(("words", "completed"), [("outgrow re", ["report"]), ("outgrow run --wa", ["--watch"])])
def test_words_are_completed(words: str, completed: list[str]) -> None:
    script = str(Path(sys.executable).parent / "outgrow")
    place = str(len(words.split()) - 1)
    asked = {**os.environ, "_OUTGROW_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": place}
    done = subprocess.run([script], capture_output=True, text=True, check=True, env=asked)
    assert (done.stdout.split(), done.stderr) == (completed, "")
    named = {
        **os.environ,
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }  # there need not be a shell above a test
    shown = subprocess.run([script, "--show-completion", "bash"], capture_output=True, text=True, check=True, env=named)
    assert ("_OUTGROW_COMPLETE=complete_bash" in shown.stdout, shown.stderr) == (True, "")


@pytest.mark.slow
def test_quiet_prints_nothing_but_failures(folder: Path, tmp_path: Path) -> None:
    answer = outgrow("run", "small.yaml", "--out", tmp_path / "out", "-q", cwd=folder)
    assert (answer.code, answer.out, answer.said) == (0, "", [])
    assert (tmp_path / "out" / "results.json").is_file()
    failed = outgrow("run", "none.yaml", "--quiet", cwd=folder)
    assert failed.code == 2
    assert "none.yaml" in failed.said[-1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["run"], "Missing argument"),
        (["run", "small.yaml", "--frob"], "No such option: --frob"),
        (["run", "small.yaml", "--jobs", "0"], "'--jobs'"),
        (["run", "small.yaml", "--jobs", "two"], "'--jobs'"),
        (["run", "small.yaml", "--threads", "-1"], "'--threads'"),
    ],
)
def test_what_the_command_line_does_not_know(arguments: list[str], sentence: str, folder: Path) -> None:
    answer = outgrow(*arguments, cwd=folder)
    assert answer.code == 2
    assert sentence in answer.said[-1]
    assert answer.loaded <= {"pydantic"}


def test_the_module_is_the_command(tmp_path: Path) -> None:
    script = [str(Path(sys.executable).parent / "outgrow"), "list", "tasks"]
    said = [
        subprocess.run(c, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
        for c in (script, [sys.executable, "-m", "outgrow", "list", "tasks"])
    ]
    assert said[0] == said[1]
    assert "sentiment" in said[0]


# run and plan


def test_a_run_leaves_its_folder(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "runs" / "small").iterdir()) == sorted([*FILES, *TIMED, "SHA256SUMS"])
    content = json.loads((folder / "runs" / "small" / "results.json").read_text())
    assert list(content) == ["schema", "runs", "cells", "notes", "environment"]
    assert content["schema"] == 1
    assert [(each["method"], each["seed"]) for each in content["runs"]] == [
        ("naive", 0), ("naive", 1), ("confidence", 0), ("confidence", 1)
    ]  # fmt: skip
    for each in content["runs"]:
        assert each["task"] == "reviews"
        assert each["weak"] == {"static": "wordllama", "rows": 40}
        assert each["strong"] == "static:wordllama"
        assert each["n_test"] == 80
        assert each["n_transfer"] == 80
        assert each["weak_parameters"] == each["strong_parameters"] == 32_000 * 256
    assert content["environment"]["threads"] == 1
    assert content["environment"]["files"] == {"reviews.csv": digest_file(folder / "reviews.csv")}
    assert set(content["environment"]["checkpoints"]) == {"wordllama"}
    assert content["environment"]["device"] in ("cpu", "cuda", "mps")
    table = pq.read_table(folder / "runs" / "small" / "results.parquet").to_pylist()
    assert [row["student_accuracy"] for row in table] == [each["student_accuracy"] for each in content["runs"]]


def test_the_same_again_is_answered_from_the_store(folder: Path, tmp_path: Path) -> None:
    before = objects(folder / "store")
    answer = good(outgrow("run", "small.yaml", "--store", "store", "--threads", 1, "--out", tmp_path, cwd=folder))
    assert objects(folder / "store") == before
    assert answer.said == []
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / "runs" / "small" / name).read_bytes()


def test_the_resolved_experiment_runs_from_anywhere(folder: Path, tmp_path: Path) -> None:
    resolved = folder / "runs" / "small" / "experiment.yaml"
    good(outgrow("run", resolved, "--store", folder / "store", "--threads", 1, "--out", "here", cwd=tmp_path))
    for name in FILES:
        assert (tmp_path / "here" / name).read_bytes() == (resolved.parent / name).read_bytes()


@pytest.mark.parametrize("arguments", [["plan", "small.yaml"], ["run", "small.yaml", "--dry-run"]])
def test_plan_and_dry_run(arguments: list[str], folder: Path, tmp_path: Path) -> None:
    done = good(outgrow(*arguments, "--store", "store", cwd=folder))
    assert "2 cells, 4 runs: 12 steps done, 0 new." in done.out
    out = ["--out", tmp_path / "out"] if arguments[0] == "run" else []
    new = good(outgrow(*arguments, "--store", tmp_path / "store", *out, cwd=folder))
    assert "1 step done, 11 new." in new.out  # the pool is read to hold the splits against it
    assert "of the new steps take is not known yet" in " ".join(new.out.split())
    assert len(objects(tmp_path / "store")) == 1
    assert not (tmp_path / "out").exists()


def test_only_what_is_new_is_made(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "store", tmp_path / "store")
    (folder / "third.yaml").write_text(SMALL.replace("seeds: 2", "seeds: [2, 0, 1]"))
    before = objects(tmp_path / "store")
    good(outgrow("run", "third.yaml", "--store", tmp_path / "store", "--out", tmp_path / "o", "--threads", 1, cwd=folder),
         computes=True)  # fmt: skip
    assert len(objects(tmp_path / "store") - before) == 5  # a split, supervisor, ceiling, two students
    old, new = (json.loads((path / "results.json").read_text()) for path in (folder / "runs" / "small", tmp_path / "o"))
    assert [each for each in new["runs"] if each["seed"] != 2] == old["runs"]


@pytest.mark.parametrize("command", ["list models", "list methods", "list metrics"])
def test_a_list_loads_no_heavy_library(command: str) -> None:
    heavy = {"torch", "transformers", "datasets", "sklearn", "pandas", "altair", "scipy.optimize", "scipy.stats"}
    code = (
        "import sys\nfrom outgrow.cli.app import entry\n"
        f"sys.argv = ['outgrow', *{command.split()!r}]\n"
        "try:\n    entry()\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set({sorted(heavy)}) & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
