"""A task from the user's own files (CSV, JSONL or Parquet, each also gzipped) or from the hub."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.core.examples import sorted_classes
from outgrow.core.files.columns.label_checks import label_faults
from outgrow.core.files.tables import Table
from outgrow.core.inputs.input_type import TEXT, InputType, Read, read_rows
from outgrow.core.registry import nearest
from outgrow.tasks.contract import RawTask

HUB_TIMEOUT = 5.0  # seconds to wait for the hub's first answer; it is asked once


def file_task(
    path: str | Path,
    *,
    label: str | None,
    group: str | None = None,
    test: str | Path | None = None,
    unlabelled: bool = False,
    max_classes: int | None = None,
    inputs: InputType = TEXT,
    **keys: Any,
) -> RawTask:
    """The rows of a file, then those of its test file.

    `keys` say how the input type reads a value from a row: of texts, `text` is a column or a template. `unlabelled` lets
    rows (or the whole file, without the column) have no label.
    Raises UsageError with everything that is wrong, one sentence each.
    """
    problems: list[str] = []
    main = inputs.table(path, problems)
    held_out = inputs.table(test, problems) if test is not None else None
    columns = Columns(inputs, keys, label, group, unlabelled, max_classes)
    if main is None or (test is not None and held_out is None):
        # What can be looked at is looked at all the same, so that all problems come together.
        for table in (main, held_out):
            if table is not None:
                _rows(table, columns, unlabelled and table is main, problems)
        raise UsageError(*problems)
    return tables_task(main, held_out, columns, problems)


def hub_commit(name: str, revision: str | None = None) -> str:
    """The commit (40 hex digits) that a revision of a hub data set stands at; without network, as last cached.

    Raises UsageError where there is no such data set or revision, or neither network nor cache.
    """
    if revision is not None and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    commit = _ask_hub(name, revision)
    if not commit:
        from huggingface_hub import constants

        kept = Path(constants.HF_HUB_CACHE) / _cache_folder(name) / "refs" / (revision or "main")
        if not kept.is_file():
            raise UsageError(_no_network(name))
        commit = kept.read_text().strip()
    return commit


def hub_task(
    name: str,
    commit: str,
    *,
    label: str | None,
    config: str | None = None,
    split: str = "train",
    test: str | None = None,
    group: str | None = None,
    unlabelled: bool = False,
    max_classes: int | None = None,
    inputs: InputType = TEXT,
    **keys: Any,
) -> RawTask:
    """The rows of a split of a hub data set at a commit, then those of its `test` split; labels as numbers stay such.

    Code that comes with a data set is never run. Raises UsageError, see `file_task` and `hub_commit`.
    """
    main = hub_table(name, commit, config, split)
    held_out = hub_table(name, commit, config, test) if test is not None else None
    return tables_task(main, held_out, Columns(inputs, keys, label, group, unlabelled, max_classes), [])


@dataclass(frozen=True)
class Columns:
    """How a table's rows are read: by the input type's own keys, and the label and group columns."""

    inputs: InputType
    keys: Mapping[str, Any]
    label: str | None  # None: the type's own columns say which class is right
    group: str | None
    unlabelled: bool
    max_classes: int | None = None  # None: as many as `label_faults` takes for meant


def tables_task(main: Table, test: Table | None, columns: Columns, problems: list[str]) -> RawTask:
    """The task of a table and, where there is one, a table of test rows. Raises UsageError, see `file_task`."""
    read = _rows(main, columns, columns.unlabelled, problems)
    read_test = None if test is None else _rows(test, columns, False, problems)
    known = read.classes or sorted_classes(name for name in read.labels or () if name is not None)
    if test is None or read_test is None:
        _check_classes(main, columns, known, columns.unlabelled, problems)
    else:
        tested = sorted_classes(name for name in read_test.labels or () if name is not None)
        if columns.unlabelled:
            _check_classes(test, columns, sorted_classes((*known, *tested)), False, problems)
        else:
            _check_classes(main, columns, known, False, problems)
            problems += [
                f"{test.name}: {name!r} is not a class of {main.name}{nearest(name, known)}"
                for name in (tested if known and read.classes is None else ())
                if name not in known
            ]
    if problems:
        raise UsageError(*dict.fromkeys(problems))
    n_main, n_test = len(main), len(test) if test is not None else 0
    names = dict.fromkeys([*main.columns, *(test.columns if test is not None else ())])
    parts = [read] if read_test is None else [read, read_test]
    labels = [label for part in parts for label in part.labels or ()]
    classes = max((part.classes for part in parts if part.classes is not None), key=len, default=None)
    allowed = [[*row, *[False] * (len(classes or row) - len(row))] for part in parts for row in part.allowed or ()]
    return RawTask(
        inputs=[value for part in parts for value in part.values],
        labels=labels,
        groups=None if read.groups is None else [group for part in parts for group in part.groups or ()],
        classes=classes or sorted_classes(name for name in labels if name is not None),
        test=[False] * n_main + [True] * n_test,
        input_type=type(columns.inputs),
        allowed=allowed or None,
        orders=None if read.orders is None else [order for part in parts for order in part.orders or ()],
        columns={
            name: [
                *main.columns.get(name, [None] * n_main),
                *(test.columns.get(name, [None] * n_test) if test is not None else ()),
            ]
            for name in names
        },
    )


def _rows(table: Table, columns: Columns, unlabelled: bool, problems: list[str]) -> Read:
    """Values, class names and groups of a table's rows; lists are empty or full of None where something is wrong."""
    labels: list[str | None] = [None] * len(table)
    label, group = columns.label, columns.group
    wrong: list[str] = []
    if label is not None and not (unlabelled and label not in table.columns) and table.has(label, "label", wrong):
        labels = table.names(label, "label", wrong)
        if not columns.inputs.exchangeable:  # where a label may be the right candidate itself
            wrong += label_faults(table, label, labels, columns.max_classes)
        missing = [row for row, name in enumerate(labels) if name is None]
        if missing and not unlabelled:
            wrong.append(
                f"{table.name}: column {label!r} holds no label in {table.where(missing)}; "
                "fill it in, leave the rows out, or set unlabelled: true"
            )
    read = read_rows(columns.inputs, table, columns.keys, labels, problems)
    problems += wrong
    groups = None if read is None else read.groups
    if group is not None:
        groups = table.names(group, "group", problems) if table.has(group, "group", problems) else None
        groups = groups or [None] * len(table)
    if read is None:
        return Read([], labels, groups)
    return replace(read, labels=labels if read.labels is None else read.labels, groups=groups)


