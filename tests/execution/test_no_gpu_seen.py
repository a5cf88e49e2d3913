"""What the suite runs on: the same where CUDA is the default device as where there is none."""

import os
import subprocess
import sys

from outgrow.execution.machine import resolve_device


def test_auto_takes_no_gpu_in_a_test_or_in_a_process_that_it_starts() -> None:
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert resolve_device("auto") != "cuda"
    code = "from outgrow.execution.machine import resolve_device; print(resolve_device('auto'))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() != "cuda"
