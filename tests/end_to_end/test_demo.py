"""The demonstration: its effect is real, pages show what is printed of it, and the second time it computes nothing.

The first steps, which need no demonstration, are here for the same reading of pages.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from places import DOCS, ROOT
from transcripts import assert_alike

README = ROOT / "README.md"
READING, FIRST = DOCS / "guide" / "reading.md", DOCS / "start" / "first-steps.md"
SHOWN = re.compile(r"<!-- (outgrow [^\n]+) -->\n(?:```\n)?(.*?)\n(?:```\n)?<!-- / -->", re.DOTALL)
OUTGROW = Path(sys.executable).parent / "outgrow"


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(folder), "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(folder / "cache")}
    command = [str(OUTGROW), "demo"]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    printed = demo(folder).stdout
    assert "PGR" in printed
    assert "The student outgrows its supervisor beyond chance in all 4 cells" in printed
    return folder


@pytest.mark.slow
def test_the_effect_is_true(ran: Path) -> None:
    cells = json.loads((ran / "runs/demo" / "results.json").read_text())["cells"]
    assert len(cells) == 4
    for cell in cells:
        weak, student, ceiling = (cell[f"{role}_accuracy"]["estimate"] for role in ("weak", "student", "ceiling"))
        assert weak < student < ceiling
        assert cell["seeds"] == list(range(20))
        assert cell["pgr"]["status"] == "ok"
        assert cell["pgr"]["low"] > 0


@pytest.mark.slow
def test_readme_prints_these_numbers(ran: Path) -> None:
    command = [str(OUTGROW), "show", str(ran / "runs/demo"), "--markdown"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    written = re.search(r"<!-- demo:.*?-->\n(.*?)<!-- /demo -->", README.read_text(), re.DOTALL)
    assert written is not None
    number = re.compile(r"-?\d*\.\d+")
    assert number.sub("#", written[1]) == number.sub("#", shown)
    # Another processor adds in another order, which may turn a sentence or two of 20,000: the third decimal, not more.
    pairs = zip(number.findall(written[1]), number.findall(shown), strict=True)
    assert all(abs(float(here) - float(there)) <= 0.002 for here, there in pairs)


@pytest.mark.slow
def test_readme_says_where_the_gap_comes_from(ran: Path) -> None:
    cells = json.loads((ran / "runs/demo" / "results.json").read_text())["cells"]
    few, many = cells[0]["weak_accuracy"]["estimate"], cells[2]["weak_accuracy"]["estimate"]
    ceiling = cells[0]["ceiling_accuracy"]["estimate"]
    said = re.search(
        r"of the first one's gap\s+of (\S+),\s+\*\*(\S+) comes from fewer labels and (\S+) from", README.read_text()
    )
    assert said is not None
    for text, value in zip(said.groups(), (ceiling - few, many - few, ceiling - many), strict=True):
        assert float(text) == pytest.approx(value, abs=0.002)


@pytest.mark.slow
def test_the_second_time_answers_from_the_store(ran: Path) -> None:
    before = (ran / "runs/demo" / "results.json").read_bytes()
    again = demo(ran)
    assert "[3/" not in again.stderr
    now = (ran / "runs/demo" / "results.json").read_bytes()
    assert json.loads(now)["cells"] == json.loads(before)["cells"]


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
def test_the_reading_page_shows_what_is_printed(ran: Path) -> None:
    (ran / "reading.yaml").write_text(experiment(READING))
    printed("outgrow run reading.yaml", ran)
    accuracies(ran)
    for command, shown in commands(READING):
        assert_alike(shown, printed(command, ran), command)


@pytest.mark.slow
def test_the_first_steps_print_what_their_page_shows(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text(experiment(FIRST))
    printed("outgrow plan first.yaml", tmp_path)
    printed("outgrow run first.yaml", tmp_path)
    assert len(commands(FIRST)) == 2
    for command, shown in commands(FIRST):
        assert_alike(shown, printed(command, tmp_path), command)
