"""Pages that answer a question show what the benchmarks measured, and their claims follow from that."""

import json

import numpy as np
from measured import benchmark
from places import BENCHMARKS, DOCS

AUDITED = json.loads((BENCHMARKS / "science" / "label_audit.json").read_text(encoding="utf-8"))


def test_the_audit_s_table_is_what_was_measured() -> None:
    table = benchmark("label_audit_table").table(AUDITED)
    assert table in (DOCS / "guide" / "label-audit.md").read_text(encoding="utf-8")
    assert len({cell["set"] for cell in AUDITED}) == 6
    assert len({cell["noise"] for cell in AUDITED}) == 5


def test_the_audit_is_at_least_cleanlab_on_average_and_on_each_data_set() -> None:
    for name in {cell["set"] for cell in AUDITED}:
        cells = [cell for cell in AUDITED if cell["set"] == name and cell["careful"] == 0]
        mean = {who: np.mean([cell[who] for cell in cells], axis=0) for who in ("margin", "adjusted margin", "audit")}
        assert mean["audit"][0] >= max(mean["margin"][0], mean["adjusted margin"][0]) - 0.001, name


NEXT = json.loads((BENCHMARKS / "science" / "label_next.json").read_text(encoding="utf-8"))


def test_what_labelling_next_brings_is_what_was_measured() -> None:
    table = benchmark("label_next_table").table(NEXT)
    assert table in (DOCS / "guide" / "label-next.md").read_text(encoding="utf-8")


def test_the_default_batch_gains_more_than_random_and_measures_without_bias() -> None:
    gain = {
        way: np.mean([cell[way][0] - cell["before"] for cell in NEXT]) for way in ("random", "half by margin, spread")
    }
    assert gain["half by margin, spread"] > gain["random"]
    off = [one for cell in NEXT for one in cell["half by margin, spread"][1]]
    assert abs(np.mean(off)) < 0.005


def test_the_coverage_of_estimates_is_what_was_measured() -> None:
    found = json.loads((BENCHMARKS / "science" / "estimate.json").read_text(encoding="utf-8"))
    assert benchmark("estimate_table").table(found) in (DOCS / "guide" / "estimate.md").read_text(encoding="utf-8")
