"""What an experiment stands on: its files and checkpoints by fingerprint, and the steps that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from outgrow.core import UsageError, digest_file
from outgrow.experiment import Experiment, TaskSpec
from outgrow.models.checkpoints import resolve
from outgrow.models.contract import Location
from outgrow.registry import find, is_file_name
from outgrow.specs import ModelSpec
from outgrow.steps import Step
from outgrow.tasks.files import hub_commit, table_format
from outgrow.tasks.pool import Pool, deal

T = TypeVar("T")


@dataclass(frozen=True)
class Ground:
    """Every task's pool step, every given label's step, every checkpoint's place; and where the bytes are."""

    pools: Mapping[str, Step]  # task title -> step
    given: Mapping[tuple[str, str], Step]  # (task title, supervisor) -> step
    locations: Mapping[str, Location]  # model entry -> checkpoint
    sources: Mapping[str, Any] = field(default_factory=dict)  # fingerprint -> where on this machine


def survey(experiment: Experiment) -> Ground:
    """Find and fingerprint everything the experiment names. Raises UsageError with all that is not there."""
    problems: list[str] = []
    sources: dict[str, Any] = {}

    def attempt(look: Callable[[], T]) -> T | None:
        try:
            return look()
        except UsageError as error:
            problems.extend(text for text in error.problems if text not in problems)
            return None

    pools = {task.title: attempt(lambda task=task: _pool_step(experiment, task, sources)) for task in experiment.tasks}
    locations: dict[str, Location | None] = {}
    for spec in (*experiment.weak, *experiment.strong):
        if spec.role == "features" and spec.name not in locations:
            found = attempt(lambda spec=spec: resolve(str(experiment.path_or_name(spec.options.checkpoint)), spec.kind))
            locations[spec.name] = found
            if found is not None:
                sources[found.fingerprint] = found
                problems += spec.options.problems(found)
        if spec.member is not None and "file" in spec.member.identity:
            sources[spec.member.identity["file"]] = spec.member.target.rpartition(":")[0]
    for method in experiment.methods:
        sources |= method.files
    given = {
        (task.title, spec.name): attempt(
            lambda task=task, spec=spec: _given_step(experiment, task, spec, pools[task.title], sources)
        )
        for task in experiment.tasks
        for spec in experiment.weak
        if spec.role == "given"
    }
    if problems:
        raise UsageError(*problems)
    return Ground(
        {name: step for name, step in pools.items() if step},
        {name: step for name, step in given.items() if step},
        {name: location for name, location in locations.items() if location},
        sources,
    )


def _pool_step(experiment: Experiment, task: TaskSpec, sources: dict[str, Any]) -> Step:
    columns = {"text": task.text, "label": task.label, "group": task.group, "unlabelled": task.unlabelled}
    source: dict[str, Any]
    if task.file is not None:
        source = {**columns, "file": _file(experiment, task.file, sources)}
        if task.test is not None:
            source["test"] = _file(experiment, task.test, sources)
    elif task.hub is not None:
        commit = hub_commit(task.hub, task.revision)
        source = {**columns, "hub": task.hub, "commit": commit, "config": task.config}
        source |= {"split": task.split or "train", "test": task.test}
    else:
        name = task.task or ""
        if is_file_name(name):
            path, _, attribute = name.rpartition(":")
            name = f"{experiment.path(path)}:{attribute}"
        member = find("tasks", name)
        identity = dict(member.identity)
        fingerprint = getattr(member.load(), "fingerprint", None)
        if fingerprint is not None:
            identity["data"] = fingerprint()
        if "file" in identity:
            sources[identity["file"]] = member.target.rpartition(":")[0]
        source = {"task": identity, "options": dict(task.options)}
    params = {"source": source, "test_rows": experiment.split.test, "balance": task.balance}
    return Step("pool", params, label=f"{task.title}: read and pool")


def _given_step(
    experiment: Experiment, task: TaskSpec, spec: ModelSpec, pool: Step | None, sources: dict[str, Any]
) -> Step | None:
    options = spec.options.model_dump(mode="json", exclude={"file"})
    file = _file(experiment, spec.options.file, sources)
    if pool is None:
        return None
    params = {"file": file, "text": task.text, **options}
    return Step("given", params, {"pool": pool}, label=f"{task.title}: read {spec.name}")


def _file(experiment: Experiment, name: str, sources: dict[str, Any]) -> dict[str, str]:
    """A file by content and format. Raises UsageError if it is not there."""
    path = experiment.path(name)
    if not path.is_file():
        raise UsageError(f"{path}: {'is a folder, not a file' if path.is_dir() else 'there is no such file'}")
    try:
        fingerprint = digest_file(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    sources[fingerprint] = str(path)
    return {"sha256": fingerprint, "format": table_format(Path(name))}


def check_splits(experiment: Experiment, pools: Mapping[str, Pool]) -> None:
    """Hold every task's pool against the split asked for. Raises UsageError with all that is too large."""
    problems: list[str] = []
    for title, pool in pools.items():
        try:
            deal(pool, experiment.seeds[0], **experiment.split.dealt)
        except UsageError as error:
            problems += [f"{title}: {text}" for text in error.problems]
    if problems:
        raise UsageError(*problems)
