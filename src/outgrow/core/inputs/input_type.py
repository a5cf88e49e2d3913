"""What an input is: the contract of an input type, the ways to find one, and `text`, the first of them."""

from __future__ import annotations

import json
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from outgrow.core.errors import OutgrowError
from outgrow.core.files.columns.row_text import render
from outgrow.core.files.tables import Table, read_table
from outgrow.core.identity import content_id, digest_file
from outgrow.core.registry import BUILT_IN, Member, find, find_identity, identity_of, names

# What people see of a value: a text, or {"text": above all, "parts": [{"name": ..., "text": ...}, ...]}, with an "image"
# (a data URI) where there is a picture of it.
Preview = str | Mapping[str, Any]


@dataclass(frozen=True)
class Read:
    """The rows of a table as values; where a type's columns say more than the values, that too, one entry per row."""

    values: Sequence[Any]
    labels: Sequence[str | None] | None = None  # None: the label column alone says; a blank one is a tie of all
    groups: Sequence[str | None] | None = None  # None: the group column alone says
    allowed: Sequence[Sequence[bool]] | None = None  # the classes each row can have, in the order of `classes`
    classes: tuple[str, ...] | None = None  # None: the labels that occur
    orders: Sequence[Sequence[int]] | None = None  # of classes that are places: where each was in the file


class InputType(ABC):
    """One type of input. It has no options: what differs from task to task is in the values.

    Values are whatever its models read. `name` is what tasks, models (`reads`) and sentences call the type.
    """

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]] = ()  # keys of a task entry that say how a value is read from a table's row
    made_of: ClassVar[str | None] = None  # the type of a value's parts, where each class is one of them
    exchangeable: ClassVar[bool] = False  # whether a class is a place in the value, which tells nothing by itself
    noun: ClassVar[str] = "text"  # what sentences about a student's data call one of them
    folders: ClassVar[bool] = False  # whether a task's `file` may be a folder, which `table` reads

    @abstractmethod
    def identity(self, value: Any) -> Any:
        """JSON that is equal exactly where two values are the same example; its hash is the content id."""

    def id(self, value: Any) -> str:
        """The content id: 32 hex digits."""
        return content_id(self.identity(value))

    @abstractmethod
    def problem(self, value: Any) -> str | None:
        """Why this cannot be an input, as the end of a sentence ("is empty"); None where it can."""

    def parts(self, value: Any) -> Sequence[Any]:
        """Where `made_of` names a type: the value's parts, one per class, each of which a model scores by one number."""
        raise NotImplementedError(f"inputs of type {self.name} have no parts")

    def size(self, value: Any) -> int:
        """What reading the value costs, in characters of text (four are about one token); for forecasts only."""
        return len(self.record(value))

    def preview(self, value: Any) -> Preview:
        """What people see of it: on the page, in tables and in errors."""
        return self.record(value)

    def called(self, value: Any) -> str:
        """What sentences call this one value, such as its file's name; nothing where it has no name."""
        return ""

    def notes(self, values: Sequence[Any]) -> list[str]:
        """Notes on a task's values, a sentence each."""
        return []

    def samples(self) -> Sequence[Any]:
        """A few made-up values, by which `outgrow check` tries the models that read this type."""
        return ()

    def normal_form(self, value: Any) -> str:
        """A text that is equal for values that people would call the same: what must not meet across splits."""
        return self.record(value)

    def record(self, value: Any) -> str:
        """The value as one string for a table's cell."""
        return json.dumps(self.identity(value), ensure_ascii=False, sort_keys=True)

    def value(self, record: str) -> Any:
        """The value that `record` wrote."""
        return json.loads(record)

    def write(self, values: Sequence[Any], folder: Path) -> list[str]:
        """One record per value for the pool's table; a type with large values puts them into files of `folder`."""
        return [self.record(value) for value in values]

    def read(self, records: Sequence[str], folder: Path) -> Sequence[Any]:
        """The values that `write` wrote into `folder`."""
        return [self.value(record) for record in records]

    def entry(self, written: Mapping[str, Any]) -> Mapping[str, Any]:
        """A task entry of a YAML file in the keys that all types have, where this type has a shorter way to write it."""
        return written

    def table(self, path: str | Path, problems: list[str]) -> Table | None:
        """The table of a task's file, or of its folder where there are `folders`; faults go to `problems`."""
        return read_table(path, problems)

    def within(self, folder: str | Path, keys: Mapping[str, Any], problems: list[str]) -> Table | None:
        """Where there are `folders`: every input in one, whatever it is labelled, in the column that `keys` names."""
        raise NotImplementedError(f"inputs of type {self.name} do not come in folders")

    def fingerprint(self, path: Path, keys: Mapping[str, Any]) -> str:
        """A SHA-256 of the file, and of whatever other files its rows name by the task entry's keys."""
        return digest_file(path)

    def missing(self, keys: Mapping[str, Any]) -> list[str]:
        """What is wrong with a task entry's keys before any file is read: the type's own and `label`, one sentence each."""
        return [f"`{key}` is missing: name the column" for key in (*self.columns, "label") if not keys.get(key)]

    def rows(
        self, table: Table, keys: Mapping[str, Any], labels: Sequence[str | None], problems: list[str]
    ) -> Read | None:
        """A table's rows as values, by the task entry's keys; None where something is wrong, which goes to `problems`.

        labels: the label column, None where a row has none; for types whose labels name a part of the value.
        """
        problems.append(f"{table.name}: inputs of type {self.name} cannot be read from a table; give a task function")
        return None


