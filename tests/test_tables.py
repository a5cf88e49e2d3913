"""Files as they come: what is read, and one exact sentence for everything that is wrong."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from outgrow.core import UsageError
from outgrow.tables import Table, read_table, table_format
from outgrow.tasks.files import file_task
from outgrow.templates import render

ROWS: dict[str, list[Any]] = {"text": ["good", "bad, very", 'so "so"\nla'], "label": [1, 0, 1]}


def write(path: Path, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def table(path: Path) -> Table:
    problems: list[str] = []
    read = read_table(path, problems)
    assert problems == []
    assert read is not None
    return read


def said(path: Path, folder: Path) -> list[str]:
    """What is wrong with a file, without the folder's name."""
    problems: list[str] = []
    assert read_table(path, problems) is None
    return [text.replace(f"{folder}/", "") for text in problems]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "ndjson", "parquet"])
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_every_format_gives_the_same_task(tmp_path: Path, ending: str, packed: str) -> None:
    frame, path = pl.DataFrame(ROWS), tmp_path / f"rows.{ending}"
    writers = {"csv": frame.write_csv, "parquet": frame.write_parquet}
    writers.get(ending, frame.write_ndjson)(path)
    if packed:
        path = write(tmp_path / f"rows.{ending}.gz", path.read_bytes())
    task = file_task(path, text="text", label="label")
    assert list(task.inputs) == ROWS["text"]
    assert list(task.labels) == ["1", "0", "1"]
    assert task.classes == ("0", "1")
    assert table_format(path) == {"json": "jsonl", "ndjson": "jsonl"}.get(ending, ending) + packed


def test_places_are_lines_as_an_editor_counts_them(tmp_path: Path) -> None:
    read = table(write(tmp_path / "a.csv", 'text,label\n"two\nlines",1\n\nx,0\n'))
    assert (list(read.places), read.where([0, 1])) == ([2, 5], "lines 2 and 5")
    read = table(write(tmp_path / "a.jsonl", '{"text": "a\u2028b"}\r\n\r\n{"text": "c", "more": 1}\r\n'))
    assert read.columns == {"text": ["a\u2028b", "c"], "more": [None, 1]}
    assert read.where([1]) == "line 3"
    pl.DataFrame(ROWS).write_parquet(tmp_path / "a.parquet")
    assert table(tmp_path / "a.parquet").where([0, 1, 2]) == "rows 1, 2 and 3"


def test_a_byte_order_mark_and_long_fields_are_read(tmp_path: Path) -> None:
    read = table(write(tmp_path / "a.csv", b"\xef\xbb\xbftext,label\n" + b"x" * 300_000 + b",1\n"))
    assert list(read.columns) == ["text", "label"]
    assert len(read.columns["text"][0]) == 300_000


