"""Objects of a notebook among an experiment's entries -> entries as YAML has them, with files that hold the objects."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

from pydantic import BaseModel

from outgrow.core.errors import UsageError
from outgrow.core.examples import class_name
from outgrow.core.files import disk
from outgrow.core.registry import is_file_name, name_of
from outgrow.core.source_of import source_of
from outgrow.core.text.entry_names import display
from outgrow.tasks.contract import RawTask

FRAME = "frame"  # the key of a task entry in memory: a data frame in place of `file`
TEXT, LABEL, GROUP, TEST = "text", "label", "group", "test"
ENDING = ".parquet"
_LISTS = {"tasks": "tasks", "weak": "models", "strong": "models", "methods": "methods"}


def as_written(data: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of an experiment with entries that YAML can hold, and display names for those that were objects.

    A data frame becomes a Parquet file, a class, function or object of one a Python file with its source, each called by
    the hash of what it holds, in the user's cache folder. Raises UsageError with every object that cannot be kept so.
    """
    found, shown, problems = dict(data), dict[str, str](), list[str]()
    for key, group in _LISTS.items():
        if key not in data:
            continue
        one = not isinstance(data[key], list)
        entries = []
        for place, entry in enumerate([data[key]] if one else data[key]):
            try:
                entries.append(_task(entry, place) if key == "tasks" else _member(entry, group, shown))
            except UsageError as error:
                problems += [f"{key}[{place}]: {text}" for text in error.problems]
        found[key] = entries[0] if one and entries else entries
    if problems:
        raise UsageError(*problems)
    given = found.get("names")
    if shown and (given is None or isinstance(given, Mapping)):
        back = {name: entry for entry, name in shown.items()}
        found["names"] = {**shown, **{back.get(str(key), str(key)): name for key, name in (given or {}).items()}}
    return found


def _member(entry: Any, group: str, shown: dict[str, str]) -> Any:
    """An entry of models or methods; of a list each member."""
    if isinstance(entry, list):
        return [_member(part, group, shown) for part in entry]
    if isinstance(entry, Mapping | str) or not _is_code(entry):
        return entry
    of = entry if isinstance(entry, type | FunctionType) else type(entry)
    name = _name_of(of, group)
    options = {} if of is entry else entry.model_dump(mode="json", exclude_unset=True)
    written = {name: options} if options else name
    if is_file_name(name):
        plain = display({of.__name__: options} if options else of.__name__)
        taken = any(other == plain and entry != display(written) for entry, other in shown.items())
        shown[display(written)] = f"{plain} ({Path(name.rpartition(':')[0]).stem[:6]})" if taken else plain
    return written


def _is_code(entry: Any) -> bool:
    """Whether an entry is a class, a function, or an object of a class of options."""
    return isinstance(entry, type | FunctionType) or (
        isinstance(entry, BaseModel) and hasattr(type(entry), "model_fields")
    )


def _name_of(thing: Any, group: str) -> str:
    """The name that a class or function has already, else `path/to/file.py:Name` of a file with its source."""
    if (known := name_of(group, thing)) is not None:
        return known
    source, name = source_of(thing), thing.__name__
    if group == "methods" and isinstance(thing, FunctionType):
        name = f"{name}_method"
        source += _AS_METHOD.format(name=name, function=thing.__name__, arguments=_arguments(thing))
    return f"{_kept(source.encode(), '.py')}:{name}"


_AS_METHOD = '''
from outgrow import Method  # noqa: E402


class {name}(Method):
    """The loss `{function}`."""

    def loss(self, logits, weak, progress, statistic=None):
        """One loss per row."""
        return {function}({arguments})
'''


def _arguments(loss: FunctionType) -> str:
    """What a loss function gets: logits and weak labels, then the share of training that is done where it takes a third."""
    count = loss.__code__.co_argcount
    if not 2 <= count <= 3:
        raise UsageError(
            f"{loss.__name__}: a loss function takes logits [n, classes] and weak labels [n, classes], and perhaps the "
            f"share of training that is done; it has {count} arguments"
        )
    return ", ".join(("logits", "weak", "progress")[:count])


