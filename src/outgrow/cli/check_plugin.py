"""Checks a user's task, model, method or metric against its contract, and says what is wrong in sentences."""

from __future__ import annotations

from functools import partial

from pydantic import BaseModel

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.registry import find, is_file_name
from outgrow.experiment.spec.model_entries import model_spec
from outgrow.methods.check import check_method
from outgrow.methods.contract import Method
from outgrow.models.check import check_model
from outgrow.results.metrics.check import check_metric
from outgrow.results.metrics.scores import Metric
from outgrow.tasks.check import check_task


def check(name: str) -> list[str]:
    """What was held and found right, a line each. Raises OutgrowError with a line for everything that is wrong."""
    if not is_file_name(name):
        raise UsageError(f"check: {name} is not of the form path/to/file.py:Name")
    thing = find("tasks", name).load()
    if isinstance(thing, type) and issubclass(thing, Method):
        return check_method(thing, name, partial(model_spec, student=True))
    if isinstance(thing, type) and issubclass(thing, BaseModel):
        return check_model(thing, name)
    if isinstance(thing, Metric):
        return check_metric(thing, name)
    if callable(thing) and not isinstance(thing, type):
        return check_task(thing, name)
    raise OutgrowError(
        f"{name}: is neither a task (a function), nor a model (a pydantic class with fit, or a FeatureModel), "
        "nor a method (a class that extends outgrow.Method), nor a metric (an outgrow.Metric)"
    )
