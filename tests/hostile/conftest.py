"""A small student and a small run folder, made once; each test changes a copy."""

import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from folders import folder
from hostile import SECONDS
from saved_students import saved, tiny_table

from outgrow.core.files import disk
from outgrow.core.files.sums import write_sums


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`student`, `run` (with checksums) and `bare` (the same run without)."""
    place = tmp_path_factory.mktemp("made")
    (place / "table").mkdir()
    tiny_table(place / "table")
    saved(place / "student", f"static:{place / 'table'}", classes=2)
    accuracies = {"t": {"weak": 0.7, "ceiling": 0.9, "naive": 0.8, "confidence": 0.82}}
    folder(place / "bare", accuracies, seeds=(0, 1), n=60)
    shutil.copytree(place / "bare", place / "run")
    write_sums(place / "run", disk.flush_tree(place / "run"))
    (place / "rows.csv").write_text("text\na fine film\nok\n")
    return place


MEMORY = 2 * 1024**2  # KiB by which no case may raise the most that this process has ever held


@pytest.fixture(autouse=True)
def _within_memory() -> Iterator[None]:
    """Whatever a case holds, it takes no more than 2 GB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert taken < MEMORY, f"took {taken // 1024} MB"


@pytest.fixture
def in_time() -> Iterator[None]:
    """A case that gives no command by `hostile.outgrow`, which has the same limit."""
    begin = time.process_time()
    yield
    assert time.process_time() - begin < SECONDS
