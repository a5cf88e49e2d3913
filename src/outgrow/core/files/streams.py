"""Tables that are larger than memory: read a chunk at a time, written a chunk at a time, by files' names or `-`."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import sys
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files import disk
from outgrow.core.files.columns.parquet_columns import columns as parquet_columns
from outgrow.core.files.json_file import NotJsonError, parse_json
from outgrow.core.files.spreadsheet import harmless
from outgrow.core.files.tables import Table, named, packing_fault, table_format

ROWS = 4096  # a chunk: enough to sort by length in, small beside any model
STDIN = "-"


def chunks(path: str, rows: int = ROWS) -> Iterator[Table]:
    """The tables of consecutive rows of a CSV, JSONL or Parquet file, each also gzipped; `-` reads CSV or JSONL.

    Raises UsageError with the place of what cannot be read.
    """
    name = "stdin" if path == STDIN else path
    try:
        if path == STDIN:
            yield from _text_chunks(name, _unpacked(sys.stdin.buffer), None, rows)
        elif table_format(Path(path)).startswith("parquet"):
            yield from _parquet_chunks(path, rows)
        else:
            kind = table_format(Path(path))
            with Path(path).open("rb") as file:
                if fault := packing_fault(Path(path), file.peek(2)[:2]):
                    raise UsageError(f"{path}{fault}")
                yield from _text_chunks(name, _unpacked(file), kind.split(".")[0], rows)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: is not UTF-8 (byte 0x{error.object[error.start]:02x}); save it as UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UsageError(f"{name}: is a damaged or cut-off gzip file; copy it again") from None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}") from error


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    buffered: Any = file if hasattr(file, "peek") else io.BufferedReader(file)
    packed = buffered.peek(2)[:2] == b"\x1f\x8b"
    return gzip.GzipFile(fileobj=buffered) if packed else buffered  # type: ignore[return-value]


def _text_chunks(name: str, file: IO[bytes], kind: str | None, rows: int) -> Iterator[Table]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        lines, head = iter(text), [""]
        while not head[-1].strip():
            if not (line := next(lines, "")):
                raise UsageError(f"{name}: is empty; it needs rows")
            head.append(line)
        if kind is None:
            kind = "jsonl" if head[-1].lstrip().startswith("{") else "csv"
        yield from (_jsonl_chunks if kind == "jsonl" else _csv_chunks)(name, chain(head[1:], lines), rows)
    finally:
        text.detach()  # the file is its opener's to close


def _csv_chunks(name: str, lines: Iterator[str], rows: int) -> Iterator[Table]:
    reader = csv.reader(lines, strict=True)
    header: list[str] = []
    kept: list[list[str]] = []
    places: list[int] = []
    begin, any_row = 1, False
    try:
        for row in _any_length(reader):
            if row and not header:
                header = named(row)
                for column in header:
                    if header.count(column) > 1:
                        raise UsageError(f"{name}: the header names {column!r} twice; rename one")
            elif row:
                if len(row) != len(header):
                    found = f"{len(row)} field{'' if len(row) == 1 else 's'} where the header has {len(header)}"
                    raise UsageError(f"{name}, line {begin}: has {found}; quote a field that holds a comma")
                kept.append(row)
                places.append(begin)
            begin = reader.line_num + 1
            if len(kept) == rows:
                yield _table(name, header, kept, places)
                kept, places, any_row = [], [], True
    except csv.Error as error:
        raise UsageError(
            f"{name}, line {begin}: is not CSV ({error}); a quote may be missing or not doubled"
        ) from error
    if kept:
        yield _table(name, header, kept, places)
    elif not any_row:
        raise UsageError(f"{name}: has a header and no rows")


def _any_length(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows of a CSV reader, whose own limit for a field is less than a long document; for all others it stays."""
    while True:
        limit = csv.field_size_limit(sys.maxsize)
        try:
            row = next(reader, None)
        finally:
            csv.field_size_limit(limit)
        if row is None:
            return
        yield row


def _table(name: str, header: Sequence[str], rows: Sequence[Sequence[str]], places: Sequence[int]) -> Table:
    return Table(name, dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)), places)


def _jsonl_chunks(name: str, lines: Iterator[str], rows: int) -> Iterator[Table]:
    kept: list[dict[str, Any]] = []
    places: list[int] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line, nan=True)
        except NotJsonError as error:
            raise UsageError(
                f"{name}, line {number}: is not readable as JSON ({error}); write one object a line"
            ) from None
        if not isinstance(row, dict):
            raise UsageError(f"{name}, line {number}: is not a JSON object; write one object a line")
        kept.append(row)
        places.append(number)
        if len(kept) == rows:
            yield _objects(name, kept, places)
            kept, places = [], []
    if kept:
        yield _objects(name, kept, places)


