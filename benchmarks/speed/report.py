"""How long a report of 1,000 cells takes, how much memory, and how large the page is.

    python benchmarks/speed/report.py [--seeds 3] [--test 500]

Prints: cells, seconds, peak memory and bytes of the page; and the same of 500 cells. The limits that the tests and the
README promise are 20 s and 1 GB of 1,000 cells, and 5 MB of their page.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--test", type=int, default=500)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for cells, (weak, strong, methods) in {500: (10, 10, 5), 1000: (10, 10, 10)}.items():
            from grids import grid

            run = grid(
                Path(folder) / str(cells),
                weak=[f"static:supervisor-{number}" for number in range(weak)],
                strong=[f"probe:student-{number}" for number in range(strong)],
                methods=[f"method{number}" for number in range(methods)],
                seeds=range(chosen.seeds),
                n=chosen.test,
            )
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "outgrow", "report", str(run)], check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - began
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            size = (run / "report.html").stat().st_size
            print(
                f"{cells:,} cells, {chosen.seeds} seeds, {chosen.test} test examples: {seconds:.1f} s, "
                f"{peak:.0f} MB at most, a page of {size / 1e6:.2f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
