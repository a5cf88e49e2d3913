"""The commands on data of another shape, and the same from Python."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commands import FILES, cells_of, table

from outgrow import Experiment, Machine, Results, run
from outgrow.core.inputs.input_type import TEXT
from outgrow.tasks.sentiment import sentiment

# Other shapes of data


@pytest.mark.slow
def test_six_classes_groups_and_a_template(tmp_path: Path) -> None:
    raw = sentiment()
    assert raw.columns is not None
    some = list(zip(raw.columns["source"], raw.inputs, raw.labels, strict=True))[::8]
    rows = [(source, text, f"{source} {'good' if label else 'bad'}", number // 5) for number, (source, text, label) in
            enumerate(some)]  # fmt: skip
    table(tmp_path / "reviews.csv", [("source", "sentence", "kind", "page"), *rows])
    (cell,) = cells_of(
        tmp_path,
        """
        tasks:
          - {name: six, file: reviews.csv, text: "Said there: {sentence}", label: kind, group: page}
        weak: [{static: wordllama, rows: 60}]
        strong: [static:wordllama]
        seeds: 2
        split: {weak_train: 100, transfer: 120, test: 100}
        """,
    )
    assert cell["task"] == "six"
    examples = pq.read_table(tmp_path / "out" / "examples.parquet").to_pylist()
    assert len(examples[0]["classes"]) == 6
    assert all(each["input"].startswith("Said there: ") for each in examples)
    # Rows that differ in case or white space alone go with the first of their pages.
    first: dict[str, str] = {}
    for _, text, _, number in rows:
        form = TEXT.normal_form(text)
        first[form] = min(first.get(form, str(number)), str(number))
    page = {f"Said there: {text}": first[TEXT.normal_form(text)] for _, text, _, _ in rows}
    held = {each["input"] for each in examples}
    of_test = {page[text] for text in held}
    assert len(of_test) < len(held)
    # Whole pages; where a test split of this size cuts one, its other rows belong to no split.
    of_pages = {text for text in page if page[text] in of_test}
    notes = " ".join(json.loads((tmp_path / "out" / "results.json").read_text())["notes"])
    left = re.search(r"(\d+) rows? left out of all splits: in a group with test rows", notes)
    assert held <= of_pages
    assert len(of_pages - held) == (int(left[1]) if left else 0)
    said = pq.read_table(tmp_path / "out" / "predictions.parquet")["probabilities"].to_pylist()
    assert {len(each) for each in said} == {6}
    assert all(abs(sum(each) - 1) < 1e-5 for each in said)
    assert cell["student_accuracy"]["estimate"] > 1 / 6 + 0.1


# The same from Python


@pytest.mark.slow
def test_python_gives_the_same(folder: Path, tmp_path: Path) -> None:
    out = folder / "runs" / "small"
    made = run(
        Experiment.read(folder / "small.yaml"),
        store=tmp_path / "store",
        out=tmp_path / "out",
        machine=Machine(threads=1),
    )
    for name in FILES:
        assert (tmp_path / "out" / name).read_bytes() == (out / name).read_bytes(), name
    read = Results.read(tmp_path / "out")
    assert read.runs == made.runs
    assert read.cells == made.cells
    assert read.notes == list(made.notes)
    assert read.to_json() == made.to_json() == (out / "results.json").read_text()
    assert (
        run(folder / "small.yaml", store=tmp_path / "store", out=tmp_path / "two", machine=Machine(threads=1)).cells
        == made.cells
    )
