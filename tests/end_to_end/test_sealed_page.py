"""docs/guide/sealed.md prints what the simulation found, and its sentences are true of it."""

from __future__ import annotations

import json

from measured import benchmark
from places import BENCHMARKS, DOCS

from outgrow.results.sealed.attempts import Threshold


def test_the_table_is_the_simulations() -> None:
    found = json.loads((BENCHMARKS / "science" / "sealed.json").read_text())
    page = (DOCS / "guide" / "sealed.md").read_text()
    held = page.split("sealed.json -->\n")[1].split("<!-- /sealed -->")[0]
    assert held == benchmark("sealed").table(found), "run python benchmarks/science/sealed.py"
    rule = Threshold(**found["rule"])
    assert rule == Threshold()
    for value in (f"`--threshold` {rule.threshold:g}", f"`--noise` {rule.noise:g}", f"`--budget` {rule.budget}"):
        assert value.replace(" 0.", " .") in page
    by = {(row["way"], row["attempts"]): row for row in found["rows"]}
    assert by["flips", 1000]["score"] > 1 > by["flips", 1000]["real"]
    assert by["flips", 1000]["all"] < 0.5
    assert all(row["all"] >= 0.93 for (way, _), row in by.items() if way == "tuning")
