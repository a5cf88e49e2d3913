"""Modules of benchmarks/, which is no package, for the tests that hold what they claim."""

import importlib.util
import sys
from functools import cache
from types import ModuleType

from places import BENCHMARKS


@cache
def benchmark(name: str) -> ModuleType:
    """The module of a file there."""
    path = next(BENCHMARKS.rglob(f"{name}.py"))
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module