@pytest.mark.parametrize(
    ("name", "content", "sentences"),
    [
        ("a.csv", "", ["a.csv: is empty; it needs rows"]),
        ("a.jsonl", " \n\n", ["a.jsonl: is empty; it needs rows"]),
        ("a.csv.gz", "", ["a.csv.gz: is empty; it needs rows"]),
        ("a.csv", "text,label\n", ["a.csv: has a header and no rows"]),
        ("a.csv", "text,text\na,b\n", ["a.csv: the header names 'text' twice; rename one"]),
        (
            "a.csv",
            "text,label\na,1\nb\nc,1,2\n",
            [
                "a.csv, line 3: has 1 field where the header has 2; quote a field that holds a comma",
                "a.csv, line 4: has 3 fields where the header has 2; quote a field that holds a comma",
            ],
        ),
        (
            "a.csv",
            'text,label\na,1\n"b,1\nc,0\n',
            ["a.csv, line 3: is not CSV (unexpected end of data); a quote may be missing or not doubled"],
        ),
        (
            "a.csv",
            b"text,label\na,1\ncaf\xe9,0\n",
            ["a.csv, line 3: is not UTF-8 (byte 0xe9); save the file as UTF-8"],
        ),
        ("a.jsonl", "x".encode("utf-16"), ["a.jsonl, line 1: is not UTF-8 (byte 0xff); save the file as UTF-8"]),
        (
            "a.jsonl",
            '{"text": "a"}\n{"text": }\n[1]\n{"text": "\\ud800"}\n3\n',
            [
                "a.jsonl, line 2: is not JSON (Expecting value at column 10); write one object a line",
                "a.jsonl, line 3: is no JSON object; write one object a line, with named values",
                "a.jsonl, line 4: holds half of a surrogate pair, which is no character; write it anew",
                "a.jsonl, line 5: is no JSON object; write one object a line, with named values",
            ],
        ),
        (
            "a.jsonl",
            "1\n" * 8,
            [f"a.jsonl, line {n}: is no JSON object; write one object a line, with named values" for n in range(1, 6)]
            + ["a.jsonl: 3 more such lines"],
        ),
        ("a.jsonl", "{}\n{}\n", ["a.jsonl: its objects hold no values"]),
        ("a.json", '[\n {"text": "a"}\n]', ["a.json: is one JSON array; write one object a line (JSONL)"]),
        ("a.parquet", "text,label\na,1\n", ["a.parquet: is not a Parquet file, though its name says so"]),
        ("a.parquet", b"PAR1 and no more", ["a.parquet: is a damaged Parquet file; copy it again"]),
        (
            "a.txt",
            "a",
            ["a.txt: this kind of file is not known; there is .csv, .jsonl and .parquet, each also with .gz"],
        ),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: str | bytes, sentences: list[str]) -> None:
    assert said(write(tmp_path / name, content), tmp_path) == sentences


def test_deeply_nested_json_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"a": ' + "[" * 200_000 + "\n")
    assert said(path, tmp_path) == [
        "a.jsonl, line 1: is not readable as JSON (RecursionError); write one object a line"
    ]


def test_gzip_that_is_none_is_cut_off_or_unnamed(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(b"text,label\na,1\n")
    assert said(tmp_path / "a.csv.gz", tmp_path) == [
        "a.csv.gz: is not a gzip file; take the .gz off its name, or compress it"
    ]
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"text,label\na,1\n" * 50)[:-9])
    assert said(tmp_path / "b.csv.gz", tmp_path) == ["b.csv.gz: is a damaged or cut-off gzip file; copy it again"]
    (tmp_path / "c.csv").write_bytes(gzip.compress(b"text,label\na,1\n"))
    assert said(tmp_path / "c.csv", tmp_path) == ["c.csv: is a gzip file; name it c.csv.gz"]


def test_files_that_are_not_there_or_no_files(tmp_path: Path) -> None:
    write(tmp_path / "reviews.csv", "text\na\n")
    assert said(tmp_path / "review.csv", tmp_path) == ['review.csv: there is no such file; did you mean "reviews.csv"?']
    assert said(tmp_path / "nowhere" / "x.csv", tmp_path) == ["nowhere/x.csv: there is no such file"]
    (tmp_path / "folder.csv").mkdir()
    assert said(tmp_path / "folder.csv", tmp_path) == ["folder.csv: cannot be read: Is a directory"]
    pl.DataFrame({"text": [], "label": []}).write_parquet(tmp_path / "a.parquet")
    assert said(tmp_path / "a.parquet", tmp_path) == ["a.parquet: has columns and no rows"]


def rendered(columns: dict[str, list[Any]], text: str) -> tuple[list[str] | None, list[str]]:
    problems: list[str] = []
    read = Table("f", columns, range(1, len(next(iter(columns.values()))) + 1), unit="row")
    return render(read, text, problems), problems


QA: dict[str, list[Any]] = {"question": ["two?", "three?"], "answer": [2, 3.0], "{odd}": ["a", "b"]}


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("question", ["two?", "three?"]),
        ("{question} Answer: {answer}", ["two? Answer: 2", "three? Answer: 3"]),
        ("{{{question}}} {{}}", ["{two?} {}", "{three?} {}"]),
        ("{odd}", ["a", "b"]),  # a column may be called so
    ],
)
def test_templates(text: str, texts: list[str]) -> None:
    assert rendered(QA, text) == (texts, [])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("questoin", "f: has no column 'questoin' for text; did you mean \"question\"?"),
        (
            "{questoin} {answer}",
            "f: has no column 'questoin', which the text '{questoin} {answer}' names; did you mean \"question\"?",
        ),
        ("{question", "text: '{question' has a brace without its partner; write {{ or }} for a brace itself"),
        ("question}", "text: 'question}' has a brace without its partner; write {{ or }} for a brace itself"),
        ("{{question}}", "text: '{{question}}' names no column; write one as {column}"),
        (
            "{} {answer}",
            "f: has no column '', which the text '{} {answer}' names; there is answer, question, {odd}",
        ),
        (
            "answer",
            "f: column 'answer' holds numbers in rows 1 and 2; if they are meant, write the template '{answer}'",
        ),
    ],
)
def test_templates_that_are_wrong(text: str, sentence: str) -> None:
    assert rendered(QA, text) == (None, [sentence])


