"""How the rows of a table become inputs: an input type, and the columns that it reads by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.core.files.tables import Table
from outgrow.core.inputs.input_type import (
    TEXT,
    InputType,
    Read,
    input_type,
    read_rows,
    type_identity,
    type_with_columns,
    type_with_identity,
)
from outgrow.core.registry import FILES, nearest


@dataclass(frozen=True)
class Reading:
    """An input type with its own keys: of texts `{"text": column or template}`, as in a task of `outgrow run`."""

    inputs: InputType
    keys: Mapping[str, Any]

    @classmethod
    def of(cls, written: str | Mapping[str, Any]) -> Reading:
        """As people write it: a column or template of texts, or a mapping of keys; `inputs` names a type not built in.

        Raises UsageError for keys that the type does not have.
        """
        if isinstance(written, str):
            return cls(TEXT, {"text": written})
        if not isinstance(written, Mapping) or not written:
            raise UsageError(
                "--inputs: a mapping of the input type's columns is needed, as '{prompt: question, a: x, b: y}'"
            )
        keys = {str(key): value for key, value in written.items() if value is not None}
        named = keys.pop("inputs", None)
        kind = input_type(str(named) if named is not None else type_with_columns(keys))
        wrong = [
            f"--inputs: {key!r} is none of the columns of a {kind.name}{nearest(key, kind.columns)}"
            for key in keys
            if key not in kind.columns
        ]
        wrong += [
            f"--inputs: `{key}` names a column by a text, not {value!r}"
            for key, value in keys.items()
            if not (isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value)))
        ]
        if wrong:
            raise UsageError(*wrong)
        return cls(kind, keys)

    def problems(self, *, label: bool) -> list[str]:
        """What is wrong with the keys before a file is read; label: whether a label column is named."""
        return self.inputs.missing({**self.keys, **({"label": "label"} if label else {})})

    @property
    def files(self) -> dict[str, str]:
        """Where the plug-in file of its type is, by SHA-256: workers need it."""
        identity = type_identity(self.inputs)
        return {identity["file"]: FILES[identity["file"]]} if "file" in identity else {}

    @property
    def labels_inside(self) -> bool:
        """Whether the type's own columns say which class is right, as `chosen` and `rejected` do."""
        return not self.problems(label=False)

    def rows(
        self, table: Table, labels: Sequence[str | None], problems: list[str], *, distinct: bool = True
    ) -> Read | None:
        """A table's rows as inputs, with the labels `[rows]` as the type understands them, "" for a tie.

        distinct: they are not all the same. None where something is wrong, which goes to `problems`; what is wrong with
        the keys themselves is reported by `self.problems`.
        """
        if self.problems(label=not self.labels_inside):
            return None
        read = read_rows(self.inputs, table, self.keys, labels, problems, distinct=distinct)
        if read is None:
            return None
        wrong: dict[str, list[int]] = {}
        for row, value in enumerate(read.values):
            fault = self.inputs.problem(value)
            if fault is not None:
                wrong.setdefault(fault, []).append(row)
        problems += [
            f"{table.name}: the {self.inputs.name} in {table.where(rows)} {fault}" for fault, rows in wrong.items()
        ]
        return None if wrong else read

    def identity(self) -> Any:
        """As JSON values: of texts the column or template alone."""
        if self.inputs is TEXT:
            return self.keys["text"]
        return {"type": dict(type_identity(self.inputs)), "keys": dict(self.keys)}

    @classmethod
    def from_identity(cls, identity: Any) -> Reading:
        """What `identity` gave. Raises OutgrowError where the type's file or package is not there."""
        if isinstance(identity, str):
            return cls(TEXT, {"text": identity})
        return cls(type_with_identity(identity["type"]), identity["keys"])


def columns_read(identity: Any) -> str:
    """The columns of a reading's identity in a few words, for people."""
    if isinstance(identity, str):
        return identity
    columns = [value if isinstance(value, str) else ", ".join(value) for value in identity["keys"].values()]
    return ", ".join(columns)
