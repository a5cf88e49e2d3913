"""`names` of an experiment: what tables, figures and pages call a model, method or task in place of its entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from outgrow.core.registry import nearest
from outgrow.core.text.entry_names import display
from outgrow.experiment.spec.method_entries import MethodSpec
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.experiment.spec.task_entries import HARD, TaskSpec
from outgrow.results.predictions import OWN

TAKEN = {OWN: "the task's own test rows are called", HARD: "the hard part of the test rows is called"}


def problems(
    names: Mapping[str, str], tasks: Sequence[TaskSpec], models: Iterable[ModelSpec], methods: Iterable[MethodSpec]
) -> list[str]:
    """What is wrong with display names: a sentence for each that is of nothing there, taken, or of two things."""
    titles = [one.title for task in tasks for one in (task, *task.also_test)]
    known = list(dict.fromkeys([*titles, *(display(entry) for entry in _entries(models, methods))]))
    wrong = [f'names: nothing here is called "{key}"{nearest(key, known)}' for key in names if key not in known]
    wrong += [f'names: "{names[one]}" is what {TAKEN[names[one]]}' for one in titles if names.get(one) in TAKEN]
    shown: dict[str, str] = {}
    for one in known:
        other = shown.setdefault(names.get(one, one), one)
        if other != one:
            wrong.append(f'names: {other} and {one} would both be called "{names.get(one, one)}"')
    return wrong


def with_whole_paths(
    names: Mapping[str, str], models: Iterable[ModelSpec], methods: Iterable[MethodSpec], whole: Callable[[Any], Any]
) -> dict[str, str]:
    """The names by their entries as `whole` writes these, so that they are found from any folder."""
    again = {display(entry): display(whole(entry)) for entry in _entries(models, methods)}
    return {again.get(key, key): name for key, name in names.items()}


def _entries(models: Iterable[ModelSpec], methods: Iterable[MethodSpec]) -> Iterator[Any]:
    """What the YAML says of all models and methods, and of the members that a method is composed of."""
    for method in methods:
        yield method.written
        yield from method.written if isinstance(method.written, list) else ()
        yield from (spec.written for model in method.models for spec in model.everyone)
    yield from (spec.written for model in models for spec in model.everyone)
