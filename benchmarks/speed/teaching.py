"""`outgrow teach` on 10,000 rows: how much of it is the feature pass.

    python benchmarks/speed/teaching.py [--rows 10000] [--threads 2] [--json teaching.json]

Limit: at least four fifths of the time in the feature pass.
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from conditions import conditions, options, report, seconds, threads_option
from made_texts import sentences, words_of

from outgrow.execution.machine import Machine
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.weight_files import folder_of
from outgrow.models.heads import probe
from outgrow.teaching.teach_files import teach_files


def main() -> None:
    parser = options(__doc__)
    threads_option(parser)
    parser.add_argument("--rows", type=int, default=10_000)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    under = conditions()
    texts = sentences(asked.rows, words_of(folder_of(resolve("minilm", "probe"))))
    labels = np.random.default_rng(1).choice(["no", "yes"], asked.rows)
    inside: list[float] = []
    read: Callable[..., Any] = vars(probe)["read_states"]

    def timed(*arguments: Any) -> Any:
        begin = time.perf_counter()
        found = read(*arguments)
        inside.append(time.perf_counter() - begin)
        return found

    with tempfile.TemporaryDirectory() as folder, patch.object(probe, "read_states", timed):
        file = Path(folder) / "cheap.csv"
        with file.open("w", newline="", encoding="utf-8") as written:
            csv.writer(written).writerows([("text", "label"), *zip(texts, labels, strict=True)])
        spent = seconds(
            lambda: teach_files(
                str(file), text="text", columns=["label"], student="minilm", out=Path(folder) / "student",
                store=Path(folder) / "store", machine=Machine(threads=asked.threads, device="cpu"),
            )
        )  # fmt: skip
    share = sum(inside) / spent
    report(
        [{"row": f"teach, {asked.rows:,} rows", "seconds": spent, "features": share, "limit": 0.8}], under, asked.json
    )


if __name__ == "__main__":
    main()
