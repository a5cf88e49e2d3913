"""A named task's rows: from a folder that holds its splits as files, or from the hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from outgrow.core.errors import UsageError
from outgrow.core.files.tables import Table, read_table
from outgrow.tasks.contract import RawTask
from outgrow.tasks.files import hub_table
from outgrow.tasks.named.form import Form, NamedTask

ENDINGS = (".jsonl", ".jsonl.gz", ".parquet", ".csv", ".csv.gz", ".json", ".ndjson")
BESIDE = ("test_hard", "validation_out_of_domain")  # splits of another distribution: only where asked for


def splits_in(folder: Path, task: NamedTask, test: str | None) -> tuple[dict[str, Path], dict[str, Path]]:
    """The files of a folder to learn from, and those that are the task's test split, each by the split's name.

    With a training split (or `test` asked for) the official test split stays one; else all labelled splits are rows alike.
    Raises UsageError where there is none.
    """
    there = {
        path.name.removesuffix(ending): path
        for ending in reversed(ENDINGS)
        for path in sorted(folder.glob(f"*{ending}"))
        if "." not in path.name.removesuffix(ending)
    }
    if not there:
        what = "holds no file such as train.jsonl" if folder.is_dir() else "there is no such folder"
        raise UsageError(f"{folder}: {what}; name the folder that holds the task's splits with `from`")
    official = test or task.test
    if test is not None and test not in there:
        raise UsageError(f"{folder}: holds no split {test}; there is {', '.join(sorted(there))}")
    train = {name: path for name, path in there.items() if name == "train"}
    if not train and test is None:
        return {name: path for name, path in there.items() if name not in BESIDE}, {}
    tests = {name: path for name, path in there.items() if name == official}
    return train, tests


def from_files(task: NamedTask, train: Mapping[str, Path], test: Mapping[str, Path], form: Form | None) -> RawTask:
    """The rows of files, by split. Raises UsageError with all that is wrong with them."""
    problems: list[str] = []
    read = [[read_table(path, problems) for path in paths.values()] for paths in (train, test)]
    if problems:
        raise UsageError(*problems)
    both = [_as_one([table for table in tables if table is not None]) for tables in read]
    return task.raw(both[0], both[1], form)


def from_hub(task: NamedTask, commit: str, form: Form | None, test: str | None = None) -> RawTask:
    """The rows of the hub's splits at a commit. Raises UsageError."""
    asked = test or task.test
    held_out = None if asked is None else hub_table(task.hub, commit, task.config, asked)
    return task.raw(hub_table(task.hub, commit, task.config, task.train), held_out, form)


def _as_one(tables: list[Table]) -> Table | None:
    """Several splits as one table, with every column that any has."""
    if len(tables) < 2:
        return tables[0] if tables else None
    names = set.intersection(*(set(table.columns) for table in tables))
    columns = {name: [value for table in tables for value in table.columns[name]] for name in sorted(names)}
    places = [place for table in tables for place in table.places]
    return Table(" and ".join(table.name for table in tables), columns, places, tables[0].unit)
