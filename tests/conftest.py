"""What tests of several parts need."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outgrow.core import garbage

garbage.search_rarely()
if "PYTEST_XDIST_WORKER" in os.environ:  # several at once: each has one core, so one thread of torch
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure(config: pytest.Config) -> None:
    """Hide the GPUs from all tests but those marked `gpu`, which run alone: `auto` is the processor everywhere."""
    if config.getoption("markexpr") != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch is imported, and in every process that a test starts


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 1 MiB, mounted for one test. Needs root; where CI is set, being refused is a failure."""
    folder = tmp_path / "small_disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        refusal = subprocess.run(mount, capture_output=True, text=True, check=False).stderr
    except OSError as error:
        refusal = str(error)
    if not os.path.ismount(folder):
        reason = f"a small disk cannot be mounted here, so full disks are not tested: {refusal.strip()}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """What a test started ends with it."""
    from children import end_all

    yield
    end_all()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for the tests of one file."""
    from browser import chromium

    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """torch computes with one thread: of many small fits, more threads only slow each down."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
