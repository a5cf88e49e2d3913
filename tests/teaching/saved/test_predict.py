"""`outgrow predict`: every form in and out, in chunks, with bad input, and in little memory."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from saved_students import TEXTS, saved

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.teaching.saved.predict_files import predict_file
from outgrow.teaching.saved.saved_student import Kept, load
from outgrow.teaching.students import no_progress


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, tiny: str) -> Kept:
    folder = tmp_path_factory.mktemp("kept") / "student"
    saved(folder, tiny)
    return load(folder)


def rows(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".parquet":
        from pyarrow import parquet

        return parquet.read_table(path).to_pylist()
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        if ".jsonl" in path.name:
            return [json.loads(line) for line in file]
        return list(csv.DictReader(file))


@pytest.mark.parametrize("out", ["out.csv", "out.jsonl", "out.parquet", "out.csv.gz"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "csv.gz"])
def test_every_form_in_and_out(tmp_path: Path, kept: Kept, form: str, out: str) -> None:
    source = write(tmp_path / f"new.{form}", [{"n": place, "text": text} for place, text in enumerate(TEXTS)])
    expected = kept.student.reader("cpu")(TEXTS, no_progress)

    assert predict_file(kept, str(source), str(tmp_path / out)) == len(TEXTS)
    found = rows(tmp_path / out)

    assert list(found[0]) == ["n", "text", "label", "p_class 0", "p_class 1", "p_class 2", "margin"]
    assert [row["text"] for row in found] == TEXTS
    assert [int(row["n"]) for row in found] == list(range(len(TEXTS)))
    assert [row["label"] for row in found] == [kept.classes[place] for place in expected.argmax(axis=1)]
    probabilities = np.array([[float(row[f"p_class {place}"]) for place in range(3)] for row in found])
    np.testing.assert_allclose(probabilities, expected, rtol=1e-6)
    ordered = np.sort(expected, axis=1)
    np.testing.assert_allclose([float(row["margin"]) for row in found], ordered[:, 2] - ordered[:, 1], atol=1e-6)


def write(path: Path, table: list[dict[str, object]]) -> Path:
    if path.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(table), path)
        return path
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        if ".jsonl" in path.name:
            file.writelines(json.dumps(row) + "\n" for row in table)
        else:
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
    return path


def test_chunks_change_nothing(tmp_path: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "new.csv", [{"text": f"{TEXTS[place % 5]} {place}"} for place in range(50)])
    predict_file(kept, str(source), str(tmp_path / "whole.csv"))
    from outgrow.core.files import streams
    from outgrow.teaching.saved import predict_files as predicting

    monkeypatch.setattr(predicting, "chunks", lambda path: streams.chunks(path, 7))
    predict_file(kept, str(source), str(tmp_path / "parts.csv"))
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_columns_of_our_names_are_kept_under_another(tmp_path: Path, kept: Kept) -> None:
    source = write(tmp_path / "new.csv", [{"text": TEXTS[0], "label": "mine", "margin": "wide", "input_label": "old"}])
    predict_file(kept, str(source), str(tmp_path / "out.csv"))
    (row,) = rows(tmp_path / "out.csv")
    assert row["input_input_label"] == "mine"
    assert row["input_label"] == "old"
    assert row["input_margin"] == "wide"
    assert row["label"].startswith("class ")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("new.csv", "sentence\nhi\n", r"new\.csv: has no column 'text' for text; there is sentence"),
        ("new.csv", "txt\nhi\n", r"has no column 'text' for text; did you mean \"txt\"\?"),
        ("new.csv", "text,n\nhi,1\n,2\n", r"new\.csv: the text is empty in line 3; fill it in or leave the rows out"),
        ("new.csv", "text,n\nhi\n", "line 2: has 1 field where the header has 2; quote a field"),
        ("new.csv", 'text\n"hi\n', "line 2: is not CSV"),
        ("new.csv", "text,text\na,b\n", "the header names 'text' twice"),
        ("new.csv", "text\n", "has a header and no rows"),
        ("new.csv", "\n \n", "is empty; it needs rows"),
        ("new.jsonl", '{"text": "hi"}\nhello\n', "line 2: is not readable as JSON"),
        ("new.jsonl", '{"text": "hi"}\n{"text": 5}\n', "column 'text' holds numbers in line 2"),
        ("new.parquet", "hello", "is not a Parquet file, or a damaged one"),
        ("new.xlsx", "hello", r"there is \.csv, \.jsonl and \.parquet"),
        ("new.csv.gz", gzip.compress(b"text\nhello there\n" * 99, mtime=0)[:-20], "damaged or cut-off gzip file"),
        ("new.csv", gzip.compress(b"text\nhello there\n", mtime=0), "new.csv: is a gzip file; name it new.csv.gz"),
        ("new.csv.gz", b"text\nhello there\n", "new.csv.gz: is not a gzip file; take the .gz off its name"),
        ("new.csv", "text\nh\xe9\n".encode("latin-1"), r"is not UTF-8 \(byte 0xe9\)"),
    ],
)
def test_files_that_cannot_be_predicted(
    tmp_path: Path, kept: Kept, name: str, content: str | bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=sentence):
        predict_file(kept, str(tmp_path / name), str(tmp_path / "out.csv"))
    assert not (tmp_path / "out.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_missing_file_and_a_form_that_cannot_be_written(tmp_path: Path, kept: Kept) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        predict_file(kept, str(tmp_path / "new.csv"), "-")
    source = write(tmp_path / "new.csv", [{"text": "hi"}])
    with pytest.raises(UsageError, match=r"out\.txt: this kind of file is not known"):
        predict_file(kept, str(source), str(tmp_path / "out.txt"))


def test_rows_that_grow_a_column_do_not_fit_a_csv_file(tmp_path: Path, kept: Kept) -> None:
    lines = [{"text": "hi"}] * 4096 + [{"text": "there", "late": 1}]
    source = write(tmp_path / "new.jsonl", lines)
    with pytest.raises(OutgrowError, match=r"later rows have values that the first ones have not \(late\)"):
        predict_file(kept, str(source), str(tmp_path / "out.csv"))
    with pytest.raises(OutgrowError, match="the rows differ in their columns or types"):
        predict_file(kept, str(source), str(tmp_path / "out.parquet"))
    assert predict_file(kept, str(source), str(tmp_path / "out.jsonl")) == 4097
    assert rows(tmp_path / "out.jsonl")[-1]["late"] == 1


# Run with a limit on one thread, so that the number of cores does not show in the memory.
PREDICT = """
import resource, sys
from outgrow.cli.app import app
app(sys.argv[1:], standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
"""


def peak(folder: Path, source: Path, out: str, stdin: bytes | None = None) -> tuple[int, bytes]:
    """Peak resident memory of a prediction in MiB, and its stdout."""
    ran = subprocess.run(
        [sys.executable, "-c", PREDICT, "predict", str(folder), str(source), "-o", out, "--threads", "1"],
        input=stdin,
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return int(ran.stderr.split()[-1]), ran.stdout


@pytest.mark.slow
def test_a_file_of_200_000_rows_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    saved(tmp_path / "student", "static:wordllama")
    long, short = tmp_path / "long.csv", tmp_path / "short.csv"
    for path, count in ((long, 200_000), (short, 5_000)):
        with path.open("w") as file:
            file.write("text,number\n")
            file.writelines(f'"{TEXTS[place % 4]}",{place}\n' for place in range(count))
    little, _ = peak(tmp_path / "student", short, str(tmp_path / "short_out.csv"))
    much, _ = peak(tmp_path / "student", long, str(tmp_path / "long_out.csv"))
    # All features of the long file at once would be 205 MB, its rows as Python values about 60 MB more.
    assert much < little + 80
    with (tmp_path / "long_out.csv").open() as file:
        assert sum(1 for _ in file) == 200_001


def test_from_stdin_to_stdout(tmp_path: Path, tiny: str) -> None:
    saved(tmp_path / "student", tiny)
    source = write(tmp_path / "new.jsonl", [{"text": text} for text in TEXTS])
    predict_file(load(tmp_path / "student"), str(source), str(tmp_path / "out.jsonl"))
    _, stdout = peak(tmp_path / "student", Path("-"), "-", source.read_bytes())
    assert stdout == (tmp_path / "out.jsonl").read_bytes()

    source = write(tmp_path / "new.csv", [{"text": text} for text in TEXTS])
    predict_file(load(tmp_path / "student"), str(source), str(tmp_path / "out.csv"))
    _, stdout = peak(tmp_path / "student", Path("-"), "-", gzip.compress(source.read_bytes()))
    assert stdout == (tmp_path / "out.csv").read_bytes()
