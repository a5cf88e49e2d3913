"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StoreOption = Annotated[Path | None, typer.Option("--store", help="Where results are kept. [default: the user cache]")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but failures.")]
JobsOption = Annotated[
    int | None, typer.Option("--jobs", min=1, max=512, help="Processes that work at once. [default: 1]")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, max=1024, help="Threads of each process. [default: cores/jobs, at most OMP_NUM_THREADS]"
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, mps, cuda, cuda:1, or cuda:0,cuda:1.")]
ExecutorOption = Annotated[
    str | None, typer.Option("--executor", help="local, processes, ray, or your own. [default: by --jobs]")
]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="Where the executor finds its cluster. [ray: RAY_ADDRESS, else a new one here]"),
]
