"""What a task entry and `split` of a YAML file may say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from outgrow.core.errors import OutgrowError
from outgrow.core.inputs.input_type import InputType, all_columns, input_type, type_with_columns
from outgrow.core.registry import is_file_name, names, nearest
from outgrow.core.validation import Problems, sentence
from outgrow.experiment.spec.model_entries import ModelSpec, model_spec
from outgrow.experiment.spec.paths import absolute, find_file
from outgrow.results.predictions import OWN
from outgrow.tasks.named.form import Form, NamedTask
from outgrow.tasks.named.table import SUITES, TASKS


class Strict(BaseModel):
    """No key that is not asked for, and no change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


Rows = Annotated[int, Field(ge=1, strict=True)]


class Split(Strict):
    """How many rows each part gets. `test` may be left out where the task has a test split of its own."""

    weak_train: Rows | None = None
    transfer: Rows
    validation: Rows | None = None
    test: Rows | None = None

    @property
    def dealt(self) -> dict[str, int]:
        """The sizes that a seed deals; a part that nobody asked for gets no rows."""
        return {"weak_train": self.weak_train or 0, "transfer": self.transfer, "validation": self.validation or 0}


class Sizes(Strict):
    """A task's own numbers of rows, in place of the experiment's; `test: null` takes all of the task's test split."""

    weak_train: Rows | None = None
    transfer: Rows = 1
    validation: Rows | None = None
    test: Rows | None = None


LEARNERS = {"supervisor": "weak_train", "student": "transfer"}  # the part of the split that each learns from
HARD = "hard"  # the test set of the rows beyond the easy ones


def _shares(train_on: dict[str, Any]) -> dict[str, Any]:
    """The share of easiest rows by who learns from them alone."""
    if set(train_on) == {"easiest"}:
        return dict.fromkeys(LEARNERS, train_on["easiest"])
    return {who: value.get("easiest") if isinstance(value, dict) else value for who, value in train_on.items()}


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1


