"""Whole-process time of `outgrow --help`, beside the bare interpreter's: the median of ten, after one to warm up.

python benchmarks/speed/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 10


def seconds(command: list[str]) -> float:
    """The median of several runs of a command, from its start to its end."""
    times = []
    for _ in range(RUNS + 1):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


if __name__ == "__main__":
    outgrow = Path(sys.executable).parent / "outgrow"
    print(f"outgrow --help     {seconds([str(outgrow), '--help']):.3f} s")
    print(f"python -c pass     {seconds([sys.executable, '-c', 'pass']):.3f} s")
