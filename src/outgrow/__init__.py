"""Weak-to-strong generalization that can be trusted.

from outgrow import Experiment, run, Results

results = run("experiment.yaml")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outgrow.core import Examples, Labels, OutgrowError, UsageError
    from outgrow.experiment import Experiment
    from outgrow.methods.contract import Method
    from outgrow.models.contract import FeatureModel, Features
    from outgrow.pipeline import run
    from outgrow.results import Results
    from outgrow.student.estimator import WeakToStrongClassifier
    from outgrow.tasks.contract import RawTask

__all__ = [
    "Examples",
    "Experiment",
    "FeatureModel",
    "Features",
    "Labels",
    "Method",
    "OutgrowError",
    "RawTask",
    "Results",
    "UsageError",
    "WeakToStrongClassifier",
    "run",
]

_HOME = {
    "Examples": "core",
    "Experiment": "experiment",
    "FeatureModel": "models.contract",
    "Features": "models.contract",
    "Labels": "core",
    "Method": "methods.contract",
    "OutgrowError": "core",
    "RawTask": "tasks.contract",
    "Results": "results",
    "UsageError": "core",
    "WeakToStrongClassifier": "student.estimator",
    "run": "pipeline",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: `import outgrow` and `outgrow --help` stay quick.
    if name not in _HOME:
        raise AttributeError(f"module 'outgrow' has no attribute {name!r}")
    return getattr(importlib.import_module(f"outgrow.{_HOME[name]}"), name)
