"""Tables from other programs: what they mean is read, what they do not mean is a sentence, and nothing is lost."""

import datetime
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import class_name, sorted_classes
from outgrow.core.files.columns.label_checks import abstention_faults, label_faults
from outgrow.core.files.json_file import NotJsonError, parse_json
from outgrow.core.files.spreadsheet import harmless
from outgrow.core.files.streams import chunks, writer
from outgrow.core.files.tables import Table, read_table

JSON = [
    ('{"a": 1, "a": 2}', "twice"), ("[NaN]", "NaN"), ("Infinity", "Infinity"), ('"\\ud800"', "surrogate"),
    ('{"\\udfff": 1}', "surrogate"), ("[" * 5000 + "]" * 5000, "deep"), ("[" * 101 + "]" * 101, "deep"),
    ('{"a":' * 101 + "1" + "}" * 101, "deep"), ("9" * 5000, "digits"), ("{", "column 2"), ("", "column 1"),
    ("[1,]", "column"), ("'a'", "column"), ("01", "column"), ("\x00", "column"), ('"\x01"', "control character"),
]  # fmt: skip
FILES = [
    ("a.csv", "text,text\na,b\n", "names 'text' twice"), ("a.csv", "text\n", "a header and no rows"),
    ("a.csv", 'text\n"a\n', "a quote may be missing"), ("a.csv", "text,label\na\n", "1 field where the header has 2"),
    ("a.jsonl", '{"text": "\\ud800"}\n', "surrogate"), ("a.jsonl", '{"text": "a", "text": "b"}\n', "twice"),
    ("a.jsonl", '{"a": ' * 500 + "1" + "}" * 500, "deep"), ("a.json", '{"1": {"text": "a"}, "2": {"text": "b"}}', "a row each"),
    ("a.json", '{"text": {"0": "a"}, "label": {"0": 1}}', "orient='records'"),
    ("a.json", '{\n "text": ["a"],\n "label": [1]\n}', "one JSON object over several lines"),
    ("a.json", '[{"text": "a"}]', "one JSON array"), ("a.jsonl", "", "is empty"), ("a.jsonl", "{}\n", "hold no values"),
    ("a.csv", f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5\n", "Git LFS pointer"),
    ("a.parquet", "PAR1", "damaged Parquet"), ("a.parquet", "text\na\n", "is not a Parquet file"),
]  # fmt: skip
NAMES = [
    ("nan", "nan"), ("NaN", "NaN"), ("NA", "NA"), ("N/A", "N/A"), ("None", "None"), ("null", "null"), ("", None),
    ("  ", None), (None, None), (float("nan"), None), ("+1", "1"), ("1.0", "1"), (1.0, "1"), ("01", "01"), ("-0", "0"),
    ("-1.0", "-1"), ("1e3", "1e3"), ("9" * 5000, "9" * 5000), (10**400, str(10**400)), (float("inf"), "inf"),
    (True, "true"), ("TRUE", "true"), ("²", "²"), ("--5", "--5"),
]  # fmt: skip
FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "=", "-x", "+x"]


@pytest.mark.parametrize(("text", "reason"), JSON)
def test_what_is_not_json(text: str, reason: str) -> None:
    with pytest.raises(NotJsonError, match=reason):
        parse_json(text)


@pytest.mark.parametrize(
    "text", ["[" * 100 + "]" * 100, '"\\ud83d\\ude00"', '{"a": [1, 2.5, null, true]}', '"[[["', "1e5"]
)
def test_what_is_json(text: str) -> None:
    assert parse_json(text) == json.loads(text)


