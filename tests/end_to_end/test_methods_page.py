"""docs/guide/methods.md says what the docstrings say, and every method its source."""

from __future__ import annotations

import inspect
import json
import re

import pytest
from measured import benchmark
from places import DOCS, ROOT

from outgrow.core.registry import BUILT_IN, find
from outgrow.experiment.spec.schema import Experiment


def test_the_page_is_what_the_command_writes() -> None:
    found = json.loads((ROOT / "benchmarks" / "science" / "methods.json").read_text())
    assert (DOCS / "guide" / "methods.md").read_text() == benchmark("methods_page").page(found), (
        "run python benchmarks/science/methods.py"
    )
    assert len(found["tasks"]) >= 6


@pytest.mark.parametrize("name", [*BUILT_IN["methods"]])
def test_every_method_names_its_source(name: str) -> None:
    text = inspect.getdoc(find("methods", name).load()) or ""
    assert re.search(r"(19|20)\d\d", text), f"{name}: whose idea is it?"


@pytest.mark.parametrize("name", ["all_methods", "finetuned_methods", "generative", "budget_of_truth"])
def test_the_examples_are_experiments(name: str) -> None:
    assert Experiment.read(ROOT / "examples" / f"{name}.yaml").methods


def test_together_the_examples_show_every_method() -> None:
    shown = set()
    for name in ("all_methods", "finetuned_methods", "generative"):
        for spec in Experiment.read(ROOT / "examples" / f"{name}.yaml").methods:
            shown |= {type(part) for part in vars(spec.parts).values() if part is not None}
    assert shown == {find("methods", name).load() for name in BUILT_IN["methods"]}
