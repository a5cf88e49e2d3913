"""The notebook of examples/ runs in a kernel of its own, from data frames to a figure, a table and a sentence."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from places import DATA, ROOT

NOTEBOOK = ROOT / "examples" / "figure2.ipynb"


def code(notebook: Any) -> list[str]:
    """The lines of code that it has, blank ones aside."""
    return [
        line
        for cell in notebook.cells
        if cell.cell_type == "code"
        for line in cell.source.splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]


def test_it_is_short() -> None:
    import nbformat

    assert len(code(nbformat.read(NOTEBOOK, as_version=4))) < 40


@pytest.mark.slow
def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    if not (DATA / "sst2").is_dir():
        reason = f"{DATA} is not here, so the notebook's data sets are not"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    (tmp_path / "repository" / "examples").mkdir(parents=True)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "data").symlink_to(DATA)
    folder = tmp_path / "repository" / "examples"
    shutil.copy(NOTEBOOK, folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    notebook = nbformat.read(folder / NOTEBOOK.name, as_version=4)
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    assert (folder / "figure2.pdf").read_bytes().startswith(b"%PDF")
    table = (folder / "figure2.tex").read_text()
    assert "\\toprule" in table
    assert all(name in table for name in ("MiniLM", "sharpened", "sst2"))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pages = [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert any("<progress" in page and "steps" in page for page in pages)  # the bar
    assert any("<table" in page for page in pages)  # the results
    (quoted,) = [output["text"] for output in outputs if output.output_type == "stream" and output.name == "stdout"]
    assert "95% interval" in quoted
    assert "sharpened" in quoted
    warned = [output["text"] for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert not [text for text in warned if "tqdm" not in text]  # which misses ipywidgets
