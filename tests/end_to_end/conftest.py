"""What tests of whole commands share."""

from pathlib import Path

import pytest
from commands import ROWS, SMALL, good, outgrow, table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, an experiment, and the run of it in `runs/small`, its results in `store`."""
    folder = tmp_path_factory.mktemp("cli")
    table(folder / "reviews.csv", [("text", "label"), *ROWS[::11]])
    (folder / "small.yaml").write_text(SMALL)
    answer = good(outgrow("run", "small.yaml", "--store", "store", "--threads", 1, cwd=folder), computes=True)
    assert "torch" in answer.loaded  # or `good` would look for it in vain
    assert "The run folder is runs/small" in answer.out
    return folder
