"""Whole-process times of commands: their start, the demo and `teach`; of this checkout, and of an earlier one in turn.

    git worktree add /tmp/earlier COMMIT
    python benchmarks/speed/commands.py [--old /tmp/earlier] [--times 7] [--long 2] [--json commands.json]

The start of a command is its `--help`, and `list models` and `plan` of a small experiment. The demo and `teach` on the README's
2,483 sentences begin with an empty store each. The median counts; share: of the earlier checkout's. Limit: 1.
"""

from __future__ import annotations

import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from conditions import conditions, options, report

ROOT = Path(__file__).parents[2]
STARTS = (
    "",
    "run",
    "plan",
    "demo",
    "show",
    "report",
    "teach",
    "predict",
    "compare",
    "score",
    "list",
    "check",
    "new",
    "prune",
)
EXPERIMENT = (
    "tasks: [sentiment]\nweak: [static:wordllama]\nstrong: [static:wordllama]\nseeds: 1\n"
    "split: {weak_train: 600, transfer: 600, test: 500}\n"
)
DEMO_BEFORE = (  # each model at its own l2, where the demo now chooses among four
    "tasks: [sentiment]\nweak: [{static: wordllama, rows: 200}, static:wordllama]\nstrong: [probe:minilm]\n"
    "methods: [naive, confidence]\nseeds: 20\nsplit: {weak_train: 900, transfer: 900, test: 1000}\n"
)
TEACH = (
    "teach labels.csv --text sentence --label praise,complaint,negation,exclamation --student minilm "
    "--truth gold.csv --out {0}/student --device cpu"
)
LONG = {
    "demo": "demo --out {0}/demo --device cpu",
    "the demo's experiment at one l2": "run demo_before.yaml --out {0}/run --device cpu",
    "teach": TEACH,
    "teach by naive, worth not counted": f"{TEACH} --method naive",
    "the same by the last layer": f"{TEACH} --method naive",
}
NOT_BEFORE = {  # options that the version before the rooms lacks
    "teach by naive, worth not counted": " --no-worth",
    "the same by the last layer": " --no-worth --student '{probe: minilm, layer: 6}'",
}


def seconds(source: Path, command: list[str], folder: Path) -> float:
    """How long a command of a checkout takes, from its start to its end."""
    environment = {**os.environ, "PYTHONPATH": str(source / "src"), "XDG_CACHE_HOME": str(folder / "cache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled once, not at each start
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "outgrow", *command], cwd=folder, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"outgrow {' '.join(command)} of {source} failed: {done.stderr}")
    return time.perf_counter() - begin


def row(name: str, times: dict[Path, list[float]], new: Path) -> dict[str, Any]:
    """The medians of one command, each checkout's."""
    medians = {source: statistics.median(of) for source, of in times.items()}
    found: dict[str, Any] = {"row": name, "seconds": medians[new]}
    for source, median in medians.items():
        if source != new:
            found |= {"earlier": median, "share": medians[new] / median, "limit": 1}
    return found


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--old", type=Path, help="another checkout, measured in turn with this one")
    parser.add_argument("--times", type=int, default=7, help="how often each start is measured, after one to warm up")
    parser.add_argument("--long", type=int, default=2, help="how often the demo and teach are measured; 0: not")
    asked = parser.parse_args()
    under = conditions()
    sources = [ROOT, *([asked.old.resolve()] if asked.old else [])]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "small.yaml").write_text(EXPERIMENT)
        (folder / "demo_before.yaml").write_text(DEMO_BEFORE)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        make = [sys.executable, str(ROOT / "examples/teach/make_files.py")]
        subprocess.run(make, check=True, env=environment, stdout=subprocess.DEVNULL)
        for name in ("labels.csv", "gold.csv"):
            (folder / name).write_bytes((ROOT / "examples/teach" / name).read_bytes())
        starts = {f"{name} --help".strip(): [*name.split(), "--help"] for name in STARTS}
        starts |= {"list models": ["list", "models"], "plan": ["plan", "small.yaml"]}
        for name, command in starts.items():
            times: dict[Path, list[float]] = {source: [] for source in sources}
            for _ in range(asked.times + 1):
                for source in sources:
                    times[source].append(seconds(source, command, folder))
            rows.append(row(name, {source: of[1:] for source, of in times.items()}, ROOT))
        for name, line in LONG.items() if asked.long else ():
            times = {source: [] for source in sources}
            for number in range(asked.long):
                for source in sources:
                    place = folder / f"{list(LONG).index(name)}-{number}-{sources.index(source)}"
                    shutil.rmtree(folder / "cache", ignore_errors=True)
                    new = NOT_BEFORE.get(name, "") if source == ROOT else ""
                    times[source].append(seconds(source, shlex.split(line.format(place) + new), folder))
            rows.append(row(name, times, ROOT))
    report(rows, under, asked.json)


if __name__ == "__main__":
    main()
