"""The script of all GPU rows ends in its table, here with sizes for a CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from places import BENCHMARKS

from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.weight_files import folder_of

SPEED = BENCHMARKS / "speed"


@pytest.mark.slow
def test_every_row_is_made(tmp_path: Path) -> None:
    packed, found = tmp_path / "packed", tmp_path / "gpu.json"
    for script, *words in (
        ("packed.py", folder_of(resolve("minilm", "probe")), packed),
        ("gpu.py", "--minilm", packed, "--small", "--device", "cpu", "--json", found),
    ):
        done = subprocess.run([sys.executable, SPEED / script, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    rows = {row["row"]: row for row in json.loads(found.read_text(encoding="utf-8"))["rows"]}
    assert [name for name in rows if "failed" in name] == []
    for name in (
        "8 heads, confidence",
        "features, bf16",
        "MiniLM finetuned, bf16",
        "Llama LoRA, 64 texts of 200 words",
    ):
        assert name in rows
    for name, row in rows.items():
        assert not [what for what, value in row.items() if value is False], (
            name
        )  # the same bits twice, permuted and alone
    assert all(row["step_ms"] > 0 for row in rows.values() if "step_ms" in row)
