"""Pages that answer a question show what their commands print, on the example sentences."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from places import DOCS, ROOT
from transcripts import assert_alike

SHOWN = re.compile(r"<!-- (outgrow [^\n]+) -->\n```\n(.*?)\n```\n<!-- / -->", re.DOTALL)
PROGRESS = re.compile(r"^\[.*\n?", re.MULTILINE)
PAGES = ["label-audit.md", "estimate.md", "label-next.md", "join.md", "abstain.md"]
TEACH = "outgrow teach examples/teach/labels.csv --text sentence --label praise,complaint,negation,exclamation --quiet"
FIRST = (
    f"{TEACH} --truth examples/teach/gold.csv --out student --no-worth",
    f"{TEACH} --truth learned.csv --out halved --no-worth",
)


@pytest.mark.slow
def test_every_command_prints_what_its_page_shows(tmp_path: Path) -> None:
    """One folder and one store for all pages: the texts are read once."""
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "teach").symlink_to(ROOT / "examples" / "teach")
    subprocess.run([sys.executable, ROOT / "examples" / "teach" / "make_files.py"], check=True)
    header, *careful = (ROOT / "examples" / "teach" / "gold.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    for name, half in (("learned.csv", careful[:300]), ("held.csv", careful[-300:])):
        (tmp_path / name).write_text("".join([header, *half]), encoding="utf-8")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    shown = [found for page in PAGES for found in SHOWN.findall((DOCS / "guide" / page).read_text(encoding="utf-8"))]
    assert len(shown) >= len(PAGES)
    for command, told in [*((command, None) for command in FIRST), *shown]:
        run = [sys.executable, "-m", "outgrow", *shlex.split(command)[1:]]
        done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed = done.stdout or PROGRESS.sub("", done.stderr)  # what `predict` finds out stands beside its output
        if told is not None:
            assert_alike(told, printed, command)
