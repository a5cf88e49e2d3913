"""Tables from CSV, JSONL and Parquet files, each also gzipped, with an exact place for whatever is wrong in them."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import class_name
from outgrow.core.files.columns.parquet_columns import columns as parquet_columns
from outgrow.core.files.json_file import NotJsonError, parse_json
from outgrow.core.registry import nearest

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
LFS_POINTER = b"version https://git-lfs.github.com/spec/"  # how a Git LFS pointer begins
SHOWN = 5  # places that one sentence names


@dataclass(frozen=True)
class Table:
    """Named columns of equal length, and where each row stands in the file."""

    name: str  # what sentences call it: the path as the user wrote it
    columns: Mapping[str, Sequence[Any]]  # Python values; a CSV file has strings only
    places: Sequence[int]  # [rows] line of a text file, else number of the row, from 1
    unit: str = "line"

    def __len__(self) -> int:
        return len(self.places)

    def where(self, rows: Sequence[int]) -> str:
        """Positions as people find them: `lines 3, 9 and 14`, `row 2`, `lines 1, 2, 3, 4, 5 and 20 more`."""
        return _listed(self.unit, [self.places[row] for row in rows])

    def has(self, column: str, role: str, problems: list[str]) -> bool:
        """Whether there is such a column; if not, a sentence with the nearest names goes to `problems`."""
        if column in self.columns:
            return True
        (header, *others) = self.columns
        if not others and any(mark in header for mark in ";\t|"):
            there = f"; its header is one field, {header!r}: separate fields by commas"
        else:
            there = nearest(column, self.columns)
        problems.append(f"{self.name}: has no column {column!r} for {role}{there}")
        return False

    def words(self, columns: Iterable[str], problems: list[str]) -> bool:
        """Whether these columns, where there are such, hold words and numbers alone; what they hold else is a problem."""
        before = len(problems)
        for column in dict.fromkeys(columns):
            if column in self.columns:
                self.names(column, column, problems)
        return len(problems) == before

    def names(self, column: str, role: str, problems: list[str]) -> list[str | None]:
        """A column's cells as names in their one spelling, None where one is blank. What names nothing is a problem."""
        names: list[str | None] = []
        wrong: list[int] = []
        for row, value in enumerate(self.columns[column]):
            try:
                names.append(class_name(value))
            except TypeError:
                names.append("")  # reported below; not None, or it would be reported as missing too
                wrong.append(row)
        if wrong:
            problems.append(
                f"{self.name}: column {column!r} holds something other than a word or a number in {self.where(wrong)}; "
                f"a {role} is one value"
            )
        return names


def read_table(path: str | Path, problems: list[str]) -> Table | None:
    """The file's table, or None where it cannot be read; what is wrong goes to `problems`, one sentence each."""
    name, file = str(path), Path(path)
    try:
        reader = {"csv": _read_csv, "jsonl": _read_jsonl, "parquet": _read_parquet}[table_format(file).split(".")[0]]
        return reader(name, _read_bytes(file))
    except UsageError as error:
        problems.extend(error.problems)
    except _Unreadable as error:
        problems.extend(f"{name}{text}" for text in error.texts)
    return None


def table_format(path: Path) -> str:
    """How a file is to be read, by its name: `csv`, `jsonl`, `parquet`, each also with `.gz`. Raises UsageError."""
    name = path.name.lower()
    packed = ".gz" if name.endswith(".gz") else ""
    kind = FORMATS.get(Path(name.removesuffix(".gz")).suffix)
    if kind is None:
        raise UsageError(
            f"{path}: this kind of file is not known; there is .csv, .jsonl and .parquet, each also with .gz"
        )
    return kind + packed


class _Unreadable(OutgrowError):
    def __init__(self, *texts: str) -> None:
        self.texts = texts
        super().__init__(*texts)


