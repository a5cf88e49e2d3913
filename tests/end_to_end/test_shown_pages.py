"""Pages that show what commands print: the guide to reading, on the demo's run, and the first steps."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from places import DOCS
from transcripts import assert_alike

READING, FIRST = DOCS / "guide" / "reading.md", DOCS / "start" / "first-steps.md"
SHOWN = re.compile(r"<!-- (outgrow [^\n]+) -->\n(?:```\n)?(.*?)\n(?:```\n)?<!-- / -->", re.DOTALL)


def commands(page: Path) -> list[tuple[str, str]]:
    """Each command of a page, and what the page says that it prints."""
    return SHOWN.findall(page.read_text(encoding="utf-8"))


def printed(command: str, folder: Path) -> str:
    run = [sys.executable, "-m", "outgrow", *shlex.split(command)[1:]]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def accuracies(folder: Path) -> None:
    """The table that the page's last command reads: five seeds of the demo's first supervisor."""
    runs = json.loads((folder / "runs/demo/results.json").read_text())["runs"]
    kept = [run for run in runs if run["weak"] == "wordllama (200 labels)" and run["seed"] < 5]
    lines = [
        ",".join(map(str, (r["seed"], r["method"], *(r[f"{m}_accuracy"] for m in ("weak", "student", "ceiling")))))
        for r in kept
    ]
    (folder / "runs.csv").write_text("\n".join(["seed,method,weak,student,ceiling", *lines]) + "\n")


def experiment(page: Path) -> str:
    """The page's first block of YAML."""
    found = re.search(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_page_shows_every_command_that_reads() -> None:
    shown = {command.split()[1] for command, _ in commands(READING)}
    assert {"show", "compare", "score"} <= shown


@pytest.mark.slow
def test_the_reading_page_shows_what_is_printed(tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "store"), "--threads", "2"]
    printed(shlex.join(["outgrow", "demo", *store]), tmp_path)
    (tmp_path / "reading.yaml").write_text(experiment(READING))
    printed(shlex.join(["outgrow", "run", "reading.yaml", *store]), tmp_path)
    accuracies(tmp_path)
    for command, shown in commands(READING):
        assert_alike(shown, printed(command, tmp_path), command)


@pytest.mark.slow
def test_the_first_steps_print_what_their_page_shows(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text(experiment(FIRST))
    printed("outgrow plan first.yaml", tmp_path)
    printed("outgrow run first.yaml", tmp_path)
    assert len(commands(FIRST)) == 2
    for command, shown in commands(FIRST):
        assert_alike(shown, printed(command, tmp_path), command)
