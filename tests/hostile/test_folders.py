"""Run folders and students that were damaged or edited, byte by byte and field by field: a sentence, never a number."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile import held, outgrow, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from outgrow.core.files.sums import SUMS
from outgrow.teaching.saved.sealed import sealed

READERS = [["show"], ["show", "--metric", "brier"], ["show", "--csv"], ["show", "--json"], ["compare"]]
EXAMPLES = int(os.environ.get("OUTGROW_FUZZ", "8"))  # of each property
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


def copy(made: Path, name: str, tmp_path: Path) -> Path:
    shutil.rmtree(tmp_path / name, ignore_errors=True)
    shutil.copytree(made / name, tmp_path / name)
    return tmp_path / name


def fields(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every part of a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*place, name)
        yield from fields(part, (*place, name))


def changed(value: Any, place: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    whole = json.loads(json.dumps(value))
    inner = whole
    for name in place[:-1]:
        inner = inner[name]
    change(inner, place[-1])
    return whole


def all_read(folder: Path) -> None:
    for words in READERS:
        held(outgrow(words[0], folder, *words[1:]))


def test_a_whole_run_folder_is_read(made: Path, tmp_path: Path) -> None:
    for name in ("run", "bare"):
        for words in READERS:
            assert outgrow(words[0], made / name, *words[1:]).code == 0


@given(data=st.data())
@FUZZ
def test_no_byte_of_a_run_folder_changes_unnoticed(made: Path, tmp_path: Path, data: st.DataObject) -> None:
    folder = copy(made, "run", tmp_path)
    file = folder / data.draw(st.sampled_from(["examples.parquet", "predictions.parquet", "results.json"]))
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    refused(outgrow("compare", folder), "run the same experiment again")


@given(data=st.data())
@FUZZ
def test_no_bytes_of_a_run_folder_without_checksums_end_in_a_traceback(
    made: Path, tmp_path: Path, data: st.DataObject
) -> None:
    folder = copy(made, "bare", tmp_path)
    file = folder / data.draw(st.sampled_from(["examples.parquet", "predictions.parquet", "results.json"]))
    content = bytearray(file.read_bytes())
    begin = data.draw(st.integers(0, len(content) - 1))
    content[begin : begin + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
    file.write_bytes(content)
    held(outgrow("compare", folder))


@given(data=st.data())
@FUZZ
def test_no_field_of_results_json_ends_in_a_traceback(made: Path, tmp_path: Path, data: st.DataObject) -> None:
    folder = copy(made, "bare", tmp_path)
    content = json.loads((folder / "results.json").read_text())
    place = data.draw(st.sampled_from(list(fields(content))))
    if data.draw(st.booleans()):
        content = changed(content, place, lambda inner, name: inner.pop(name))
    else:
        odd = data.draw(ODD)
        content = changed(content, place, lambda inner, name: inner.__setitem__(name, odd))
    (folder / "results.json").write_text(json.dumps(content))
    all_read(folder)


def set_column(folder: Path, file: str, name: str, values: Any) -> None:
    table = pq.read_table(folder / file)
    place = table.column_names.index(name)
    pq.write_table(table.set_column(place, name, values(table)), folder / file)


def drop_column(folder: Path, file: str, name: str) -> None:
    pq.write_table(pq.read_table(folder / file).drop_columns([name]), folder / file)


def results(folder: Path, place: tuple[Any, ...], value: Any) -> None:
    content = json.loads((folder / "results.json").read_text())
    content = changed(content, place, lambda inner, name: inner.__setitem__(name, value))
    (folder / "results.json").write_text(json.dumps(content))


E, P = "examples.parquet", "predictions.parquet"
RUNS: list[tuple[str, Callable[[Path], Any], str]] = [
    ("truth -1", lambda f: set_column(f, E, "truth", lambda t: pa.array([-1] * len(t), pa.int32())), "not among its classes"),
    ("truth 7", lambda f: set_column(f, E, "truth", lambda t: pa.array([7] * len(t), pa.int32())), "not among its classes"),
    ("truth turned", lambda f: set_column(f, E, "truth", lambda t: pa.array(1 - t["truth"].to_numpy())), "not the one counted"),
    ("sums of 3", lambda f: set_column(f, P, "probabilities", lambda t: pa.array([[1.5, 1.5]] * len(t))), "probabilities of"),
    ("NaN", lambda f: set_column(f, P, "probabilities", lambda t: pa.array([[np.nan, 1.0]] * len(t))), "probabilities of"),
    ("three classes", lambda f: set_column(f, P, "probabilities", lambda t: pa.array([[0.2, 0.3, 0.5]] * len(t))), "damaged"),
    ("turned", lambda f: set_column(f, P, "probabilities", lambda t: pa.array([[0.9, 0.1]] * len(t))), "does not have"),
    ("text", lambda f: set_column(f, P, "probabilities", lambda t: pa.array(["x"] * len(t))), "as it was written"),
    ("other ids", lambda f: set_column(f, P, "id", lambda t: pa.array(["x"] * len(t))), "as it was written"),
    ("no ids", lambda f: drop_column(f, P, "id"), "damaged"),
    ("no truth", lambda f: drop_column(f, E, "truth"), "damaged"),
    ("rows added", lambda f: pq.write_table(pa.concat_tables([pq.read_table(f / E)] * 2), f / E), "as it was written"),
    ("no rows", lambda f: pq.write_table(pq.read_table(f / E).slice(0, 0), f / E), "as it was written"),
    ("no Parquet", lambda f: (f / P).write_bytes(b"PAR1 no"), "damaged"),
    ("an accuracy", lambda f: results(f, ("runs", 0, "student_accuracy"), 0.99), "not the one counted"),
    ("an accuracy of 2", lambda f: results(f, ("runs", 0, "student_accuracy"), 2), "runs.0.student_accuracy"),
    ("another schema", lambda f: results(f, ("schema",), 99), "schema"),
    ("a schema of text", lambda f: results(f, ("schema",), "1"), "schema"),
    ("no cells", lambda f: results(f, ("cells",), None), "cells"),
    ("a cell that is a list", lambda f: results(f, ("cells", 0), []), "cells.0"),
    ("a method that is nothing", lambda f: results(f, ("runs", 0, "method"), {}), "runs.0.method"),
    ("NaN in JSON", lambda f: (f / "results.json").write_text('{"schema": NaN}'), "NaN"),
    ("deep JSON", lambda f: (f / "results.json").write_text("[" * 10_000), "deep"),
    ("a key twice", lambda f: (f / "results.json").write_text('{"schema": 1, "schema": 1}'), "twice"),
    ("not UTF-8", lambda f: (f / "results.json").write_bytes(b"\xff\xfe{}"), "UTF-8"),
    ("a list", lambda f: (f / "results.json").write_text("[]"), "schema"),
    ("nothing", lambda f: (f / "results.json").unlink(), "is not a run folder"),
    ("no examples", lambda f: (f / E).unlink(), "is not a run folder"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), [case[1:] for case in RUNS], ids=[case[0] for case in RUNS])
def test_run_folders_that_are_none(made: Path, tmp_path: Path, change: Callable[[Path], Any], sentence: str) -> None:
    bare = copy(made, "bare", tmp_path)
    change(bare)
    refused(outgrow("compare", bare), sentence)
    all_read(bare)


def test_damaged_checksums(made: Path, tmp_path: Path) -> None:
    for text in ("x", "0" * 64 + "  results.json\n", "\ud800"):
        folder = copy(made, "run", tmp_path)
        (folder / SUMS).write_text(text, errors="surrogatepass")
        refused(outgrow("show", folder), SUMS if len(text) < 50 else "results.json was changed")


def test_a_whole_student_predicts(made: Path, tmp_path: Path) -> None:
    student = copy(made, "student", tmp_path)
    (student / "README.md").write_text("A card that was completed.")
    (student / "LICENSE").write_text("mine")
    ended = held(outgrow("predict", student, made / "rows.csv", "-o", tmp_path / "out.csv"))
    assert ended.code == 0
    assert (tmp_path / "out.csv").read_text().startswith("text,label,p_class 0")


@given(data=st.data())
@FUZZ
def test_no_byte_of_a_student_changes_unnoticed(made: Path, tmp_path: Path, data: st.DataObject) -> None:
    student = copy(made, "student", tmp_path)
    files = sorted(path for path in student.rglob("*") if path.is_file() and path.name != "README.md")
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    refused(outgrow("predict", student, made / "rows.csv", "-o", tmp_path / "out.csv"), "student")
    assert not (tmp_path / "out.csv").exists()


@given(data=st.data())
@FUZZ
def test_no_field_of_student_json_ends_in_a_traceback(made: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Also where the checksums were computed again after the edit."""
    student = copy(made, "student", tmp_path)
    about = json.loads((student / "student.json").read_text())
    place = data.draw(st.sampled_from([one for one in fields(about) if one[0] not in ("files", "checksum")]))
    odd = data.draw(ODD.filter(lambda value: not isinstance(value, float) or np.isfinite(value)))
    edited = changed(about, place, lambda inner, name: inner.__setitem__(name, odd))
    (student / "student.json").write_text(json.dumps(edited))
    if edited != about:
        refused(outgrow("predict", student, made / "rows.csv", "-o", tmp_path / "out.csv"), "student")
    (student / "student.json").write_text(json.dumps(sealed(student, edited)))
    held(outgrow("predict", student, made / "rows.csv", "-o", tmp_path / "out.csv"))