def _objects(name: str, rows: Sequence[Mapping[str, Any]], places: Sequence[int]) -> Table:
    keys = dict.fromkeys(key for row in rows for key in row)
    return Table(name, {key: [row.get(key) for row in rows] for key in keys}, places)


def _parquet_chunks(path: str, rows: int) -> Iterator[Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.endswith(".gz"):
        raise UsageError(f"{path}: a gzipped Parquet file cannot be read in parts; gunzip it, it is compressed inside")
    done = 0
    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows == 0:
                raise UsageError(f"{path}: has columns and no rows")
            for batch in file.iter_batches(batch_size=rows):
                found = parquet_columns(path, batch.schema.names, batch.columns)
                yield Table(path, found, range(done + 1, done + 1 + batch.num_rows), unit="row")
                done += batch.num_rows
    except pa.ArrowException as error:
        raise UsageError(f"{path}: is not a Parquet file, or a damaged one; copy it again") from error


Columns = Mapping[str, Sequence[Any]]


@contextmanager
def writer(path: str, like: str, names: Collection[str] = ()) -> Iterator[Callable[[Columns], None]]:
    """A function that appends columns to a file, which appears when all is written; `-`: stdout, at once.

    stdout gets JSONL where `like`, what is read, is JSONL, else CSV. names: columns of names, in which a CSV file gets
    no text that a spreadsheet takes for a formula.
    """
    if path == STDIN:
        jsonl = _starts_an_object() if like == STDIN else table_format(Path(like)).startswith("jsonl")
        yield _appender("jsonl" if jsonl else "csv", sys.stdout, names)
        sys.stdout.flush()
        return
    target = Path(path).absolute()
    kind = table_format(target)
    with (
        disk.sentences(target, "the predictions", "-o"),
        disk.replacing(target) as beside,
        _opened(beside, kind, names) as append,
    ):
        yield append


def _starts_an_object() -> bool:
    """Whether stdin looks like JSONL; nothing of it is consumed."""
    stdin: Any = sys.stdin.buffer
    return bool(stdin.peek(64).lstrip().startswith(b"{"))


def _opened(path: Path, kind: str, names: Collection[str]) -> AbstractContextManager[Callable[[Columns], None]]:
    return _parquet_writer(path) if kind.startswith("parquet") else _text_writer(path, kind, names)


@contextmanager
def _text_writer(path: Path, kind: str, names: Collection[str]) -> Iterator[Callable[[Columns], None]]:
    opener: Any = gzip.open if kind.endswith(".gz") else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        yield _appender(kind.split(".")[0], file, names)


def _appender(kind: str, file: Any, names: Collection[str]) -> Callable[[Columns], None]:
    header: list[str] = []
    rows = csv.writer(file, lineterminator="\n")

    def append(columns: Columns) -> None:
        if kind == "jsonl":
            for values in zip(*columns.values(), strict=True):
                file.write(_json(dict(zip(columns, values, strict=True))) + "\n")
            return
        if not header:
            header.extend(columns)
            rows.writerow(header)
        if set(columns) - set(header):
            more = sorted(set(columns) - set(header))
            raise OutgrowError(
                f"later rows have values that the first ones have not ({', '.join(more)}), and a CSV file has one header: "
                "write JSONL, with -o out.jsonl"
            )
        empty = [None] * len(next(iter(columns.values())))
        rows.writerows(
            [harmless(value) if name in names else _cell(value) for name, value in zip(header, values, strict=True)]
            for values in zip(*(columns.get(name, empty) for name in header), strict=True)
        )

    return append


def _json(value: Any) -> str:
    """The JSON text of a value; NaN and infinity, which JSON does not have, as null."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=str)


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {name: _finite(part) for name, part in value.items()}
        case list() | tuple():
            return [_finite(part) for part in value]
    return value


def _cell(value: Any) -> Any:
    return _json(value) if isinstance(value, list | dict | bool) else value


@contextmanager
def _parquet_writer(path: Path) -> Iterator[Callable[[Columns], None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    made: list[Any] = []

    def append(columns: Columns) -> None:
        try:
            arrays = {name: getattr(values, "array", values) for name, values in columns.items()}
            table = pa.table(arrays, schema=made[0].schema if made else None)
            if table.num_columns < len(columns):
                raise KeyError(*(set(columns) - set(table.column_names)))
        except (pa.ArrowException, KeyError) as error:
            raise OutgrowError(
                f"the rows differ in their columns or types ({' '.join(str(error).split())[:150]}): write JSONL, with "
                "-o out.jsonl"
            ) from error
        if not made:
            made.append(pq.ParquetWriter(path, table.schema, compression="zstd"))
        made[0].write_table(table)

    try:
        yield append
    finally:
        for one in made:
            one.close()