def _check_classes(
    table: Table, columns: Columns, classes: Sequence[str], unlabelled: bool, problems: list[str]
) -> None:
    label = columns.label
    if label is None or columns.inputs.exchangeable:
        return
    if len(classes) == 1:
        problems.append(
            f"{table.name}: column {label!r} holds one class only ({classes[0]!r}); at least two are needed"
        )
    elif not classes and (unlabelled or label in table.columns):
        problems.append(f"{table.name}: no row has a label; test rows need one, here or in a test file")


def _ask_hub(name: str, revision: str | None) -> str:
    """The commit by the hub's own word, "" where it cannot be reached. Raises UsageError where it knows none."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        return HfApi().dataset_info(name, revision=revision, timeout=HUB_TIMEOUT).sha or ""
    except RevisionNotFoundError:
        raise UsageError(f"{name}: this data set has no revision {revision!r} on the hub") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise UsageError(
            f"{name}: the hub has no such data set, or not for everybody; look the name up, "
            "or log in with `hf auth login`"
        ) from None
    except Exception:  # the ways in which a network fails are many and differ by version
        return ""


def hub_table(name: str, commit: str, config: str | None, split: str) -> Table:
    from datasets import load_dataset

    where = f"{name} ({split})"
    if _ask_hub(name, commit):
        place = {"path": name, "revision": commit}
    else:  # asked of the hub without network, load_dataset would retry for half a minute
        from huggingface_hub import constants

        snapshot = Path(constants.HF_HUB_CACHE) / _cache_folder(name) / "snapshots" / commit
        if not snapshot.is_dir():
            raise UsageError(_no_network(name))
        place = {"path": str(snapshot)}
    try:
        rows = load_dataset(**place, name=config, split=split)
    except Exception as error:  # whatever a stranger's data set gives rise to
        raise UsageError(f"{where}: cannot be loaded: {' '.join(str(error).split())}") from error
    arrow = rows.with_format("arrow")[:]  # as stored: nothing is decoded, numbers of classes stay numbers
    columns = {column: arrow[column].to_pylist() for column in arrow.column_names}
    if not len(rows):
        raise UsageError(f"{where}: has no rows")
    return Table(where, columns, range(1, len(rows) + 1), unit="row")


def _cache_folder(name: str) -> str:
    return "datasets--" + name.replace("/", "--")


def _no_network(name: str) -> str:
    return (
        f"{name}: the hub cannot be reached and no copy is cached; go online, name a local file, "
        "or set HF_HUB_CACHE to a folder that holds it"
    )
