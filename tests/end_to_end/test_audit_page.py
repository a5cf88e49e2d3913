"""The tables of docs/audit.md and docs/reference/statistics.md are what the benchmarks wrote, and nothing is left out."""

from __future__ import annotations

import pytest
from measured import benchmark
from places import BENCHMARKS

page = benchmark("audit_page")


@pytest.mark.parametrize("path", page.PAGES, ids=lambda path: path.name)
def test_the_page_has_what_was_measured(path) -> None:  # type: ignore[no-untyped-def]
    text = path.read_text(encoding="utf-8")
    assert page.MARKED.search(text)
    assert text == page.written(text), "run python benchmarks/science/audit_page.py"


def test_every_table_stands_on_a_page() -> None:
    marks = {mark[1] for path in page.PAGES for mark in page.MARKED.findall(path.read_text(encoding="utf-8"))}
    assert marks == set(page.TABLES)


def test_coverage_is_near_what_it_should_be() -> None:
    """The claim of the page: at five and ten seeds, what is printed most holds the truth in .93 to .98 of experiments."""
    rows = [row for row in page.measured("comparisons")["coverage"] if row["seeds"] >= 5]
    kinds = ("gain (student - weak)", "PGR", "accuracy, .70", "difference of two methods", "equivalent labels or rung")
    shares = [row["held"] for row in rows if row["what"] in kinds]
    assert len(shares) == 40
    assert min(shares) >= 0.93
    assert max(shares) <= 0.98
    assert 0.945 <= sum(shares) / len(shares) <= 0.96


def test_intervals_of_a_choice_hold_what_is_true_of_it() -> None:
    rows = [row for row in page.measured("choose")["simulated"] if row["candidates"] <= 10]
    shares = [row[what] for row in rows for what in ("accuracy", "gain")]
    assert len(shares) == 48
    assert min(shares) >= 0.93
    assert max(shares) <= 0.98


def test_a_truth_that_is_itself_measured_widens_an_interval_by_its_error() -> None:
    assert page.holds([0.5, 0.4, 0.6, 0.6, 0.0])
    assert not page.holds([0.5, 0.4, 0.6, 0.61, 0.0])
    assert page.holds([0.5, 0.4, 0.6, 0.61, 0.03])


def test_false_alarms_are_as_rare_as_they_should_be() -> None:
    shares = [row["share"] for row in page.measured("comparisons")["type_one"]]
    assert len(shares) == 36
    assert max(shares) <= 0.065
    assert sum(shares) / len(shares) <= 0.05


def test_both_worlds_and_all_sizes_were_measured() -> None:
    found = page.measured("comparisons")["coverage"]
    assert {(row["model"], row["rows"], row["seeds"]) for row in found} == {
        (model, rows, seeds) for model in page.MODELS for rows in page.ROWS for seeds in page.SEEDS
    }
    assert {path.name for path in BENCHMARKS.glob("science/*.json")} >= {"coverage.json", "comparisons.json"}
