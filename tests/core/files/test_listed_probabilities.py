"""Cells that list classes with their probabilities, and labels with their confidence."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outgrow.core.files.columns.label_columns import class_probabilities
from outgrow.core.files.columns.listed_probabilities import completed, confident, is_listed, listed
from outgrow.core.files.tables import Table, read_table


def table(folder: Path, *cells: Any) -> Table:
    lines = [json.dumps({"text": f"t{place}", "logprobs": cell}) for place, cell in enumerate(cells)]
    (folder / "labels.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = read_table(folder / "labels.jsonl", [])
    assert found is not None
    return found


def probabilities(folder: Path, *cells: Any, classes: tuple[str, ...] = ("a", "b", "c")) -> list[list[float]]:
    problems: list[str] = []
    rows = listed(table(folder, *cells), "logprobs", problems)
    assert rows is not None, problems
    found: list[list[float]] = completed(rows, classes).tolist()
    return found


def test_logs_and_probabilities_are_told_apart_by_their_sign(tmp_path: Path) -> None:
    whole = {"a": 0.5, "b": 0.25, "c": 0.25}
    assert probabilities(tmp_path, whole) == [pytest.approx([0.5, 0.25, 0.25])]
    logs = {name: math.log(value) for name, value in whole.items()}
    # A log of 0 is certainty where others of the column are negative.
    assert probabilities(tmp_path, logs, {"b": 0.0}) == [pytest.approx([0.5, 0.25, 0.25]), [0, 1, 0]]
    assert probabilities(tmp_path, {"a": -math.inf, "b": -9999.0, "c": -0.0}, {"a": -1e-9}) == [
        pytest.approx([0, 0, 1]),
        pytest.approx([1, 0, 0], abs=1e-8),
    ]


def test_what_is_not_listed_never_becomes_the_answer(tmp_path: Path) -> None:
    found = probabilities(
        tmp_path,
        {"a": 0.8},  # two others share .2
        {"a": 0.4, "b": 0.1},  # c gets .1 as the least listed, and .4 are shared by all
        {"a": 0.3, "b": 0.2, "c": 0.1},  # all are listed: .4 are shared
        {"a": 0.02},  # nearly nothing: .02 each, and the rest is shared
    )
    assert found == [
        pytest.approx([0.8, 0.1, 0.1]),
        pytest.approx([0.4 + 0.4 / 3, 0.1 + 0.4 / 3, 0.1 + 0.4 / 3]),
        pytest.approx([0.3 + 0.4 / 3, 0.2 + 0.4 / 3, 0.1 + 0.4 / 3]),
        pytest.approx([1 / 3, 1 / 3, 1 / 3]),
    ]


def test_blank_cells_abstain_and_spellings_are_those_of_all_labels(tmp_path: Path) -> None:
    found = probabilities(tmp_path, {" a ": 1.0}, None, {}, {"a": None, "b": 1}, {"a": 0.0, "b": 0})
    assert found[0] == [1, 0, 0]
    assert found[3] == [0, 1, 0]
    assert np.isnan(np.array(found)[[1, 2, 4]]).all()
    assert probabilities(tmp_path, {"1.0": 1.0}, classes=("0", "1")) == [[0, 1]]


def test_json_in_a_cell_of_csv_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text('text,p\nx,"{""a"": -0.1, ""b"": -3}"\ny,\n', encoding="utf-8")
    found = read_table(tmp_path / "labels.csv", [])
    assert found is not None
    assert is_listed(found, "p")
    assert not is_listed(found, "text")
    rows = listed(found, "p", [])
    assert rows is not None
    assert rows[0] == {"a": pytest.approx(math.exp(-0.1)), "b": pytest.approx(math.exp(-3))}
    assert rows[1] is None


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ([{"a": 0.5}, {"a": 80.0}], "line 2: column 'logprobs' holds numbers that are neither probabilities nor logs"),
        (
            [{"a": -0.5}, {"a": 0.5}],
            "line 2: column 'logprobs' holds numbers above 0, where others of the column are logs",
        ),
        ([{"a": 0.7, "b": 0.7}], "line 1: column 'logprobs' lists probabilities that sum to more than one"),
        ([{"a": -0.1, "b": -0.1}], "line 1: column 'logprobs' lists probabilities that sum to more than one"),
        ([{"a": "high"}], "line 1: column 'logprobs' holds something other than numbers"),
        ([{"a": True}], "line 1: column 'logprobs' holds true or false"),
        ([{"a": [1]}], "line 1: column 'logprobs' holds something other than numbers"),
        ([{"a": math.nan}, {"a": math.inf}], "line 2: column 'logprobs' holds a number that is not finite"),
        ([{"a": 0.1, "a ": 0.2}], "line 1: column 'logprobs' lists a class twice"),
        ([{"": 0.1}], "line 1: column 'logprobs' names a class by nothing"),
        ([{"a": 1}, "a"], "line 2: column 'logprobs' holds something other than a mapping"),
        ([{"a": 1}, "{a: 1"], "line 2: column 'logprobs' holds what is not JSON"),
        ([{"a": 10**400}], "line 1: column 'logprobs' holds something other than numbers"),
    ],
)
def test_what_cannot_be_probabilities_is_a_sentence_that_names_the_line(
    tmp_path: Path, cells: list[Any], sentence: str
) -> None:
    problems: list[str] = []
    assert listed(table(tmp_path, *cells), "logprobs", problems) is None
    assert len(problems) == 1
    assert sentence in problems[0]


def test_a_confidence_is_the_probability_of_its_label() -> None:
    columns = {"label": ["a", "b", None, "a"], "sure": [0.8, 0.5, None, "1"]}
    rows = confident(Table("f", columns, [2, 3, 4, 5]), "label", "sure", [])
    assert rows is not None
    assert completed(rows, ("a", "b"))[[0, 1, 3]].tolist() == [pytest.approx([0.8, 0.2]), [0.5, 0.5], [1, 0]]
    # Less sure than chance: the label itself stays the likeliest, as nothing tells which other class is.
    rows = confident(Table("f", {"label": ["a"], "sure": [0.2]}, [2]), "label", "sure", [])
    assert rows is not None
    assert completed(rows, ("a", "b")).tolist() == [[0.5, 0.5]]
    for wrong, sentence in (([85, 0.5], "outside [0, 1]"), ([None, 0.5], "is blank beside a label")):
        problems: list[str] = []
        assert confident(Table("f", {"label": ["a", "b"], "sure": wrong}, [2, 3]), "label", "sure", problems) is None
        assert len(problems) == 1
        assert "f, line 2: column 'sure'" in problems[0]
        assert sentence in problems[0]


def test_label_files_of_an_experiment_may_hold_mappings_too(tmp_path: Path) -> None:
    problems: list[str] = []
    found = class_probabilities(table(tmp_path, {"b": 0.75}, None), ["a", "b"], None, ["logprobs"], problems)
    assert found is not None
    assert found[0].tolist() == [0.25, 0.75]
    assert np.isnan(found[1]).all()
    assert class_probabilities(table(tmp_path, {"b": 0.7}), ["a", "c"], None, ["logprobs"], problems) is None
    assert problems == [f"{tmp_path / 'labels.jsonl'}: class 'b' in line 1 is none of the classes; there is a, c"]