def head(student: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    (path,) = student.glob("*_Dense/model.safetensors")
    save_file({name: change(values) for name, values in load_file(path).items()}, path)


STUDENTS: list[tuple[str, Callable[[Path], Any], str]] = [
    ("NaN", lambda s: head(s, lambda values: values * np.float32("nan")), "cannot be read"),
    ("infinity", lambda s: head(s, lambda values: values + np.float32("inf")), "cannot be read"),
    ("fewer classes", lambda s: head(s, lambda values: values[:1]), "does not fit"),
    ("other names", lambda s: save_file({"x": np.ones(2, np.float32)}, next(s.glob("*_Dense/model.safetensors"))), "cannot be"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), [case[1:] for case in STUDENTS], ids=[case[0] for case in STUDENTS])
def test_heads_that_are_none_are_refused_with_new_checksums(
    made: Path, tmp_path: Path, change: Callable[[Path], Any], sentence: str
) -> None:
    student = copy(made, "student", tmp_path)
    change(student)
    refused(outgrow("predict", student, made / "rows.csv", "-o", tmp_path / "o.csv"), "was changed after")
    about = json.loads((student / "student.json").read_text())
    (student / "student.json").write_text(json.dumps(sealed(student, about)))
    refused(outgrow("predict", student, made / "rows.csv", "-o", tmp_path / "o.csv"), sentence)


@pytest.mark.parametrize(
    "name", ["0_StaticEmbedding/x.json", "model.safetensors", "pickle.bin", "0_StaticEmbedding/a.jinja"]
)
def test_a_file_more_than_there_were(made: Path, tmp_path: Path, name: str) -> None:
    student = copy(made, "student", tmp_path)
    (student / name).write_bytes(b"{}")
    refused(
        outgrow("predict", student, made / "rows.csv", "-o", tmp_path / "o.csv"), "is not one of the student's files"
    )
