"""What a measurement was made under, and its table: every script here prints rows and writes them as JSON beside."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "peft", "sentence-transformers", "scikit-learn")


def options(description: str | None) -> argparse.ArgumentParser:
    """The options that every script has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows and the conditions there")
    return parser


def threads_option(parser: argparse.ArgumentParser) -> None:
    """How many threads torch uses."""
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)


def conditions(device: str = "cpu") -> dict[str, Any]:
    """Machine, load, versions, and the rate of matrix products in this run."""
    import torch

    found: dict[str, Any] = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        **{name: _version(name) for name in PACKAGES},
        "device": device,
        "fp32_gflops": round(product_rate(torch.float32, device) / 1e9),
    }
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name()
        found["bf16_gflops"] = round(product_rate(torch.bfloat16, device) / 1e9)
    return found


def product_rate(dtype: Any, device: str = "cpu") -> float:
    """FLOPs a second of a large square matrix product, the best of three, on random numbers."""
    import torch

    size = 8192 if device.startswith("cuda") else 1024
    left, right = (
        torch.randn(size, size, device=device, dtype=dtype),
        torch.randn(size, size, device=device, dtype=dtype),
    )
    left @ right
    seconds = min(_seconds(lambda: left @ right, device) for _ in range(3))
    return 2.0 * size**3 / seconds


def _seconds(work: Callable[[], object], device: str) -> float:
    finished(device)
    begin = time.perf_counter()
    work()
    finished(device)
    return time.perf_counter() - begin


def finished(device: str) -> None:
    """Wait for a GPU."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()


def seconds(work: Callable[[], object], device: str = "cpu", times: int = 1) -> float:
    """How long `work` takes, the fastest of several times."""
    return min(_seconds(work, device) for _ in range(times))


def report(rows: Sequence[dict[str, Any]], under: dict[str, Any], path: Path | None = None) -> None:
    """Print conditions and a table, and write both as JSON where a path is given."""
    print("; ".join(f"{name} {value}" for name, value in under.items() if value is not None))
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_shown(row.get(name)) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    for line in (names, *cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip(), flush=True)
    if path is not None:
        path.write_text(json.dumps({"conditions": under, "rows": list(rows)}, indent=1) + "\n")


def _shown(value: Any) -> str:
    return (
        ""
        if value is None
        else f"{value:,.3g}"
        if isinstance(value, float) and abs(value) < 1000
        else str(value)
        if not isinstance(value, float)
        else f"{value:,.0f}"
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
