"""What a YAML file may say: tasks x weak supervisors x strong students x methods x seeds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)

from outgrow.core import UsageError, canonical_json
from outgrow.registry import is_file_name, names, nearest
from outgrow.specs import BASE, MethodSpec, ModelSpec, Problems, find_file, method_spec, model_spec, sentence
from outgrow.yaml_file import locate, read_yaml


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


class TaskSpec(Strict):
    """Where a task's rows come from: exactly one of `file`, `hub` and `task`."""

    name: str = ""
    file: str | None = None
    hub: str | None = None
    task: str | None = None
    text: str | None = None
    label: str | None = None
    group: str | None = None
    test: str | None = None
    config: str | None = None
    split: str | None = None
    revision: str | None = None
    balance: bool = True
    unlabelled: bool = False
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _registered_name(cls, value: Any) -> Any:
        return {"task": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [key for key in ("file", "hub", "task") if getattr(self, key)]
        if len(given) != 1:
            raise Problems(
                "a task has exactly one of `file`, `hub` and `task`, not " + (" and ".join(given) or "none of them")
            )
        allowed = {
            "file": {"text", "label", "group", "test", "unlabelled"},
            "hub": {"text", "label", "group", "test", "unlabelled", "config", "split", "revision"},
            "task": {"options"},
        }[given[0]]
        common = {"name", "balance", given[0]}
        wrong = sorted(self.model_fields_set - allowed - common)
        sentences = [f"`{key}` has no meaning beside `{given[0]}`" for key in wrong]
        if given[0] != "task":
            sentences += [f"`{key}` is missing: name the column" for key in ("text", "label") if not getattr(self, key)]
        elif self.task and not is_file_name(self.task) and self.task not in names("tasks"):
            sentences.append(f'unknown task "{self.task}"{nearest(self.task, names("tasks"))}')
        if sentences:
            raise Problems(*sentences)
        return self

    @property
    def title(self) -> str:
        """The name given, else the file's stem, the hub data set's last part, or the registered name."""
        if self.name:
            return self.name
        if self.file:
            return re.sub(r"(\.(csv|jsonl|json|ndjson|parquet|gz))+$", "", Path(self.file).name)
        return (self.hub or self.task or "").rpartition("/" if self.hub else ":")[2]


def _written(spec: ModelSpec | MethodSpec) -> Any:
    return spec.written


def _entry(read: Any) -> Any:
    return lambda value: value if isinstance(value, ModelSpec | MethodSpec) else read(value)


Supervisor = Annotated[
    ModelSpec, BeforeValidator(_entry(lambda v: model_spec(v, student=False))), PlainSerializer(_written)
]
Student = Annotated[
    ModelSpec, BeforeValidator(_entry(lambda v: model_spec(v, student=True))), PlainSerializer(_written)
]
Recipe = Annotated[MethodSpec, BeforeValidator(_entry(method_spec)), PlainSerializer(_written)]


class Experiment(Strict):
    """Everything that a run is asked for, validated whole before any work. Raises UsageError with every fault."""

    name: Annotated[str, Field(pattern=r"^[^/\\\s.][^/\\]*$")]
    tasks: Annotated[list[TaskSpec], Field(min_length=1)]
    weak: Annotated[list[Supervisor], Field(min_length=1)]
    strong: Annotated[list[Student], Field(min_length=1)]
    methods: Annotated[list[Recipe], Field(min_length=1)] = Field(default=["naive"], validate_default=True)
    seeds: list[Annotated[int, Field(ge=0, strict=True)]] = Field(default=5, validate_default=True)  # type: ignore[assignment]
    split: Split
    base: Annotated[Path, Field(exclude=True)] = Field(default_factory=lambda: BASE.get())

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise UsageError(*(text for _, text in _faults(error))) from None

    @classmethod
    def read(cls, path: str | Path) -> Experiment:
        """The experiment of a YAML file; relative paths in it start from its folder."""
        path = Path(path)
        content, tree = read_yaml(path)
        if not isinstance(content, dict):
            raise UsageError(f"{path}: an experiment is a mapping with tasks, weak, strong and split")
        token = BASE.set(path.parent)
        try:
            return cls.model_validate({"name": path.stem, **content})
        except ValidationError as error:
            raise UsageError(*(f"{path}:{locate(tree, loc)}: {text}" for loc, text in _faults(error))) from None
        finally:
            BASE.reset(token)

    @field_validator("seeds", mode="before")
    @classmethod
    def _count(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            if value < 1:
                raise ValueError(f"is {value}: at least one seed is needed")
            return list(range(value))
        return value

    @field_validator("seeds", mode="after")
    @classmethod
    def _distinct(cls, value: list[int]) -> list[int]:
        if not value:
            raise ValueError("is empty: at least one seed is needed")
        repeated = sorted({seed for seed in value if value.count(seed) > 1})
        if repeated:
            raise ValueError(f"seed {', '.join(map(str, repeated))} stands there twice: a repeat is no new evidence")
        return value

    @field_validator("tasks", "weak", "strong", "methods", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]

    @field_validator("weak", "strong", "methods", mode="after")
    @classmethod
    def _no_twins(cls, value: list[Any]) -> list[Any]:
        return _reject_twins(value, [(canonical_json(spec.identity), spec.name) for spec in value])

    @field_validator("tasks", mode="after")
    @classmethod
    def _no_twin_tasks(cls, value: list[TaskSpec]) -> list[TaskSpec]:
        return _reject_twins(value, [(task.title, task.title) for task in value])

    @model_validator(mode="after")
    def _parts_that_are_used(self) -> Self:
        wrong = []
        trained = [spec.name for spec in self.weak if spec.role != "given"]
        if trained and self.split.weak_train is None:
            wrong.append(f"split: `weak_train` is missing: {trained[0]} learns from those rows")
        wrong += [
            f"weak: {spec.name} asks for {spec.options.rows} rows of {self.split.weak_train} in weak_train"
            for spec in self.weak
            if spec.role == "features" and (spec.options.rows or 0) > (self.split.weak_train or 0) > 0
        ]
        wrong += [
            f"strong: {spec.name}: `rows` is for supervisors: every student learns from all of transfer"
            for spec in self.strong
            if spec.role == "features" and spec.options.rows is not None
        ]
        chosen = [s.name for s in (*self.weak, *self.strong) if isinstance(getattr(s.options, "l2", None), list | tuple)]
        if chosen and self.split.validation is None:
            wrong.append(f"split: `validation` is missing: {chosen[0]} chooses l2 there")
        if self.split.test is None:
            wrong += [
                f"split: `test` is missing, and task {task.title} has no test split of its own"
                for task in self.tasks
                if task.test is None and task.task is None
            ]
        if wrong:
            raise Problems(*wrong)
        return self

    def path(self, name: str) -> Path:
        """A path as the YAML means it: beside the file, else from the working directory."""
        token = BASE.set(self.base)
        try:
            return find_file(name)
        finally:
            BASE.reset(token)

    def path_or_name(self, checkpoint: str) -> str:
        """A checkpoint folder as a path, if there is one; else the name as it is."""
        path = self.path(checkpoint)
        return str(path) if path.is_dir() else checkpoint

    def to_yaml(self) -> str:
        """The experiment as resolved, as YAML that reads back to the same one."""
        content = self.model_dump(mode="json", exclude_defaults=False)
        content["tasks"] = [
            {key: value for key, value in {"name": task.title, **task.model_dump(exclude_defaults=True)}.items()}
            for task in self.tasks
        ]
        return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _reject_twins(value: list[Any], identities: list[tuple[str, str]]) -> list[Any]:
    seen: dict[str, str] = {}
    twins = [name for identity, name in identities if seen.setdefault(identity, name) and _again(seen, identity, name)]
    del twins
    repeated = sorted({name for i, (key, name) in enumerate(identities) if key in {k for k, _ in identities[:i]}})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} stands there twice")
    return value


def _again(seen: Mapping[str, str], identity: str, name: str) -> bool:
    return seen[identity] != name


def _faults(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """Every fault of a validation: where it is, and a sentence that begins with the place."""
    found: list[tuple[tuple[int | str, ...], str]] = []
    for fault in error.errors():
        loc = tuple(part for part in fault["loc"] if not (isinstance(part, str) and part.startswith("function-")))
        model: type[BaseModel] = {"tasks": TaskSpec, "split": Split}.get(str(loc[0]) if loc else "", Experiment)
        parent, last = loc[:-1], loc[-1:] or ("",)
        inside = fault["type"] in ("extra_forbidden", "missing")
        place = _place(parent if inside else loc)
        cause = fault.get("ctx", {}).get("error")
        if isinstance(cause, Problems):
            texts = list(cause.sentences)
        elif inside:
            owner = model if len(loc) > 1 else Experiment
            texts = [sentence({**fault, "loc": last}, owner).replace("option", "key")]
        else:
            texts = [sentence({**fault, "loc": ()}, model).removeprefix(": ")]
        found += [(loc, f"{place}: {text}" if place else text) for text in texts]
    return found


def _place(loc: tuple[int | str, ...]) -> str:
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text
