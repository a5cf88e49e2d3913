"""What an experiment stands on: its files and checkpoints by fingerprint, and the steps that read them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from outgrow.core.errors import UsageError
from outgrow.core.files.tables import table_format
from outgrow.core.files.yaml_file import read_yaml
from outgrow.core.inputs.input_type import TEXT, InputType, type_identity
from outgrow.core.pool import Pool
from outgrow.core.registry import Member, find, is_file_name
from outgrow.core.validation import Problems
from outgrow.execution.step import Step
from outgrow.experiment.spec.model_entries import ModelSpec, model_spec
from outgrow.experiment.spec.paths import BASE, find_file
from outgrow.experiment.spec.schema import Experiment
from outgrow.experiment.spec.task_entries import TaskSpec
from outgrow.models.checkpoints.families import encoder
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.contract import Location
from outgrow.tasks.files import file_task, hub_commit
from outgrow.tasks.named.form import NamedTask
from outgrow.tasks.named.read import splits_in
from outgrow.tasks.pool import deal

T = TypeVar("T")
NO_KEYS: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Resolved:
    """Every task's pool step, every given label's step, every checkpoint's place; and where the bytes are."""

    pools: Mapping[str, Step]  # task title -> step
    given: Mapping[tuple[str, str], Step]  # (task title, supervisor) -> step
    locations: Mapping[str, Location]  # model entry -> checkpoint
    also_test: Mapping[tuple[str, str], Step] = field(default_factory=dict)  # (task title, further set) -> its pool
    sources: Mapping[str, Any] = field(default_factory=dict)  # fingerprint -> where on this machine, as JSON values
    problems: tuple[str, ...] = ()  # a sentence for everything named that is not there


def read_experiment(path: Path) -> Experiment:
    """`Experiment.read`; where that finds faults, those of the files and checkpoints it names are reported with them."""
    try:
        return Experiment.read(path)
    except UsageError as error:
        raise UsageError(*dict.fromkeys((*error.problems, *_faults_of_parts(path)))) from None


def _faults_of_parts(path: Path) -> list[str]:
    """What is wrong with the files and checkpoints of those parts of a faulty experiment that are right as written."""
    content, _ = read_yaml(path)
    if not isinstance(content, dict):
        return []
    problems: list[str] = []
    base = BASE.set(path.parent)
    try:
        for entry in _listed(content.get("tasks")):
            try:
                task = TaskSpec.model_validate(entry)
                if task.file:
                    file_task(
                        find_file(task.file),
                        label=task.label,
                        group=task.group,
                        test=None if task.test is None else find_file(task.test),
                        unlabelled=task.unlabelled,
                        max_classes=task.max_classes,
                        inputs=task.input_type,
                        **task.columns,
                    )
            except UsageError as error:
                problems += error.problems
            except ValidationError:
                continue  # already reported
        for role in ("weak", "strong"):
            for entry in _listed(content.get(role)):
                try:
                    for spec in model_spec(entry, student=role == "strong").everyone:
                        if spec.able.has_checkpoint:
                            found = location_of(spec)
                            problems += spec.able.problems(found)
                except UsageError as error:
                    problems += error.problems
                except Problems:
                    continue  # already reported
    finally:
        BASE.reset(base)
    return problems


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def checkpoint_name(spec: ModelSpec) -> str:
    """A checkpoint folder as a path, if there is one; else the name as it is."""
    path = find_file(spec.options.checkpoint)
    return str(path) if path.is_dir() else str(spec.options.checkpoint)


def location_of(spec: ModelSpec) -> Location:
    """Where a model's checkpoint is: by the model's own word, else by its form. Raises UsageError where it is nowhere."""
    return spec.able.locate(spec.options.checkpoint) or resolve(checkpoint_name(spec), spec.kind, spec.able.form)