@pytest.mark.parametrize(("name", "content", "sentence"), FILES)
def test_files_that_are_no_tables(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8", errors="surrogatepass")
    problems: list[str] = []
    assert read_table(tmp_path / name, problems) is None
    assert sentence in "\n".join(problems)


@pytest.mark.parametrize(("value", "name"), NAMES)
def test_class_names(value: Any, name: str | None) -> None:
    assert class_name(value) == name


def test_long_numbers_are_sorted_as_text() -> None:
    assert sorted_classes(["9" * 5000, "1"]) == ("1", "9" * 5000)


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-1", "+1", "-1.5", "+1e5", "-5%", "a=1", "", "'=1", "1-2"])
def test_what_is_no_formula(text: str) -> None:
    assert harmless(text) == text


def table(*labels: str | None) -> Table:
    return Table("x.csv", {"label": labels}, range(2, 2 + len(labels)))


LABELS: list[tuple[str, list[str | None], int | None, str]] = [
    ("scores", [f"0.{n:04}" for n in range(400)], None, "scores, not classes"),
    ("scores with repeats", [f"0.{n % 40:02}" for n in range(400)], None, "scores, not classes"),
    ("a class per row", [f"c{n}" for n in range(100)], None, "fewer than two rows a class"),
    ("moves", [f"e2e{n % 8 + 1} a{n % 7 + 1}h{n % 8 + 1}q" for n in range(56)], None, "they look like chess moves"),
    (
        "texts",
        [f"an answer of number {n}" for n in range(100)],
        None,
        "they look like free text, such as 'an answer of",
    ),
    ("ids", [str(n) for n in range(1000)], None, "they look like ids, counts or ratings, such as '0'"),
    ("a thousand classes", [f"c{n % 1000}" for n in range(9000)], None, "200 classes are allowed"),
    ("more than asked for", [f"c{n % 50}" for n in range(900)], 40, "40 classes are allowed"),
    ("lists", ["['food', 'staff']", "['food']", "['staff']"], None, "lists written as text"),
    ("JSON lists", ['["a", "b"]', '["a"]'], None, "lists written as text"),
    ("tuples", ["('a', 'b')", "('a',)"], None, "lists written as text"),
    ("half stars", [str(n / 2) for n in range(2, 11)] * 9, None, ""),
    ("many classes, asked for", [f"c{n % 300}" for n in range(900)], 300, ""),
    ("one row a class, asked for", [f"c{n}" for n in range(100)], 100, ""),
    ("77 intents", [f"c{n % 77}" for n in range(900)], None, ""),
    ("few rows", ["a", "b", "c"], None, ""),
    ("joined by pipes", ["food|staff", "food", "staff"], None, ""),
    ("blank cells", ["a", None, "b", None], None, ""),
]


def test_one_answer_of_a_pair_is_no_label() -> None:
    pairs = table(*(f"text {n}" for n in range(300)))
    both = replace(pairs, columns={"rejected": pairs.columns["label"], "chosen": pairs.columns["label"]})
    [found] = label_faults(both, "rejected", [f"text {n}" for n in range(300)])
    assert (
        "they look like one answer of a pair: for preferences name both columns with `chosen` and `rejected`" in found
    )


CHEAP: list[tuple[list[str | None], str]] = [
    (["0", "1", "-1"], "'-1' in line 4"), (["0", "1", "2", "-1", "-1"], "'-1' in lines 5 and 6"),
    (["spam", "ham", "ABSTAIN"], "'ABSTAIN' in line 4"), (["a", "abstain", "b"], "'abstain' in line 3"),
    (["-1", "1"], ""), (["-1", "a", "0"], ""), (["-2", "-1", "0"], ""), (["a", None], ""),
]  # fmt: skip


@pytest.mark.parametrize(("names", "most", "sentence"), [case[1:] for case in LABELS], ids=[case[0] for case in LABELS])
def test_columns_that_are_no_labels(names: list[str | None], most: int | None, sentence: str) -> None:
    found = "\n".join(label_faults(table(*names), "label", names, most))
    assert sentence in found
    assert bool(found) == bool(sentence)


@pytest.mark.parametrize(("names", "sentence"), CHEAP)
def test_marks_of_no_label(names: list[str | None], sentence: str) -> None:
    found = "\n".join(abstention_faults(table(*names), "label", names))
    assert sentence in found
    assert bool(found) == bool(sentence)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (",text,label", ["unnamed_1", "text", "label"]),
        (",Unnamed: 0,text,label", ["unnamed_1", "Unnamed: 0", "text", "label"]),
        ("text,label,,", ["text", "label", "unnamed_3", "unnamed_4"]),
        ("unnamed_2,", ["unnamed_2", "unnamed_2_"]),
        (" ,text", ["unnamed_1", "text"]),
    ],
)
def test_blank_headers(tmp_path: Path, header: str, names: list[str]) -> None:
    (tmp_path / "a.csv").write_text(f"\ufeff{header}\n{','.join('abcd'[: len(names)])}\n")
    problems: list[str] = []
    found = read_table(tmp_path / "a.csv", problems)
    assert not problems
    assert found is not None
    assert list(found.columns) == names
    assert [list(part.columns) for part in chunks(str(tmp_path / "a.csv"))] == [names]


