"""The demonstration: its effect is real, README prints its numbers, and the second time it computes nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

README = ROOT / "README.md"
OUTGROW = Path(sys.executable).parent / "outgrow"


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(folder), "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(folder / "cache")}
    command = [str(OUTGROW), "demo", "--out", str(folder / "demo")]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    printed = demo(folder).stdout
    assert "PGR" in printed
    assert "The student outgrows its supervisor beyond chance in all 4 cells" in printed
    return folder


def test_the_effect_is_true(ran: Path) -> None:
    cells = json.loads((ran / "demo" / "results.json").read_text())["cells"]
    assert len(cells) == 4
    for cell in cells:
        weak, student, ceiling = (cell[f"{role}_accuracy"]["estimate"] for role in ("weak", "student", "ceiling"))
        assert weak < student < ceiling
        assert cell["seeds"] == list(range(20))
        assert cell["pgr"]["status"] == "ok"
        assert cell["pgr"]["low"] > 0


def test_readme_prints_these_numbers(ran: Path) -> None:
    command = [str(OUTGROW), "show", str(ran / "demo"), "--markdown"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    written = re.search(r"<!-- demo:.*?-->\n(.*?)<!-- /demo -->", README.read_text(), re.DOTALL)
    assert written is not None
    number = re.compile(r"-?\d*\.\d+")
    assert number.sub("#", written[1]) == number.sub("#", shown)
    # Another processor adds in another order, which may turn a sentence or two of 20,000: the third decimal, not more.
    pairs = zip(number.findall(written[1]), number.findall(shown), strict=True)
    assert all(abs(float(here) - float(there)) <= 0.002 for here, there in pairs)


def test_readme_says_where_the_gap_comes_from(ran: Path) -> None:
    cells = json.loads((ran / "demo" / "results.json").read_text())["cells"]
    few, many = cells[0]["weak_accuracy"]["estimate"], cells[2]["weak_accuracy"]["estimate"]
    ceiling = cells[0]["ceiling_accuracy"]["estimate"]
    said = re.search(
        r"of the first one's gap\s+of (\S+),\s+\*\*(\S+) comes from fewer labels and (\S+) from", README.read_text()
    )
    assert said is not None
    for text, value in zip(said.groups(), (ceiling - few, many - few, ceiling - many), strict=True):
        assert float(text) == pytest.approx(value, abs=0.002)


def test_the_second_time_answers_from_the_store(ran: Path) -> None:
    before = (ran / "demo" / "results.json").read_bytes()
    again = demo(ran)
    assert "[3/" not in again.stderr
    now = (ran / "demo" / "results.json").read_bytes()
    assert json.loads(now)["cells"] == json.loads(before)["cells"]