def resolve_experiment(experiment: Experiment) -> Resolved:
    """Find and fingerprint everything the experiment names."""
    base = BASE.set(experiment.base)
    try:
        return _Resolving(experiment).ground()
    finally:
        BASE.reset(base)


class _Resolving:
    """Looks everything up, and goes on where something is missing, so that all is reported at once."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.problems: list[str] = []
        self.sources: dict[str, Any] = {}

    def attempt(self, look: Callable[..., T], *arguments: Any) -> T | None:
        try:
            return look(*arguments)
        except UsageError as error:
            self.problems += [text for text in error.problems if text not in self.problems]
            return None

    def ground(self) -> Resolved:
        experiment = self.experiment
        pools = {task.title: self.attempt(self.pool, task) for task in experiment.tasks}
        models = experiment.models
        locations = {spec.name: self.attempt(self.checkpoint, spec) for spec in models if spec.able.has_checkpoint}
        given = {
            (task.title, spec.name): self.attempt(self.given, task, spec, pools[task.title])
            for task in experiment.tasks
            for spec in models
            if spec.able.files
        }
        further = {
            (task.title, other.title): self.attempt(self.further, task, other, pools[task.title])
            for task in experiment.tasks
            for other in task.also_test
        }
        for method in experiment.methods:
            reads = any(
                one.parts.procedure and one.parts.procedure.starts == "texts" for one in method.candidates or [method]
            )
            for spec in experiment.strong if reads else []:
                found = locations.get(spec.name)
                if found is not None and (family := encoder(found)) is not None:
                    self.problems.append(
                        f"methods: {method.name} reads texts on as a language model does, and {spec.name} is an encoder "
                        f"({family}): name a causal language model, such as finetune:smollm2"
                    )
        for spec in models:
            self.plugin(spec.member)
            self.plugin(find("step kinds", spec.able.step))
        for method in experiment.methods:
            self.sources |= method.files
        return Resolved(
            {name: step for name, step in pools.items() if step},
            {name: step for name, step in given.items() if step},
            {name: location for name, location in locations.items() if location},
            {names: step for names, step in further.items() if step},
            self.sources,
            tuple(self.problems),
        )

    def checkpoint(self, spec: ModelSpec) -> Location:
        found = location_of(spec)
        self.sources[found.fingerprint] = asdict(found)
        self.problems += spec.able.problems(found)
        return found

    def plugin(self, member: Member) -> None:
        if "file" in member.identity:
            self.sources[member.identity["file"]] = member.target.rpartition(":")[0]

    def pool(self, task: TaskSpec) -> Step:
        columns = {"label": task.label, "group": task.group, "unlabelled": task.unlabelled, **task.columns}
        if task.max_classes is not None:
            columns["max_classes"] = task.max_classes
        if task.task is None and task.input_type is not TEXT:
            columns["inputs"] = dict(type_identity(task.input_type))
        source: dict[str, Any]
        if task.file is not None:
            source = {**columns, "file": self.file(task.file, task.input_type, task.columns)}
            if task.test is not None:
                source["test"] = self.file(task.test, task.input_type, task.columns)
        elif task.hub is not None:
            commit = hub_commit(task.hub, task.revision)
            source = {**columns, "hub": task.hub, "commit": commit, "config": task.config}
            source |= {"split": task.hub_split, "test": task.test}
        elif task.named is not None:
            source = self.named(task, task.named)
        else:
            source = {"task": self.registered(task.task or ""), "options": dict(task.options)}
        params = {"source": source, "test_rows": self.experiment.split_of(task).test, "balance": task.balance}
        return Step("pool", params, label=f"{task.title}: read and pool")

    def named(self, task: TaskSpec, named: NamedTask) -> dict[str, Any]:
        """A named task's rows: its splits' files by content, or the hub's at the commit that `main` has now."""
        source = {"named": task.task, "version": named.version, "form": task.form}
        if task.from_ is None:
            commit = hub_commit(named.hub, task.revision)
            return {**source, "hub": named.hub, "commit": commit, "test": task.test}
        train, test = splits_in(find_file(task.from_), named, task.test)
        problems: list[str] = []
        read = {
            part: {name: digested for name, path in paths.items() if (digested := self._tried(path, problems))}
            for part, paths in (("train", train), ("test", test))
        }
        if problems:
            raise UsageError(*problems)
        return {**source, "files": read}

    def _tried(self, path: Path, problems: list[str]) -> dict[str, str] | None:
        try:
            return self.file(str(path))
        except UsageError as error:
            problems += error.problems
            return None

    def further(self, task: TaskSpec, other: TaskSpec, pool: Step | None) -> Step | None:
        rows = self.pool(other)
        where = f"{task.title}: also_test: {other.title}"
        return (
            None if pool is None else Step("further_rows", {"name": where}, {"pool": pool, "other": rows}, label=where)
        )

    def registered(self, name: str) -> dict[str, str]:
        if is_file_name(name):
            path, _, attribute = name.rpartition(":")
            name = f"{find_file(path)}:{attribute}"
        member = find("tasks", name)
        self.plugin(member)
        # A task that lies in a package with its data says by a function beside it which data they are.
        fingerprint = getattr(sys.modules[member.load().__module__], "fingerprint", None)
        return {**member.identity, **({} if fingerprint is None else {"data": fingerprint()})}

    def given(self, task: TaskSpec, spec: ModelSpec, pool: Step | None) -> Step | None:
        options = spec.options.model_dump(mode="json", exclude={"file"})
        file = self.file(spec.options.file)
        if pool is None:
            return None
        params = {"file": file, **options, "text": options["text"] or task.columns.get("text")}
        if task.task is None and task.input_type is not TEXT:
            params["columns"] = task.columns
        return Step("given", params, {"pool": pool}, label=f"{task.title}: read {spec.name}")

    def file(self, name: str, kind: InputType = TEXT, keys: Mapping[str, Any] = NO_KEYS) -> dict[str, str]:
        """A file by content and format, or a folder of a type whose inputs come in such."""
        path = find_file(name)
        if not path.is_file() and not (kind.folders and path.is_dir()):
            raise UsageError(f"{path}: {'is a folder, not a file' if path.is_dir() else 'there is no such file'}")
        try:
            fingerprint = kind.fingerprint(path, keys)
        except OSError as error:
            raise UsageError(f"{error.filename or path}: cannot be read: {error.strerror}") from None
        self.sources[fingerprint] = str(path)
        return {"sha256": fingerprint, "format": "folder" if path.is_dir() else table_format(path)}


