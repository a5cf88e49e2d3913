"""Columns of a Parquet file: Python values where somebody reads them, the file's own types where they are only kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from outgrow.core.errors import UsageError


class ParquetColumn(Sequence[Any]):
    """One column. A value that Python has no type for, such as a date in the year 300000, is its text."""

    def __init__(self, array: Any) -> None:
        self.array = array  # pyarrow's: a Parquet writer keeps it as it is
        self._values: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, place: Any) -> Any:
        return self._read()[place]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._read())

    def _read(self) -> list[Any]:
        import pyarrow as pa

        if self._values is None:
            try:
                self._values = self.array.to_pylist()
            except (pa.ArrowException, ValueError, OverflowError, ImportError):
                try:
                    self._values = self.array.cast(pa.string()).to_pylist()
                except pa.ArrowException:
                    self._values = [_Unreadable()] * len(self.array)
        return self._values or []


class _Unreadable:
    """Stands for a value that has neither a Python type nor a text: no label, no text."""


def columns(name: str, names: Sequence[str], arrays: Sequence[Any]) -> dict[str, ParquetColumn]:
    """The columns by name. Raises UsageError where two have one name."""
    twice = sorted({column for column in names if names.count(column) > 1})
    if twice:
        raise UsageError(f"{name}: names the column {twice[0]!r} twice; rename one")
    return {column: ParquetColumn(array) for column, array in zip(names, arrays, strict=True)}
