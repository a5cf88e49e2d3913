"""Weak-to-strong generalization that can be trusted.

from outgrow import Experiment, run, Results

results = run("experiment.yaml")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outgrow.core.errors import OutgrowError, UsageError
    from outgrow.core.examples import Examples, Labels
    from outgrow.core.inputs.input_type import InputType
    from outgrow.execution.machine import Machine
    from outgrow.experiment.pipeline import run
    from outgrow.experiment.spec.schema import Experiment
    from outgrow.methods.contract import Method
    from outgrow.models.contract import FeatureModel, Features, Model
    from outgrow.report.plot import plot
    from outgrow.report.tables.paper_texts import latex, quotes
    from outgrow.results.metrics.scores import Metric
    from outgrow.results.run_results import Results
    from outgrow.results.statistics.intervals import Limits
    from outgrow.tasks.contract import RawTask
    from outgrow.teaching.estimator.classifier import WeakToStrongClassifier
    from outgrow.teaching.saved.predict_files import predict_files as predict
    from outgrow.teaching.teach_files import teach_files as teach


__all__ = [
    "Examples",
    "Experiment",
    "FeatureModel",
    "Features",
    "InputType",
    "Labels",
    "Limits",
    "Machine",
    "Method",
    "Metric",
    "Model",
    "OutgrowError",
    "RawTask",
    "Results",
    "UsageError",
    "WeakToStrongClassifier",
    "latex",
    "plot",
    "predict",
    "quotes",
    "run",
    "teach",
]

_HOME = {
    "Examples": "core.examples",
    "Experiment": "experiment.spec.schema",
    "FeatureModel": "models.contract",
    "Features": "models.contract",
    "InputType": "core.inputs.input_type",
    "Labels": "core.examples",
    "Machine": "execution.machine",
    "Method": "methods.contract",
    "Limits": "results.statistics.intervals",
    "Metric": "results.metrics.scores",
    "Model": "models.contract",
    "OutgrowError": "core.errors",
    "RawTask": "tasks.contract",
    "Results": "results.run_results",
    "UsageError": "core.errors",
    "WeakToStrongClassifier": "teaching.estimator.classifier",
    "latex": "report.tables.paper_texts",
    "plot": "report.plot",
    "predict": "teaching.saved.predict_files:predict_files",
    "quotes": "report.tables.paper_texts",
    "run": "experiment.pipeline",
    "teach": "teaching.teach_files:teach_files",
}


def __dir__() -> list[str]:
    """What completion offers, without loading any of it."""
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})


def __getattr__(name: str) -> Any:
    # Loaded when asked for: `import outgrow` and `outgrow --help` stay quick.
    if name not in _HOME:
        raise AttributeError(f"module 'outgrow' has no attribute {name!r}")
    module, _, attribute = _HOME[name].partition(":")
    return getattr(importlib.import_module(f"outgrow.{module}"), attribute or name)