class Text(InputType):
    """A text: one column of a table, or a template such as `"{question} Answer: {answer}"`."""

    name = "text"
    columns = ("text",)

    def identity(self, value: str) -> str:
        """The text itself, to the letter."""
        return value

    def problem(self, value: Any) -> str | None:
        """Whether it is anything but a text with a character that can be seen."""
        if not isinstance(value, str):
            return f"is of type {type(value).__name__}, not a text"
        return None if value.strip() else "is empty"

    def normal_form(self, value: str) -> str:
        """NFKC, case-folded, white space collapsed: what spreadsheets and scrapers change does not count."""
        return " ".join(unicodedata.normalize("NFKC", value).replace("\ufeff", "").casefold().split())

    def record(self, value: str) -> str:
        """The text itself."""
        return value

    def value(self, record: str) -> str:
        """The text itself."""
        return record

    def rows(
        self, table: Table, keys: Mapping[str, Any], labels: Sequence[str | None], problems: list[str]
    ) -> Read | None:
        """Each row's text; see `core.files.row_text.render`."""
        found = render(table, keys["text"], problems)
        return None if found is None else Read(found)


TEXT = Text()


def read_rows(
    inputs: InputType,
    table: Table,
    keys: Mapping[str, Any],
    labels: Sequence[str | None],
    problems: list[str],
    *,
    distinct: bool = True,
) -> Read | None:
    """`inputs.rows`, where with `distinct` not all values are the same; None where something is wrong."""
    read = inputs.rows(table, keys, labels, problems)
    if not distinct or read is None or len(table) < 2 or len({inputs.id(value) for value in read.values}) > 1:
        return read
    named = " and ".join(repr(value) for value in keys.values() if isinstance(value, str))
    problems.append(f"{table.name}: all {len(table)} {inputs.name}s are the same; is {named} the right column?")
    return read


def input_type(name: str) -> InputType:
    """The input type of this name: built in, from a package's entry points, or `path/to/file.py:Name`.

    Raises UsageError where there is none, OutgrowError where it is not an input type.
    """
    return _made(find("inputs", name))


def type_of_class(made: str | type[InputType]) -> InputType:
    """The input type that a task names: by name, or by its class."""
    return input_type(made) if isinstance(made, str) else TEXT if made is Text else made()


def type_identity(of: InputType) -> Mapping[str, str]:
    """What tells the type apart wherever it is found again: see `registry.identity_of`."""
    return identity_of("inputs", type(of))


def type_with_identity(identity: Mapping[str, str]) -> InputType:
    """The type that `type_identity` described. Raises OutgrowError where its file or package is not there."""
    return _made(find_identity("inputs", identity))


def type_with_columns(keys: Mapping[str, Any]) -> str:
    """The name of the built-in type most of whose columns a task entry names; `text` where it names none's."""
    return max(BUILT_IN["inputs"], key=lambda name: len(set(input_type(name).columns) & set(keys)))


def all_columns() -> set[str]:
    """Every key of a task entry that some input type reads by."""
    return {key for name in names("inputs") for key in input_type(name).columns}


def shown(preview: Preview, longest: int = 80) -> str:
    """A preview in one line of at most `longest` characters, for errors and tables."""
    line = " | ".join(" ".join(text.split()) for text in texts_of(preview))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def cut(preview: Preview, longest: int) -> Preview:
    """The preview with each of its texts cut to `longest` characters."""

    def short(text: str) -> str:
        return text if len(text) <= longest else text[:longest] + " […]"

    if isinstance(preview, str):
        return short(preview)
    parts = [{**part, "text": short(str(part["text"]))} for part in preview.get("parts", ())]
    return {**preview, "text": short(str(preview.get("text", ""))), "parts": parts}


def image_of(preview: Preview) -> str:
    """The picture of a preview, a data URI; nothing where it has none."""
    return "" if isinstance(preview, str) else str(preview.get("image", ""))


def without_image(preview: Preview) -> Preview:
    """The preview's texts alone."""
    return preview if isinstance(preview, str) else {key: part for key, part in preview.items() if key != "image"}


def texts_of(preview: Preview) -> list[str]:
    """Every text of a preview: the one above all, then the parts'; blank ones left out."""
    if isinstance(preview, str):
        return [preview]
    texts = [str(preview.get("text", "")), *(str(part["text"]) for part in preview.get("parts", ()))]
    return [text for text in texts if text]


def _made(member: Member) -> InputType:
    made = member.load()
    if made is Text:
        return TEXT
    if not (isinstance(made, type) and issubclass(made, InputType)):
        raise OutgrowError(f"{member.target}: is not an input type: a class that extends outgrow.InputType")
    return made()
