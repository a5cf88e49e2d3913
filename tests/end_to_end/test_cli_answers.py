"""What the commands answer: to bad input, and to show, list, check and prune."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import FILES, ROWS, SMALL, Answer, bad, cells_of, good, objects, outgrow, table

# Bad input: one sentence a fault, nothing written

TASK = "{file: reviews.csv, text: text, label: label}"
FAULTS = [
    ((TASK, "{file: nowhere.csv, text: text, label: label}"), ["nowhere.csv: there is no such file"]),
    (("text: text", "text: sentence"), ["sentence"]),
    (("transfer: 80", "transfer: 8000"), ["reviews: weak_train 60 + transfer 8000 + validation 0 need 8,060 rows"]),
    (("seeds: 2", "seeds: 0"), ["at least one seed is needed"]),
    (("confidence]", "confidance]"), ['"confidance"; did you mean "confidence"?']),
    (("[static:wordllama]", "[statik:wordllama]"), ["statik"]),
    (("rows: 40", "rows: 400"), ["asks for 400 rows of 60 in weak_train"]),
    (("seeds: 2", "seeds: [1, 1]\nsead: 3"), ["seed 1 is listed twice", "sead"]),
    (("split:", "split: }"), ["small"]),
    (("[static:wordllama]", "[static:wordllama, given: reviews.csv]"), ["`given` labels can supervise but not learn"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("change", "sentences"), FAULTS)
def test_bad_input(change: tuple[str, str], sentences: list[str], folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "reviews.csv", tmp_path)
    assert change[0] in SMALL
    (tmp_path / "small.yaml").write_text(SMALL.replace(*change))
    for arguments in (["run", "small.yaml", "--store", "store"], ["plan", "small.yaml", "--store", "store"]):
        answer = outgrow(*arguments, cwd=tmp_path)
        said = [line for line in answer.said if not line.startswith("[")]  # the pool that is read before
        bad(Answer(answer.code, answer.out, said, answer.loaded), 2, *sentences)
        assert not (tmp_path / "runs").exists()
        assert len(objects(tmp_path / "store")) <= 1  # a pool that was right in itself


def test_bad_places(folder: Path, tmp_path: Path) -> None:
    bad(outgrow("run", "nowhere.yaml", cwd=tmp_path), 2, "nowhere.yaml: there is no such file")
    bad(outgrow("run", tmp_path, cwd=tmp_path), 2, "is a folder")
    bad(outgrow("run", "small.yaml", "--store", "reviews.csv", cwd=folder), 2, "a store is a folder")
    bad(outgrow("run", "small.yaml", "--store", "runs", cwd=folder), 2, "is not a store")
    bad(outgrow("run", "small.yaml", "--store", "store", "--threads", 1, "--out", "small.yaml", cwd=folder), 1,
        "small.yaml: the run folder cannot be used there")  # fmt: skip
    bad(outgrow("run", "small.yaml", "--store", "store", "--device", "gpu", cwd=folder), 2, "--device gpu")
    assert list(tmp_path.iterdir()) == []


def test_a_traceback_is_shown_when_asked_for_anywhere(tmp_path: Path) -> None:
    for words in (["--debug", "run", "nowhere.yaml"], ["run", "nowhere.yaml", "--debug"]):
        command = [sys.executable, "-m", "outgrow", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert "UsageError: nowhere.yaml: there is no such file" in done.stderr


# show


def test_show_in_all_forms(folder: Path) -> None:
    out = folder / "runs" / "small"
    content = json.loads((out / "results.json").read_text())
    plain = good(outgrow("show", out, cwd=folder)).out
    assert "95% intervals over 2 seeds" in plain
    assert "Asked: what share of the gap" in " ".join(plain.split())
    said = good(outgrow("show", out, "--sentences", cwd=folder)).out
    assert said.count("static:wordllama, taught by static:wordllama rows=40 with") == 2
    assert good(outgrow("show", out, "--json", cwd=folder)).out == (out / "results.json").read_text()
    lines = list(csv.DictReader(io.StringIO(good(outgrow("show", out, "--csv", cwd=folder)).out)))
    assert [float(line["student_accuracy_estimate"]) for line in lines] == [
        cell["student_accuracy"]["estimate"] for cell in content["cells"]
    ]
    assert [line["pgr_status"] for line in lines] == [cell["pgr"]["status"] for cell in content["cells"]]
    markdown = good(outgrow("show", out, "--markdown", cwd=folder)).out.splitlines()
    assert [line.count("|") for line in markdown] == [11] * 4
    latex = good(outgrow("show", out, "--latex", cwd=folder)).out
    assert r"\begin{tabular}" in latex
    assert latex.count(r" \\") == 1 + 2 * 2, "a header, and for each cell its estimates and their intervals"
    pivot = good(outgrow("show", out, "--markdown", "--pivot", "task", cwd=folder)).out.splitlines()
    assert [line.count("|") for line in pivot] == [3] * 4


def test_show_what_is_not_there(folder: Path, tmp_path: Path) -> None:
    bad(outgrow("show", tmp_path, cwd=folder), 1, "is not a run folder, it has no results.json")
    bad(outgrow("show", "runs/small", "--csv", "--json", cwd=folder), 2, "one of --json, --csv, --markdown and --latex")
    (tmp_path / "results.json").write_text('{"schema": 1, "ru')
    bad(outgrow("show", tmp_path, cwd=folder), 1, "results.json: is not a run's results: is damaged (")
    (tmp_path / "results.json").write_text('{"schema": 99}')
    bad(outgrow("show", tmp_path, cwd=folder), 1, "schema 99")


def test_a_run_folder_needs_no_store(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "runs" / "small", tmp_path / "sent")
    shutil.copytree(folder / "runs" / "small", tmp_path / "far" / "away")
    alone = good(outgrow("show", "sent", cwd=tmp_path))
    assert alone.out == good(outgrow("show", "runs/small", cwd=folder)).out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far", "sent"]


# list and check


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("tasks", ["sentiment"]),
        ("models", ["static", "probe", "given", "wordllama", "minilm", "mpnet"]),
        ("methods", ["naive", "confidence", "alpha=0.5"]),
    ],
)
def test_list(what: str, names: list[str], tmp_path: Path) -> None:
    text = good(outgrow("list", what, cwd=tmp_path)).out
    assert all(name in text for name in names)


def test_list_of_something_else(tmp_path: Path) -> None:
    bad(outgrow("list", "modles", cwd=tmp_path), 2, 'there is no list of "modles"; did you mean "models"')


PLUGINS = """
import itertools
from outgrow import Method, RawTask

