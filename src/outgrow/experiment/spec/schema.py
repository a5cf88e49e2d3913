"""What a YAML file may say: tasks x weak supervisors x strong students x methods x seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files.yaml_file import locate, read_yaml
from outgrow.core.identity import canonical_json
from outgrow.core.inputs.input_type import all_columns
from outgrow.core.registry import is_file_name
from outgrow.core.validation import Problems, faults
from outgrow.experiment.spec import display_names
from outgrow.experiment.spec.in_memory import as_written
from outgrow.experiment.spec.method_entries import MethodSpec, method_spec, misfits
from outgrow.experiment.spec.model_entries import ModelSpec, model_spec
from outgrow.experiment.spec.paths import BASE, absolute, find_file
from outgrow.experiment.spec.task_entries import Split, Strict, TaskSpec, with_further_sets
from outgrow.models.contract import Strength
from outgrow.results.metrics.scores import metric_named

LONGEST_NAME = 200  # bytes; file systems take 255, and temporary names are longer than the name
MOST_SEEDS = 1000  # of one experiment: each is a training of every student, and a row of every table
STRENGTHS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3]  # l2 of heads on features of length 8: from hardly any to a strong one
LARGEST_SEED = 2**32 - 1  # what every generator of random numbers takes


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


# How a fault's sentence begins: with the file and line, where there is a file.
_PLACE: ContextVar[Callable[[tuple[int | str, ...]], str]] = ContextVar("_PLACE", default=lambda loc: "")


class Experiment(Strict):
    """Everything that a run is asked for, validated whole before any work. Raises UsageError with every fault."""

    name: Annotated[str, Field(min_length=1)]
    names: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default={}
    )  # what is displayed for an entry; in no key
    tasks: Annotated[list[TaskSpec], Field(min_length=1)]
    weak: Annotated[list[Supervisor], Field(min_length=1)]
    strong: Annotated[list[Student], Field(min_length=1)]
    methods: Annotated[list[Recipe], Field(min_length=1)] = Field(default=["naive"], validate_default=True)
    seeds: list[Annotated[int, Field(ge=0, le=LARGEST_SEED, strict=True)]] = Field(default=5, validate_default=True)
    split: Split
    metrics: Annotated[list[str], Field(min_length=1)] = Field(
        default=["accuracy"]
    )  # no part of any key: read from predictions
    images: bool = True  # thumbnails of pictures, in the run folder and on its page
    label_curve: bool = False  # ceilings at 25, 50, 100, … rows: how many true labels a student is worth
    controls: bool = False  # shuffled labels, and a student as its own supervisor
    # Students and ceilings at each of these l2, beside their own: {l2: [0.01, 0.1]}, or `l2` for the usual ones.
    sensitivity: (
        Annotated[dict[Literal["l2"], Annotated[list[Strength], Field(min_length=1)]], Field(min_length=1)] | None
    ) = None
    # What teaches ceilings beside the truth: each method's own procedure, or nothing. Left out: the procedure where it
    # begins elsewhere than at the checkpoint, as in the paper's figure 10.
    ceiling: Literal["same_procedure", "plain"] | None = None
    base: Annotated[Path, Field(exclude=True)] = Field(default_factory=lambda: BASE.get())

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**as_written(data))
        except ValidationError as error:
            where = _PLACE.get()
            raise UsageError(
                *(f"{where(loc)}{text}" for loc, text in faults(error, set(Experiment.model_fields), _keys_of_parts()))
            ) from None

    @classmethod
    def read(cls, path: str | Path) -> Experiment:
        """The experiment of a YAML file; relative paths in it start from its folder."""
        path = Path(path)
        content, tree = read_yaml(path)
        if not isinstance(content, dict):
            raise UsageError(f"{path}: an experiment is a mapping with tasks, weak, strong and split")
        base, place = BASE.set(path.parent), _PLACE.set(lambda loc: f"{path}:{locate(tree, loc)}: ")
        try:
            return cls(**{"name": path.stem, **{str(key): value for key, value in content.items()}})
        finally:
            BASE.reset(base)
            _PLACE.reset(place)

    @field_validator("name", mode="after")
    @classmethod
    def _names_a_folder(cls, value: str) -> str:
        if "/" in value or "\\" in value or value.startswith("."):
            raise ValueError(f'"{value}" cannot name the run folder: no slashes, and no dot in front')
        if not value.isprintable() or len(value.encode()) > LONGEST_NAME:
            raise ValueError(f"cannot name the run folder: at most {LONGEST_NAME} bytes, and no control characters")
        return value

    @field_validator("seeds", mode="before")
    @classmethod
    def _count(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            if value < 1:
                raise ValueError(f"is {value}: at least one seed is needed")
            if value > MOST_SEEDS:
                raise ValueError(f"is {value}: at most {MOST_SEEDS:,} seeds are planned; a list names particular ones")
            return list(range(value))
        return value

    @field_validator("seeds", mode="after")
    @classmethod
    def _distinct(cls, value: list[int]) -> list[int]:
        if not value:
            raise ValueError("is empty: at least one seed is needed")
        repeated = sorted(seed for seed, times in Counter(value).items() if times > 1)
        if repeated:
            raise ValueError(
                f"seed {', '.join(map(str, repeated))} is listed twice; repeating a seed adds no information"
            )
        return value

    @field_validator("metrics", mode="after")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        value = [absolute(name) for name in value]
        wrong: list[str] = []
        for name in value:
            try:
                metric_named(name)
            except OutgrowError as error:
                wrong.append(str(error))
        if wrong:
            raise Problems(*wrong)
        return list(dict.fromkeys(["accuracy", *value]))  # accuracy is always there: PGR is measured in it

    @field_validator("sensitivity", mode="before")
    @classmethod
    def _usual_strengths(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value != "l2":
                raise ValueError(f'is to "{value}": sensitivity is to l2, as `l2` or as `{{l2: [0.01, 0.1]}}`')
            return {"l2": list(STRENGTHS)}
        return value

    @field_validator("tasks", "weak", "strong", "methods", "metrics", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]

    @field_validator("weak", "strong", "methods", mode="after")
    @classmethod
    def _no_twins(cls, value: list[Any]) -> list[Any]:
        return _reject_twins(value, [(canonical_json(spec.identity), spec.name) for spec in value])

    @field_validator("names", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        texts = {str(key): str(name).strip() if isinstance(name, int | float) else name for key, name in value.items()}
        wrong = [
            key for key, name in texts.items() if isinstance(name, str) and not (name.isprintable() and name.strip())
        ]
        if wrong:
            raise Problems(*(f'"{key}" is given no name, or one with control characters' for key in wrong))
        return texts

    @field_validator("weak", "strong", "methods", mode="after")
    @classmethod
    def _named(cls, value: list[Any], others: ValidationInfo) -> list[Any]:
        names = others.data.get("names") or {}
        return [spec.named(names) for spec in value] if names else value

    @field_validator("tasks", mode="before")
    @classmethod
    def _further_sets_by_title(cls, value: Any) -> Any:
        """With the task that a name under `also_test` means, where one of the experiment has that title."""
        return with_further_sets(value) if isinstance(value, list) else value

    @field_validator("tasks", mode="after")
    @classmethod
    def _no_twin_tasks(cls, value: list[TaskSpec]) -> list[TaskSpec]:
        return _reject_twins(value, [(task.title, task.title) for task in value])

    @model_validator(mode="after")
    def _parts_that_are_used(self) -> Self:
        wrong = display_names.problems(self.names, self.tasks, (*self.weak, *self.strong), self.methods)
        supervisors = [below for spec in self.weak for below in spec.everyone]
        trained = [spec.name for spec in supervisors if spec.able.learns]
        splits = [self.split_of(task) for task in self.tasks]
        fewest = min(split.weak_train or 0 for split in splits)
        if trained and not fewest:
            wrong.append(f"split: `weak_train` is missing: {trained[0]} learns from those rows")
        wrong += [
            f"weak: {spec.name} asks for {spec.able.first_rows} rows of {fewest} in weak_train"
            for spec in supervisors
            if (spec.able.first_rows or 0) > fewest > 0
        ]
        wrong += [
            f"strong: {spec.name}: `rows` is for supervisors: every student learns from all of transfer"
            for spec in self.strong
            if spec.able.first_rows is not None
        ]
        if any(split.validation is None for split in splits):
            first: dict[str, str] = {}  # what validation is for -> the first model that needs it
            for spec in self.models:
                if spec.able.validates is not None:
                    first.setdefault(spec.able.validates, spec.name)
            wrong += [f"split: `validation` is missing: {name} {reason}" for reason, name in first.items()]
        judged = [method for method in self.methods if method.validated_on]
        if judged and any(split.validation is None for split in splits):
            wrong.append(f"split: `validation` is missing: {judged[0].name} {judged[0].validated_on}")
        wrong += [text for method in self.methods for spec in self.strong for text in misfits(method, spec)]
        if self.label_curve and not any(spec.able.cheap_ceilings for spec in self.strong):
            wrong.append("label_curve: no student here is static or a probe, whose ceilings at many sizes are cheap")
        if self.sensitivity and not any(spec.able.strengths for spec in self.strong):
            wrong.append("sensitivity: no student here is static or a probe, whose heads are cheap at every l2")
        wrong += [
            f"split: `test` is missing, and task {task.title} has no test split of its own"
            for task in (further for own in self.tasks for further in (own, *own.also_test))
            if self.split_of(task).test is None and task.test is None and task.task is None
        ]
        wrong += [
            f"{task.title}: `rows: {task.rows}` keeps fewer rows for training than the {asked} that the split asks for"
            for task in self.tasks
            if isinstance(task.rows, int) and task.rows < (asked := sum(self.split_of(task).dealt.values()))
        ]
        if wrong:
            raise Problems(*wrong)
        return self

    @property
    def models(self) -> list[ModelSpec]:
        """Everything that labels or learns, in whatever place it is named."""
        orders = [model for task in self.tasks if (model := task.order_model) is not None]
        named = (*self.weak, *self.strong, *(model for method in self.methods for model in method.models), *orders)
        return [spec for one in named for spec in one.everyone]

    def split_of(self, task: TaskSpec) -> Split:
        """The sizes of a task's parts: its own, else the experiment's."""
        return self.split.model_copy(update=task.sizes)

    def path(self, name: str) -> Path:
        """A path as the YAML means it: beside the file, else from the working directory."""
        token = BASE.set(self.base)
        try:
            return find_file(name)
        finally:
            BASE.reset(token)

    def to_yaml(self) -> str:
        """The experiment as resolved, as YAML that reads back to the same one from any folder."""
        content = self.model_dump(mode="json")
        content["tasks"] = [self._resolved(task) for task in self.tasks]
        for part in ("weak", "strong", "methods"):
            content[part] = [self._whole_paths(entry) for entry in content[part]]
        models = (*self.weak, *self.strong)
        content["names"] = display_names.with_whole_paths(self.names, models, self.methods, self._whole_paths)
        if content["images"]:
            del content["images"]
        if not content["names"]:
            del content["names"]
        for optional in ("sensitivity", "ceiling"):
            if content[optional] is None:
                del content[optional]
        content["split"] = {name: rows for name, rows in content["split"].items() if rows is not None}
        return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)

    def _resolved(self, task: TaskSpec) -> dict[str, Any]:
        dumped = task.model_dump(exclude_defaults=True, exclude={"columns", "also_test"}, by_alias=True)
        content = {"name": task.title, **dumped, **task.columns}
        if task.sizes:
            content["split"] = task.sizes
        if task.also_test:
            content["also_test"] = [self._resolved(further) for further in task.also_test]
        if isinstance(task.order, dict) and "by" in task.order:
            content["order"] = {"by": self._whole_paths(task.order["by"])}
        if task.from_ is not None:
            content["from"] = str(self.path(task.from_))
        if task.task:
            content["task"] = self._whole_paths(task.task)
        elif task.file:
            content |= {key: str(self.path(content[key])) for key in ("file", "test") if key in content}
        return content

    def _whole_paths(self, entry: Any) -> Any:
        """An entry with the files it names as absolute paths."""
        match entry:
            case str() if is_file_name(entry):
                path, _, name = entry.rpartition(":")
                return f"{self.path(path)}:{name}"
            case str():
                kind, colon, rest = entry.partition(":")
                there = bool(colon) and self.path(rest).exists()
                return f"{kind}:{self.path(rest)}" if there else entry
            case list():
                return [self._whole_paths(part) for part in entry]
            case dict():
                (head, value), *rest_items = entry.items()
                if isinstance(value, str) and self.path(value).exists():
                    value = str(self.path(value))
                elif isinstance(value, list):  # of voters
                    value = self._whole_paths(value)
                elif isinstance(value, dict):  # models that a method or a simulation names
                    models = {key: self._whole_paths(value[key]) for key in ("through", "by") if key in value}
                    value = {**value, **models}
                return {self._whole_paths(head): value, **dict(rest_items)}
        return entry


def _keys_of_parts() -> dict[str, set[str]]:
    named = {field.alias or name for name, field in TaskSpec.model_fields.items()}
    return {"tasks": {*named, *all_columns()} - {"columns"}, "split": set(Split.model_fields)}


def _reject_twins(value: list[Any], identities: list[tuple[str, str]]) -> list[Any]:
    keys = [key for key, _ in identities]
    repeated = [name for place, (key, name) in enumerate(identities) if key in keys[:place]]
    if repeated:
        raise ValueError(f"{', '.join(repeated)} is listed twice")
    return value