class TaskSpec(Strict):
    """Where a task's rows come from: exactly one of `file`, `hub` and `task`."""

    name: str = ""
    inputs: str = ""
    columns: dict[str, Any] = {}  # the input type's own keys; a file has them beside the others
    file: str | None = None
    hub: str | None = None
    task: str | None = None
    label: str | None = None
    group: str | None = None
    test: str | None = None
    config: str | None = None
    split: str | Sizes | None = None  # the hub's split, or the task's own sizes
    revision: str | None = None
    balance: bool = True
    unlabelled: bool = False
    max_classes: Rows | None = None  # None: a label column with very many values is taken for a mistake
    rows: Literal["all"] | Rows | None = None  # how many, test rows not counted; None: as the splits need
    options: dict[str, Any] = {}
    from_: str | None = Field(default=None, alias="from")  # a named task's folder; None: the hub
    form: Form | None = None  # of a named task's questions; None: its usual one
    also_test: list[TaskSpec] = []  # further sets that its models are scored on
    order: str | dict[str, Any] | None = None  # what says how hard a row is: a column, or a model
    train_on: dict[str, Any] = {}  # which of supervisor and student learn from the easiest rows alone

    @model_validator(mode="before")
    @classmethod
    def _registered_name(cls, value: Any) -> Any:
        return {"task": value} if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _keys_of_the_input_type(cls, value: Any) -> Any:
        """Gathers the keys by which the input type reads a row, so that each type can have its own."""
        if not isinstance(value, dict):
            return value
        try:
            kind = input_type(absolute(str(value.get("inputs") or type_with_columns(value))))
        except OutgrowError as error:
            raise Problems(str(error)) from None
        value = kind.entry(value)
        columns = {key: value[key] for key in kind.columns if key in value}
        others = {key: item for key, item in value.items() if key not in columns}
        foreign = sorted((all_columns() & set(others)) - set(cls.model_fields)) if columns else []
        if foreign:
            own = next(iter(columns))
            raise Problems(*(f"`{key}` has no meaning beside `{own}`: a row has one kind of input" for key in foreign))
        return {**others, "columns": columns} if columns else others

    @field_validator("file", mode="after")
    @classmethod
    def _is_there(cls, value: str | None, others: ValidationInfo) -> str | None:
        if value is not None and not find_file(value).is_file():
            named = others.data.get("inputs") or type_with_columns(others.data.get("columns", {}))
            folders = input_type(absolute(named)).folders
            if find_file(value).is_dir() and folders:
                return value
            missing = "there is no such file or folder" if folders else "there is no such file"
            what = "is a folder, not a file" if find_file(value).is_dir() else missing
            raise ValueError(f"{find_file(value)}: {what}")
        return value

    @field_validator("split", mode="before")
    @classmethod
    def _own_sizes(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        try:
            return Sizes(**{str(part): rows for part, rows in value.items()})
        except ValidationError as error:
            raise Problems(*(sentence(fault, Sizes.model_fields) for fault in error.errors())) from None

    @field_validator("rows", mode="before")
    @classmethod
    def _count(cls, value: Any) -> Any:
        if value in (None, "all") or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
            return value
        raise ValueError(f"is a number of rows from 1 on, or `all`, not {value!r}")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [key for key in ("file", "hub", "task") if getattr(self, key)]
        if len(given) != 1:
            raise Problems(
                "a task has exactly one of `file`, `hub` and `task`, not " + (" and ".join(given) or "none of them")
            )
        allowed = {
            "file": {"inputs", "columns", "label", "group", "test", "unlabelled", "max_classes"},
            "hub": {
                "inputs",
                "columns",
                "label",
                "group",
                "test",
                "unlabelled",
                "max_classes",
                "config",
                "split",
                "revision",
            },
            "task": {"options"} if self.named is None else {"from_", "form", "test", "revision"},
        }[given[0]]
        common = {"name", "balance", "rows", "also_test", "order", "train_on", given[0]}
        common |= {"split"} if isinstance(self.split, Sizes) else set()
        wrong = sorted(self.model_fields_set - allowed - common)
        unfit = [name for key in wrong for name in (self.columns if key == "columns" else [key.rstrip("_")])]
        sentences = [f"`{key}` has no meaning beside `{given[0]}`" for key in unfit]
        if self.named is not None and self.from_ is not None and self.revision is not None:
            sentences.append("`revision` is of the hub's rows, and `from` names a folder: give one of them")
        if self.named is not None and self.form is not None and self.form not in self.named.forms:
            has = " and ".join(self.named.forms) or "labelled texts alone"
            sentences.append(f"`form: {self.form}`: {self.task} has {has}")
        if given[0] != "task":
            sentences += self.input_type.missing({**self.columns, "label": self.label})
        elif self.task and not is_file_name(self.task) and self.task not in names("tasks"):
            sentences.append(f'unknown task "{self.task}"{nearest(self.task, names("tasks"))}')
        if sentences:
            raise Problems(*sentences)
        return self

    @field_validator("also_test", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]

    @field_validator("also_test", mode="after")
    @classmethod
    def _further_sets(cls, value: list[TaskSpec]) -> list[TaskSpec]:
        titles = [one.title for one in value]
        wrong = [f"{title} is listed twice" for title in dict.fromkeys(titles) if titles.count(title) > 1]
        wrong += [
            f'"{OWN}" is what the task\'s own test rows are called: give the set another `name`'
            for title in titles
            if title == OWN
        ]
        wrong += [
            f"`{key}` has no meaning under {one.title}, a set that is only tested on"
            for one in value
            for key in ("also_test", "order", "train_on")
            if getattr(one, key)
        ]
        if wrong:
            raise Problems(*wrong)
        return value

    @model_validator(mode="after")
    def _easy_to_hard(self) -> Self:
        problems = []
        if self.train_on and self.order is None:
            problems.append("`train_on` needs `order`: a column that says how hard a row is, or `{by: probe:minilm}`")
        if self.train_on:
            wrong = [f"{who}: {share}" for who, share in _shares(self.train_on).items() if not _is_share(share)]
            unknown = set(_shares(self.train_on)) - set(LEARNERS)
            if unknown or wrong or not _shares(self.train_on):
                problems.append(
                    "`train_on` is `{easiest: 0.5}`, a share above 0 and below 1, or so for `supervisor`, `student` or both, "
                    "as in `{supervisor: {easiest: 0.5}}`"
                )
        if isinstance(self.order, dict) and set(self.order) not in ({"by"}, {"column"}, {"column", "easiest"}):
            problems.append("`order` is a column, `{column: rating, easiest: low}` (or high), or `{by: probe:minilm}`")
        elif isinstance(self.order, dict) and self.order.get("easiest", "low") not in ("low", "high"):
            problems.append(f"`order`: `easiest` is low or high, not {self.order['easiest']}")
        if not problems and (model := self.order_model) is not None and not model.able.has_features:
            problems.append(f"`order`: {model.name} is not a head on frozen features: name a static: or probe: model")
        if self.order is not None and any(one.title == HARD for one in self.also_test):
            problems.append(f'"{HARD}" is what the hard part of the test rows is called: give the set another `name`')
        if problems:
            raise Problems(*problems)
        return self

    @property
    def order_model(self) -> ModelSpec | None:
        """The model that finds rows easy or hard; None where a column says so."""
        by = self.order.get("by") if isinstance(self.order, dict) else None
        return None if by is None else model_spec(by, student=True)

    @property
    def order_column(self) -> dict[str, str]:
        """The column that says how hard a row is, and which end of it is easy."""
        given = self.order if isinstance(self.order, dict) else {"column": self.order}
        return {"easiest": "low", **{key: str(value) for key, value in given.items() if value is not None}}

    @property
    def easiest(self) -> dict[str, float]:
        """Of each part of the split that is of easy rows alone, the share of the rows that are."""
        return {LEARNERS[who]: float(share) for who, share in _shares(self.train_on).items()}

    @property
    def hub_split(self) -> str:
        """The split of a hub data set to train on."""
        return self.split if isinstance(self.split, str) else "train"

    @property
    def sizes(self) -> dict[str, int | None]:
        """The sizes of the task's own among those of `Split`, as far as it has any."""
        return self.split.model_dump(exclude_unset=True) if isinstance(self.split, Sizes) else {}

    @property
    def named(self) -> NamedTask | None:
        """The row of the table of named tasks, where `task` is one of these."""
        return TASKS.get(self.task or "")

    @property
    def input_type(self) -> InputType:
        """What the rows of a file or hub set hold. Raises UsageError where there is no such type."""
        return input_type(absolute(self.inputs or type_with_columns(self.columns)))

    @property
    def title(self) -> str:
        """The name given, else the file's stem, the hub data set's last part, or the registered name."""
        if self.name:
            return self.name
        if self.file:
            return re.sub(r"(\.(csv|jsonl|json|ndjson|parquet|gz))+$", "", Path(self.file).name)
        return (self.hub or self.task or "").rpartition("/" if self.hub else ":")[2]


def with_further_sets(entries: Sequence[Any]) -> list[Any]:
    """Task entries in which a title under `also_test` is the entry that has it, without further sets of its own."""
    entries = [one for entry in entries for one in _of_suite(entry)]
    known: dict[str, Any] = {}
    for entry in entries:
        plain = {key: value for key, value in entry.items() if key != "also_test"} if isinstance(entry, dict) else entry
        try:
            known.setdefault(TaskSpec.model_validate(plain).title, plain)
        except (OutgrowError, ValidationError):
            continue  # reported where the entry itself is read
    made = []
    for entry in entries:
        if isinstance(entry, dict) and "also_test" in entry:
            named = entry["also_test"] if isinstance(entry["also_test"], list) else [entry["also_test"]]
            found = [known.get(one, one) if isinstance(one, str) else one for one in named]
            entry = {**entry, "also_test": found}
        made.append(entry)
    return made


def _of_suite(entry: Any) -> list[Any]:
    """The entries that `{suite: paper22}` stands for: with `from`, each from the folder of its name; any other, itself."""
    if not isinstance(entry, dict) or "suite" not in entry:
        return [entry]
    suite, without = entry["suite"], entry.get("without", [])
    if suite not in SUITES:
        raise Problems(f'unknown suite "{suite}"{nearest(str(suite), SUITES)}')
    out = without if isinstance(without, list) else [without]
    unknown = [
        f'`without`: {suite} has no task "{name}"{nearest(str(name), SUITES[suite])}'
        for name in out
        if name not in SUITES[suite]
    ]
    if unknown:
        raise Problems(*unknown)
    rest = {key: value for key, value in entry.items() if key not in ("suite", "without", "from")}
    where = entry.get("from")
    return [
        {"task": name, **rest, **({} if where is None else {"from": f"{where}/{name}"})}
        for name in SUITES[suite]
        if name not in out
    ]
