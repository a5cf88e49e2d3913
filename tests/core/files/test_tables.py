"""Files as they come: what is read, and one exact sentence for everything that is wrong."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from written_tables import write

from outgrow.core.files.tables import Table, read_table, table_format
from outgrow.core.inputs.input_type import TEXT, read_rows
from outgrow.tasks.files import file_task

ROWS: dict[str, list[Any]] = {"text": ["good", "bad, very", 'so "so"\nla'], "label": [1, 0, 1]}


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
                "a.jsonl, line 3: is not a JSON object; write one object a line, with named values",
                "a.jsonl, line 4: is not JSON (half of a surrogate pair, which is not a character); write one object a line",
                "a.jsonl, line 5: is not a JSON object; write one object a line, with named values",
            ],
        ),
        (
            "a.jsonl",
            "1\n" * 8,
            [
                f"a.jsonl, line {n}: is not a JSON object; write one object a line, with named values"
                for n in range(1, 6)
            ]
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
    assert said(path, tmp_path) == ["a.jsonl, line 1: is not JSON (nested more than 100 deep); write one object a line"]


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
    found = read_rows(TEXT, read, {"text": text}, [None] * len(read), problems)
    return (None if found is None or problems else list(found.values)), problems


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