FAR = pa.array([9_500_000_000_000], pa.timestamp("s"))  # the year 303,000
KEPT = {
    "a null first": pa.array([None, "x"]),
    "a far date": pa.concat_arrays([FAR, FAR]),
    "a duration": pa.array([datetime.timedelta(1), None], pa.duration("ns")),
    "large": pa.array([2**64 - 1, 0], pa.uint64()),
    "small": pa.array([1, 2], pa.int8()),
    "growing": pa.array([Decimal("1.5"), Decimal("123456789.25")], pa.decimal128(20, 2)),
    "a map": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
    "empty lists": pa.array([[], [1]], pa.list_(pa.int64())),
    "a struct": pa.array([{"a": 1}, None]),
    "bytes": pa.array([b"\xff", b""]),
    "words": pa.array(["a", "b"]).dictionary_encode(),
}


@pytest.mark.parametrize("name", list(KEPT))
def test_parquet_keeps_its_types(tmp_path: Path, name: str) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], name: KEPT[name]}), tmp_path / "in.parquet")
    for ending in ("parquet", "jsonl", "csv"):
        with writer(str(tmp_path / f"out.{ending}"), "in.parquet") as append:
            for part in chunks(str(tmp_path / "in.parquet"), rows=1):
                assert list(part.columns["text"]) in (["a"], ["b"])
                append(part.columns)
        assert read_table(tmp_path / f"out.{ending}", []) is not None
    assert pq.read_table(tmp_path / "out.parquet")[name].combine_chunks().cast(KEPT[name].type).equals(KEPT[name])


def test_a_column_that_python_cannot_hold_stops_nobody_who_does_not_read_it(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "when": FAR, "label": ["x"]}), tmp_path / "in.parquet")
    problems: list[str] = []
    found = read_table(tmp_path / "in.parquet", problems)
    assert found is not None
    assert found.names("label", "label", problems) == ["x"]
    assert problems == []


def test_a_name_twice_in_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["text", "text"]), tmp_path / "a.parquet")
    problems: list[str] = []
    assert read_table(tmp_path / "a.parquet", problems) is None
    assert "names the column 'text' twice" in problems[0]
    with pytest.raises(UsageError, match="names the column 'text' twice"):
        list(chunks(str(tmp_path / "a.parquet")))


def test_nan_is_no_json(tmp_path: Path) -> None:
    with writer(str(tmp_path / "a.jsonl"), "x.csv") as append:
        append({"a": [float("nan"), float("inf"), 1.5], "b": [[float("nan")], {"c": float("-inf")}, None]})
    rows = [parse_json(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert rows == [{"a": None, "b": [None]}, {"a": None, "b": {"c": None}}, {"a": 1.5, "b": None}]


def test_only_the_label_of_a_prediction_is_made_harmless(tmp_path: Path) -> None:
    for name, names, label in (("a.csv", ("label",), "'=x"), ("b.csv", (), "=x")):
        with writer(str(tmp_path / name), "x.csv", names) as append:
            append({"text": ["=1+1"], "label": ["=x"]})
        assert (tmp_path / name).read_text() == f"text,label\n=1+1,{label}\n"


def test_later_columns_of_other_types_have_a_sentence(tmp_path: Path) -> None:
    def write() -> None:
        with writer(str(tmp_path / "a.parquet"), "x.jsonl") as append:
            append({"a": [1]})
            append({"a": ["x"]})

    with pytest.raises(OutgrowError, match="write JSONL"):
        write()
    assert not (tmp_path / "a.parquet").exists()
