"""Where tests find what is not theirs."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
BENCHMARKS = ROOT / "benchmarks"
EXAMPLES = ROOT / "examples"
DOCS = ROOT / "docs"
SHARED = ROOT.parent / "shared"
DATA = SHARED / "data"
SUPPORT = Path(__file__).parent
