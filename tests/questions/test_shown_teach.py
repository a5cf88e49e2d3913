"""README and docs/guide/teach.md show what `teach` prints on the example sentences, and how good its student is on new ones."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from places import DOCS, ROOT
from transcripts import assert_alike

from outgrow.tasks.sentiment import sentiment

README, GUIDE = (path.read_text(encoding="utf-8") for path in (ROOT / "README.md", DOCS / "guide" / "teach.md"))
COLUMNS = "praise,complaint,negation,exclamation"
TAUGHT = [
    "teach", "examples/teach/labels.csv", "--text", "sentence", "--label", COLUMNS,
    "--student", "minilm", "--truth", "examples/teach/gold.csv", "--out", "student",
]  # fmt: skip


@pytest.mark.slow
def test_teach_prints_what_readme_and_guide_show(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "teach").symlink_to(ROOT / "examples" / "teach")
    subprocess.run([sys.executable, ROOT / "examples" / "teach" / "make_files.py"], check=True)

    def printed(*arguments: str) -> str:
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        command = [sys.executable, "-m", "outgrow", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    told = printed(*TAUGHT)
    *report, _ = told.strip().splitlines()  # README leaves out what comes next
    for page, expected in ((README, "\n".join(report)), (GUIDE, told.strip())):
        command = re.search(r"outgrow (teach .*\\\n.*)\n", page)
        assert command is not None
        assert command[1].replace("\\\n", " ").split() == TAUGHT
        shown = re.search(r"^note: 1096 of .*?(?=\n(?:```|\$ ))", page, re.DOTALL | re.MULTILINE)
        assert shown is not None
        assert_alike(shown[0], expected, "outgrow teach")

    printed("predict", "student", "examples/teach/new.csv", "-o", "out.csv")
    task = sentiment()
    truth = dict(zip(task.inputs, map(str, task.labels), strict=True))
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        right = [row["label"] == truth[row["sentence"]] for row in csv.DictReader(file)]
    assert len(right) == 500
    for page, words in ((README, r"the student is right on \.(\d+)\."), (GUIDE, r"\.(\d+) of the student's are right")):
        shown = re.search(words, page)
        assert shown is not None
        assert int(shown[1]) / 1000 == pytest.approx(sum(right) / 500, abs=0.004)
