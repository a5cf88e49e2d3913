"""docs/reference/robustness.md says how many cases there are."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from places import DOCS, ROOT


def test_the_page_counts_the_cases() -> None:
    page = (DOCS / "reference" / "robustness.md").read_text(encoding="utf-8")
    said = {name: int(count) for name, count in re.findall(r"\| `(test_\w+\.py)` \| (\d+) \|", page)}
    here = Path(__file__)
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", f"--ignore={here}", str(here.parent)]
    collected = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = Counter(line.split("::")[0].rpartition("/")[2] for line in collected.splitlines() if "::" in line)
    assert said == found