@pytest.mark.parametrize(
    ("columns", "text", "sentences"),
    [
        ({"t": ["a", " ", "b", ""]}, "t", ["f: the text is empty in rows 2 and 4; fill it in or leave the rows out"]),
        ({"t": ["a", ""]}, "it: {t}", ["f: the text is empty in row 2; fill it in or leave the rows out"]),
        ({"t": ["a"] * 3}, "t", ["f: all 3 texts are the same; is 't' the right column?"]),
        (
            {"t": ["a", None, ["b"], float("nan"), {"c": 1}, b"d", 1]},
            "t",
            [
                "f: column 't' holds nothing in rows 2 and 4; fill it in or leave the rows out",
                "f: column 't' holds lists in row 3; texts are needed",
                "f: column 't' holds mappings in row 5; texts are needed",
                "f: column 't' holds values of type bytes in row 6; texts are needed",
                "f: column 't' holds numbers in row 7; if they are meant, write the template '{t}'",
            ],
        ),
        (
            {"t": ["a", None], "u": [["b"], "c"]},
            "{t} {u}",
            [
                "f: column 't' holds nothing in row 2; fill it in or leave the rows out",
                "f: column 'u' holds lists in row 1; texts are needed",
            ],
        ),
    ],
)
def test_texts_that_are_none(columns: dict[str, list[Any]], text: str, sentences: list[str]) -> None:
    assert rendered(columns, text) == (None, sentences)


def test_many_places_are_cut_short() -> None:
    assert rendered({"t": ["a"] + [""] * 8}, "t")[1] == [
        "f: the text is empty in rows 2, 3, 4, 5, 6 and 3 more; fill it in or leave the rows out"
    ]


def problems_of(folder: Path, name: str, content: str, **options: Any) -> tuple[str, ...]:
    with pytest.raises(UsageError) as error:
        file_task(write(folder / name, content), **{"text": "text", "label": "label", **options})
    return tuple(text.replace(f"{folder}/", "") for text in error.value.problems)


@pytest.mark.parametrize(
    ("content", "options", "sentences"),
    [
        (
            "text,label\na,1\nb,\nc,0\nd,NaN\n",
            {},
            (
                "a.csv: column 'label' holds no label in lines 3 and 5; "
                "fill it in, leave the rows out, or set unlabelled: true",
            ),
        ),
        (
            "text,label\na,1\nb,1.0\n",
            {},
            ("a.csv: column 'label' holds one class only ('1'); at least two are needed",),
        ),
        ("text,lable\na,1\nb,0\n", {}, ("a.csv: has no column 'label' for label; did you mean \"lable\"?",)),
        (
            "text;label\na;1\n",
            {"text": "text"},
            tuple(
                f"a.csv: has no column '{name}' for {name}; its header is one field, 'text;label': "
                "separate fields by commas"
                for name in ("text", "label")
            ),
        ),
        ("text,label\na,1\nb,0\n", {"group": "user"}, ("a.csv: has no column 'user' for group; there is label, text",)),
        (
            "text\na\nb\n",
            {"unlabelled": True},
            ("a.csv: no row has a label; test rows need one, here or in a test file",),
        ),
        (
            "text,label\n,1\na,1\n",
            {"group": "g"},
            (
                "a.csv: the text is empty in line 2; fill it in or leave the rows out",
                "a.csv: has no column 'g' for group; there is label, text",
                "a.csv: column 'label' holds one class only ('1'); at least two are needed",
            ),
        ),
    ],
)
def test_tasks_that_are_wrong(tmp_path: Path, content: str, options: Any, sentences: tuple[str, ...]) -> None:
    assert problems_of(tmp_path, "a.csv", content, **options) == sentences


def test_a_label_that_is_a_list(tmp_path: Path) -> None:
    assert problems_of(tmp_path, "a.jsonl", '{"text": "a", "label": [1]}\n{"text": "b", "label": 0}\n') == (
        "a.jsonl: column 'label' holds something other than a word or a number in line 1; a label is one value",
    )


