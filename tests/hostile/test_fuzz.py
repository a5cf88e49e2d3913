"""Files of any content: YAML trees, CSV, JSONL and Parquet tables. What is not understood is a sentence."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files.streams import chunks, writer
from outgrow.core.files.tables import read_table
from outgrow.experiment.spec.schema import Experiment
from outgrow.teaching.labels.cheap_labels import read_cheap_labels
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading

FUZZ = settings(
    max_examples=int(os.environ.get("OUTGROW_FUZZ", "8")) * 5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
GOOD = {
    "name": "x",
    "tasks": [{"name": "t", "file": "rows.csv", "text": "text", "label": "label"}],
    "weak": [{"static": "wordllama", "rows": 4}, ["static:wordllama", {"probe": "./gone"}]],
    "strong": ["static:wordllama", {"finetune": "./gone", "epochs": 1}],
    "methods": ["naive", {"confidence": {"alpha": [0.1, 0.5]}}],
    "seeds": 2,
    "split": {"weak_train": 4, "transfer": 4, "validation": 4, "test": 4},
    "metrics": ["accuracy"],
}
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("x" * 300), st.just("~nobody/x")
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=5
)  # fmt: skip
CELLS = st.one_of(
    st.none(), st.text(max_size=6), st.integers(), st.floats(), st.booleans(), st.lists(st.text(max_size=2))
)


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, part in parts for found in ((*place, name), *places(part, (*place, name)))]


def sentences(error: OutgrowError) -> None:
    for line in str(error).splitlines():
        assert "object at 0x" not in line
        assert "Traceback" not in line


@given(data=st.data())
@FUZZ
def test_experiments(tmp_path: Path, data: st.DataObject) -> None:
    whole = json.loads(json.dumps(GOOD))
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(places(whole)))
        inner = whole
        for name in place[:-1]:
            inner = inner[name]
        if isinstance(inner, dict) and data.draw(st.booleans()):
            inner[data.draw(st.text(max_size=6))] = data.draw(VALUES)
        else:
            inner[place[-1]] = data.draw(VALUES)
    (tmp_path / "rows.csv").write_text("text,label\na,x\nb,y\n")
    (tmp_path / "x.yaml").write_text(
        yaml.safe_dump(whole, allow_unicode=True), encoding="utf-8", errors="surrogatepass"
    )
    # An OSError has a sentence on the command line, which names the file and the reason.
    with contextlib.suppress(OSError):
        try:
            assert Experiment.read(tmp_path / "x.yaml").seeds
        except OutgrowError as error:
            sentences(error)


@given(text=st.text(max_size=60))
@FUZZ
def test_yaml_texts(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(UsageError) as caught:
        Experiment.read(tmp_path / "x.yaml")
    sentences(caught.value)


def read(path: Path) -> None:
    """Read a table in every way; where one reads it, its columns are as long as it is."""
    problems: list[str] = []
    found = read_table(path, problems)
    assert (found is None) == bool(problems)
    if found is not None:
        assert {len(values) for values in found.columns.values()} <= {len(found)}
        for column in list(found.columns)[:2]:
            read_cheap_labels(path, Reading.of(column), Form.of([list(found.columns)[-1]], None, None), [])
    try:
        with writer(str(path.with_name("out.jsonl")), str(path)) as append:
            for part in chunks(str(path), rows=2):
                append(part.columns)
    except OutgrowError as error:
        sentences(error)


@given(content=st.one_of(st.binary(max_size=80), st.text(alphabet='ab,"\n\r\t;=\x00é', max_size=80).map(str.encode)))
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.parquet", "a.csv.gz", "a.jsonl.gz"])
@FUZZ
def test_tables_of_any_bytes(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    read(tmp_path / name)


@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["text", "label", "", "x"]), VALUES, max_size=3), min_size=1, max_size=4
    )
)
@FUZZ
def test_jsonl_of_any_values(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    read(tmp_path / "a.jsonl")


@given(cells=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4))
@FUZZ
def test_parquet_of_any_values(tmp_path: Path, cells: list[tuple[Any, Any]]) -> None:
    try:
        table = pa.table({"text": [str(a) for a, _ in cells], "label": [b for _, b in cells]})
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return
    pq.write_table(table, tmp_path / "a.parquet")
    read(tmp_path / "a.parquet")