def _task(entry: Any, place: int) -> Any:
    """A task entry; of a data frame or `RawTask` with a file in its place."""
    if isinstance(entry, RawTask):
        return _of_rows(entry, place)
    if isinstance(entry, Mapping) and isinstance(entry.get(FRAME), RawTask):
        return {**_of_rows(entry[FRAME], place), **{key: value for key, value in entry.items() if key != FRAME}}
    if isinstance(entry, Mapping):
        if FRAME not in entry:
            return entry
        rest = {key: value for key, value in entry.items() if key != FRAME}
        if isinstance(rest.get("test"), str) or "test" not in rest:
            return {"name": _title(place), "file": _table(entry[FRAME]), **rest}
        return {"name": _title(place), "file": _table(entry[FRAME]), **rest, "test": _table(rest["test"])}
    if not _is_frame(entry):
        return entry
    columns = [str(name) for name in entry.columns]
    if TEXT not in columns or LABEL not in columns:
        raise UsageError(
            f"a data frame alone needs the columns `{TEXT}` and `{LABEL}`; this one has {', '.join(columns[:10])}: "
            f'name them by {{"{FRAME}": frame, "text": …, "label": …, "name": …}}'
        )
    return {"name": _title(place), "file": _table(entry), TEXT: TEXT, LABEL: LABEL}


def _title(place: int) -> str:
    return FRAME if place == 0 else f"{FRAME} {place + 1}"


def _of_rows(raw: RawTask, place: int) -> dict[str, Any]:
    """The entry of a task's rows in memory, of texts alone; an official test split is a second file."""
    if raw.input_type != TEXT or raw.allowed is not None:
        raise UsageError(
            "a RawTask in memory holds texts of which every class is possible; return another one from a function in a file "
            "and name that: `my_task.py:function`"
        )
    import pyarrow as pa

    columns: dict[str, Any] = {name: list(map(_cell, values)) for name, values in raw.columns.items()}
    columns |= {TEXT: list(raw.inputs), LABEL: [None if label is None else class_name(label) for label in raw.labels]}
    entry: dict[str, Any] = {"name": _title(place), TEXT: TEXT, LABEL: LABEL}
    if any(label is None for label in raw.labels):
        entry["unlabelled"] = True
    if raw.groups is not None:
        columns[GROUP] = list(map(_cell, raw.groups))
        entry[GROUP] = GROUP
    table = pa.table(columns)
    if raw.test is None:
        return {**entry, "file": str(_kept(_bytes(table), ENDING))}
    official = pa.array(list(raw.test), pa.bool_())
    parts = {"file": table.filter(pa.compute.invert(official)), TEST: table.filter(official)}
    return {**entry, **{key: str(_kept(_bytes(part), ENDING)) for key, part in parts.items()}}


def _cell(value: Any) -> str | None:
    return None if value is None else str(value)


def _is_frame(value: Any) -> bool:
    return hasattr(value, "columns") and hasattr(value, "shape") and not isinstance(value, type)


def _table(frame: Any) -> str:
    """The path of a Parquet file with a frame of pandas or polars. Raises UsageError on another thing."""
    import pyarrow as pa

    if not _is_frame(frame):
        raise UsageError(f"`{FRAME}` is a data frame of pandas or polars, not a {type(frame).__name__}")
    try:
        table = frame.to_arrow() if hasattr(frame, "to_arrow") else pa.Table.from_pandas(frame, preserve_index=False)
        written = _bytes(table)
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise UsageError(f"the data frame cannot be written as Parquet: {text}") from error
    return str(_kept(written, ENDING))


def _bytes(table: Any) -> bytes:
    """Parquet of an Arrow table's values alone: the same whatever library made it, and whatever its version."""
    import io

    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(None), out, store_schema=False)
    return out.getvalue()


def _kept(content: bytes, ending: str) -> Path:
    """A file of this content in the user's cache folder, called by its hash."""
    from platformdirs import user_cache_path

    folder = user_cache_path("outgrow") / "in_memory"
    path = folder / f"{hashlib.sha256(content).hexdigest()[:16]}{ending}"
    with disk.sentences(folder, "the cache folder", "XDG_CACHE_HOME"):
        if not path.is_file() or path.read_bytes() != content:
            folder.mkdir(parents=True, exist_ok=True)
            with disk.replacing(path) as temporary:
                temporary.write_bytes(content)
    return path