def _read_bytes(file: Path) -> bytes:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        beside = [other.name for other in file.parent.iterdir()] if file.parent.is_dir() else []
        close = nearest(file.name, beside)
        raise _Unreadable(f": there is no such file{close if 'did you mean' in close else ''}") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise _Unreadable(f": cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if fault := packing_fault(file, data[:2]):
        raise _Unreadable(fault)
    if file.name.lower().endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            raise _Unreadable(": is a damaged or cut-off gzip file; copy it again") from None
    if not data.strip():
        raise _Unreadable(": is empty; it needs rows")
    if data.startswith(LFS_POINTER):
        raise _Unreadable(": is a Git LFS pointer, not the file itself; run `git lfs pull` in its folder")
    return data


def packing_fault(file: Path, head: bytes) -> str | None:
    """What is wrong where a file's first two bytes and its name disagree on whether it is gzipped, to follow its name."""
    packed = head == b"\x1f\x8b"
    if file.name.lower().endswith(".gz"):
        return ": is not a gzip file; take the .gz off its name, or compress it" if head and not packed else None
    return f": is a gzip file; name it {file.name}.gz" if packed else None


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise _Unreadable(f", line {line}: is not UTF-8 (byte 0x{byte:02x}); save the file as UTF-8") from None


def _read_csv(name: str, data: bytes) -> Table:
    lines = csv.reader(io.StringIO(_decoded(data), newline=""), strict=True)
    limit = csv.field_size_limit(sys.maxsize)  # its own default, 131,072 characters, is less than a long document
    rows: list[list[str]] = []
    places: list[int] = []
    wrong: list[str] = []
    header: list[str] = []
    begin = 1
    try:
        for row in lines:
            if not row:
                pass
            elif not header:
                header = row
            elif len(row) != len(header):
                found = f"has {len(row)} field{'' if len(row) == 1 else 's'} where the header has {len(header)}"
                wrong.append(f", line {begin}: {found}; quote a field that holds a comma")
            else:
                rows.append(row)
                places.append(begin)
            begin = lines.line_num + 1
    except csv.Error as error:
        wrong.append(f", line {begin}: is not CSV ({error}); a quote may be missing or not doubled")
    finally:
        csv.field_size_limit(limit)
    header = named(header)
    repeated = sorted({column for column in header if header.count(column) > 1})
    wrong += [f": the header names {column!r} twice; rename one" for column in repeated]
    if wrong:
        raise _Unreadable(*_first(wrong))
    if not rows:
        raise _Unreadable(": has a header and no rows")
    return Table(
        name, {column: list(values) for column, values in zip(header, zip(*rows, strict=True), strict=True)}, places
    )


def named(header: Sequence[str]) -> list[str]:
    """A CSV header in which a blank name, as of an index or of Excel's empty columns, is `unnamed_` and its place."""
    names = [column if column.strip() else f"unnamed_{place}" for place, column in enumerate(header, 1)]
    for place, column in enumerate(header):
        while not column.strip() and names.count(names[place]) > 1:
            names[place] += "_"
    return names


def _read_jsonl(name: str, data: bytes) -> Table:
    text = _decoded(data)
    if text.lstrip()[:1] == "[":
        raise _Unreadable(": is one JSON array; write one object a line (JSONL)")
    rows: list[dict[str, Any]] = []
    places: list[int] = []
    wrong: list[str] = []
    # Not splitlines: it cuts at U+2028 too, which JSON allows inside strings.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line, nan=True)
        except NotJsonError as error:
            wrong.append(f", line {number}: is not JSON ({error}); write one object a line")
        else:
            if isinstance(row, dict):
                rows.append(row)
                places.append(number)
            else:
                wrong.append(f", line {number}: is not a JSON object; write one object a line, with named values")
    if wrong and text.lstrip()[:1] == "{" and _is_json(text):
        raise _Unreadable(": is one JSON object over several lines; write one object a line (JSONL), a row each")
    if wrong:
        raise _Unreadable(*_first(wrong))
    if len(rows) == 1 and len(rows[0]) > 1 and all(isinstance(value, dict) for value in rows[0].values()):
        raise _Unreadable(
            f": is one JSON object of {len(rows[0])} entries that hold others, as pandas writes without orient='records'; "
            "write one object a line (JSONL), a row each"
        )
    columns = {
        column: [row.get(column) for row in rows] for column in dict.fromkeys(key for row in rows for key in row)
    }
    if not columns:
        raise _Unreadable(": its objects hold no values")
    return Table(name, columns, places)


def _is_json(text: str) -> bool:
    try:
        parse_json(text, nan=True)
    except NotJsonError:
        return False
    return True


def _read_parquet(name: str, data: bytes) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read()
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        if data[:4] == b"PAR1":
            raise _Unreadable(": is a damaged Parquet file; copy it again") from error
        raise _Unreadable(": is not a Parquet file, though its name says so") from error
    if table.num_rows == 0:
        raise _Unreadable(": has columns and no rows")
    return Table(
        name, parquet_columns(name, table.column_names, table.columns), range(1, table.num_rows + 1), unit="row"
    )


def _first(wrong: Sequence[str]) -> list[str]:
    more = len(wrong) - SHOWN
    return [*wrong[:SHOWN], *([f": {more} more such lines"] if more > 0 else [])]


def _listed(unit: str, places: Sequence[int]) -> str:
    shown = [str(place) for place in places[:SHOWN]]
    if len(places) == 1:
        return f"{unit} {shown[0]}"
    if len(places) > SHOWN:
        return f"{unit}s {', '.join(shown)} and {len(places) - SHOWN} more"
    return f"{unit}s {', '.join(shown[:-1])} and {shown[-1]}"


def _spelled(values: Iterable[Any]) -> list[str | None] | None:
    try:
        return [class_name(value) for value in values]
    except TypeError:
        return None