def task():
    return RawTask([f"word {n}" for n in range(40)], [n % 2 for n in range(40)])

calls = itertools.count()

def restless():
    first = 40 * next(calls)
    return RawTask([f"word {first + n}" for n in range(40)], [n % 2 for n in range(40)])

class Square(Method):
    def loss(self, logits, weak, progress, statistic=None):
        return ((logits.softmax(1) - weak) ** 2).sum(1)

class Whole(Method):
    def loss(self, logits, weak, progress, statistic=None):
        return ((logits.softmax(1) - weak) ** 2).sum(1) * logits.mean()

thing = 3
"""


@pytest.mark.slow
def test_check(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(PLUGINS)
    assert "ok: makes a pool of 40 distinct rows (0 20, 1 20)" in good(
        outgrow("check", "own.py:task", cwd=tmp_path), computes=True
    ).out.splitlines()  # fmt: skip
    assert "ok: 5 classes: the same bits each time" in good(
        outgrow("check", "own.py:Square", cwd=tmp_path), computes=True
    ).out.splitlines()  # fmt: skip
    for name, code, sentence in (
        ("restless", 1, "returns other rows when called again"),
        ("Whole", 1, "a row's loss depends on the other rows"),
        ("thing", 1, "is neither a task"),
        ("Squaer", 2, 'did you mean "Square"?'),
    ):
        answer = outgrow("check", f"own.py:{name}", cwd=tmp_path)
        assert answer.code == code
        assert answer.out == ""
        assert any(sentence in line for line in answer.said), answer.said
    bad(outgrow("check", "naive", cwd=tmp_path), 2, "is not of the form path/to/file.py:Name")
    bad(outgrow("check", "gone.py:Name", cwd=tmp_path), 2, "gone.py")


# prune


def test_prune_by_age_and_by_size(folder: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(folder / "store", tmp_path / "store"))
    marks = sorted(store.glob("objects/*/*/artifact.json"))
    for mark in marks:
        os.utime(mark)
    for mark in marks[:4]:
        os.utime(mark, (time.time() - 3 * 86400,) * 2)
    assert "removed 0 results" in good(outgrow("prune", "--store", store, "--older-than", "4d", cwd=tmp_path)).out
    assert "removed 4 results" in good(outgrow("prune", "--store", store, "--older-than", "2d", cwd=tmp_path)).out
    assert objects(store) == {mark.parent.name for mark in marks[4:]}
    before = len(objects(store))
    good(outgrow("prune", "--store", store, "--larger-than", "100KB", cwd=tmp_path))
    assert 0 < len(objects(store)) < before
    assert sum(path.stat().st_size for path in store.glob("objects/**/*") if path.is_file()) <= 100_000
    good(
        outgrow("run", "small.yaml", "--store", store, "--threads", 1, "--out", tmp_path / "out", cwd=folder),
        computes=True,
    )
    for name in FILES:
        assert (tmp_path / "out" / name).read_bytes() == (folder / "runs" / "small" / name).read_bytes()


def test_prune_says_what_it_needs(tmp_path: Path) -> None:
    bad(outgrow("prune", "--store", "s", cwd=tmp_path), 2, "say what may go: --older-than 30d, --larger-than 20GB")
    bad(outgrow("prune", "--store", "s", "--older-than", "month", cwd=tmp_path), 2, '"month" is not a time')
    bad(outgrow("prune", "--store", "s", "--larger-than", "lots", cwd=tmp_path), 2, '"lots" is not a size')
    assert "removed 0 results" in good(outgrow("prune", "--store", "s", "--older-than", "1d", cwd=tmp_path)).out
    assert list(tmp_path.iterdir()) == []


# What is undefined is said, and never a number


@pytest.mark.slow
def test_unlabelled_rows_with_given_labels_and_a_labelled_test_file(tmp_path: Path) -> None:
    some = ROWS[::11]
    table(tmp_path / "train.csv", [("text",), *((text,) for text, _ in some[:180])])
    table(tmp_path / "test.csv", [("text", "label"), *some[180:]])
    table(tmp_path / "crowd.csv", [("text", "label"), *some[:150]])
    text = """
        tasks: [{file: train.csv, test: test.csv, text: text, label: label, unlabelled: true}]
        weak: [{given: crowd.csv}]
        strong: [static:wordllama]
        seeds: 1
        split: {transfer: 150}
        """
    (cell,) = cells_of(tmp_path, text)
    # Both hold, the given labels and the truth being absent; either is a reason.
    assert cell["pgr"]["status"] in ("undefined: no truth on transfer", "undefined: weak labels do not cover test")
    assert cell["ceiling_accuracy"]["estimate"] is None
    assert cell["student_accuracy"]["estimate"] > 0.5
    (each,) = json.loads((tmp_path / "out" / "results.json").read_text())["runs"]
    assert each["n_transfer"] + each["n_left_out"] == 150
    assert each["n_left_out"] > 0
    # With labels for the test rows too, the one reason left is the missing truth.
    table(tmp_path / "crowd.csv", [("text", "label"), *some])
    (cell,) = cells_of(tmp_path, text)
    assert cell["pgr"]["status"] == "undefined: no truth on transfer"
    assert cell["weak_accuracy"]["estimate"] == 1.0
    assert cell["pgr"]["low"] is None


@pytest.mark.slow
def test_given_labels_that_leave_rows_out_and_a_supervisor_that_is_never_wrong(tmp_path: Path) -> None:
    some = ROWS[::11]
    table(tmp_path / "reviews.csv", [("text", "label"), *some])
    table(tmp_path / "half.csv", [("text", "label"), *some[::2]])
    table(tmp_path / "truth.csv", [("text", "label"), *some])
    half, truth = cells_of(
        tmp_path,
        f"""
        tasks: [{TASK}]
        weak: [{{given: half.csv}}, {{given: truth.csv}}]
        strong: [static:wordllama]
        seeds: [7]
        split: {{transfer: 120, test: 80}}
        """,
    )
    assert half["pgr"]["status"] == "undefined: weak labels do not cover test"
    assert half["weak_accuracy"]["estimate"] is None
    assert half["student_accuracy"]["estimate"] > 0.5
    assert truth["pgr"]["status"] == "undefined: ceiling not above weak"
    assert truth["weak_accuracy"]["estimate"] == 1.0
    assert truth["student_accuracy"]["estimate"] == truth["ceiling_accuracy"]["estimate"]
    assert half["seeds"] == truth["seeds"] == [7]
    runs = json.loads((tmp_path / "out" / "results.json").read_text())["runs"]
    assert [each["n_left_out"] > 0 for each in runs] == [True, False]
    assert [each["n_transfer"] + each["n_left_out"] for each in runs] == [120, 120]
    shown = good(outgrow("show", "out", cwd=tmp_path)).out
    assert "One seed tells nothing of other seeds" in shown