def check_splits(experiment: Experiment, pools: Mapping[str, Pool]) -> None:
    """Compare every task's pool with the split and the models asked for. Raises UsageError with all that does not fit."""
    problems: list[str] = []
    for title, pool in pools.items():
        wrong = [model for model in experiment.models if not model.able.can_read(pool.input_type)]
        problems += dict.fromkeys(
            f"{title}: its inputs are of type {pool.input_type.name}, and {model.name} reads "
            + " and ".join(sorted(model.able.reads))
            for model in wrong
        )
        if "text" not in (pool.input_type.name, pool.input_type.made_of):
            problems += [
                f"{title}: its inputs are of type {pool.input_type.name}, and {method.name} reads texts first"
                for method in experiment.methods
                if any(one.parts.procedure and one.parts.procedure.starts == "texts" for one in method.of)
            ]
    sizes = {task.title: experiment.split_of(task).dealt for task in experiment.tasks}
    for title, pool in pools.items():
        grouped = len(set(pool.groups.tolist())) < len(pool)  # then one seed's groups may fit and another's not
        for seed in experiment.seeds if grouped else experiment.seeds[:1]:
            try:
                deal(pool, seed, **sizes[title])
            except UsageError as error:
                problems += [f"{title}: {text}" for text in error.problems]
                break
    if problems:
        raise UsageError(*problems)