def test_problems_of_both_files_come_together(tmp_path: Path) -> None:
    held_out = write(tmp_path / "test.csv", "text,label\nx,2\ny,\n")
    assert problems_of(tmp_path, "a.csv", "text,label\na,1\n,0\n", test=held_out) == (
        "a.csv: the text is empty in line 3; fill it in or leave the rows out",
        "test.csv: column 'label' holds no label in line 3; fill it in, leave the rows out, or set unlabelled: true",
        "test.csv: class '2' does not stand in a.csv; there is 0, 1",
    )
    assert problems_of(
        tmp_path, "main.jsonl", '{"text": "a", "label": 1}\n{"text": ""}', test=tmp_path / "tset.csv"
    ) == (
        'tset.csv: there is no such file; did you mean "test.csv" or "a.csv"?',
        "main.jsonl: the text is empty in line 2; fill it in or leave the rows out",
        "main.jsonl: column 'label' holds no label in line 2; fill it in, leave the rows out, or set unlabelled: true",
    )


def test_a_test_file_follows_the_main_file(tmp_path: Path) -> None:
    main = write(tmp_path / "a.csv", "text,label,user\na,1,u\nb,0,v\n")
    held_out = write(tmp_path / "b.jsonl", '{"text": "x", "label": true}\n{"text": "y", "label": "0"}\n')
    with pytest.raises(UsageError, match="class 'true' does not stand in"):
        file_task(main, text="text", label="label", test=held_out)
    write(held_out, '{"text": "x", "label": 1}\n{"text": "y", "label": "0", "more": [1]}\n')
    task = file_task(main, text="text", label="label", test=held_out)
    assert (list(task.inputs), list(task.labels)) == (["a", "b", "x", "y"], ["1", "0", "1", "0"])
    assert task.test == [False, False, True, True]
    assert task.columns["user"] == ["u", "v", None, None]
    assert task.columns["more"] == [None, None, None, [1]]


def test_unlabelled_rows_and_files(tmp_path: Path) -> None:
    some = write(tmp_path / "a.csv", "text,label\na,yes\nb,\nc,no\n")
    assert list(file_task(some, text="text", label="label", unlabelled=True).labels) == ["yes", None, "no"]
    none = write(tmp_path / "b.csv", "text\na\nb\n")
    held_out = write(tmp_path / "test.csv", "text,label\nx,yes\ny,no\n")
    task = file_task(none, text="text", label="label", test=held_out, unlabelled=True)
    assert (list(task.labels), task.classes) == ([None, None, "yes", "no"], ("no", "yes"))
    blank = write(tmp_path / "blank.csv", "text,label\nx,yes\ny,\nz,no\n")
    with pytest.raises(UsageError, match=r"blank\.csv: column 'label' holds no label in line 3"):
        file_task(none, text="text", label="label", test=blank, unlabelled=True)
    one = write(tmp_path / "c.csv", "text,label\nx,yes\ny,yes\n")
    with pytest.raises(UsageError, match=r"c\.csv: column 'label' holds one class only \('yes'\)"):
        file_task(none, text="text", label="label", test=one, unlabelled=True)


def test_groups_are_spelled_one_way(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "\n".join(json.dumps(row) for row in [
        {"text": "a", "label": 0, "g": 1}, {"text": "b", "label": 1, "g": 1.0}, {"text": "c", "label": 1, "g": None},
    ]))  # fmt: skip
    assert file_task(path, text="text", label="label", group="g").groups == ["1", "1", None]


def test_without_network_a_hub_name_ends_in_a_sentence_soon(tmp_path: Path) -> None:
    """A closed port stands for the missing network; a folder stands for an earlier download."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "hub" / "datasets--some--kept"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    write_to = cached / "snapshots" / commit
    write_to.mkdir(parents=True)
    write(write_to / "train.csv", "sentence,label\na,0\nb,1\n")
    script = """
from outgrow.core import UsageError
from outgrow.tasks.files import hub_commit, hub_task
for look in (lambda: hub_commit("some/name"), lambda: hub_task("some/name", "0" * 40, text="t", label="l")):
    try:
        look()
    except UsageError as error:
        print(*error.problems)
commit = hub_commit("some/kept")
task = hub_task("some/kept", commit, text="sentence", label="label")
print(commit, hub_commit("some/name", "f" * 40), list(task.inputs), list(task.labels))
try:
    hub_task("some/kept", commit, split="tset", text="sentence", label="label")
except UsageError as error:
    print(*error.problems)
"""
    environment = {
        **os.environ,
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    sentence = (
        "some/name: the hub cannot be reached and no copy is cached; go online, name a local file, "
        "or set HF_HUB_CACHE to a folder that holds it"
    )
    lines = done.stdout.splitlines()
    assert lines[:2] == [sentence, sentence]
    assert lines[2] == f"{commit} {'f' * 40} ['a', 'b'] ['0', '1']"
    assert lines[3].startswith('some/kept (tset): cannot be loaded: Unknown split "tset"')
