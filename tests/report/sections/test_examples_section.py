"""Examples by outcome: counted over all seeds, those at the most seeds first, with how often each model is right."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Opened, written
from grids import grid

from outgrow.report.scene import read
from outgrow.report.sections.examples import ANCHOR, browsable
from outgrow.results.cells import Scored, cells_of

SEEDS = 3


def three_classes(path: Path) -> Path:
    return grid(path, strong=["probe:one"], classes=["no", "maybe", "yes"], n=90, seeds=range(SEEDS))


def outcomes(run: Any, place: int) -> dict[str, Any]:
    """By outcome: at how many seeds each test example has it, from the predictions themselves."""
    truth = run.scored.test("reviews").truth
    found = dict.fromkeys(("corrected", "spoiled", "copied", "other", "both"), 0)
    for one in cells_of(run.asked)[place]:
        weak, student = (run.scored.hard(one.models[role]) for role in ("weak", "student"))
        found["corrected"] += (weak != truth) & (student == truth)
        found["spoiled"] += (weak == truth) & (student != truth)
        found["copied"] += (weak != truth) & (student == weak)
        found["other"] += (weak != truth) & (student != truth) & (student != weak)
        found["both"] += (weak == truth) & (student == truth)
    return found


@pytest.mark.parametrize("classes", [2, 3])
def test_outcomes_are_counted_over_all_seeds(browser: Any, tmp_path: Path, classes: int) -> None:
    folder = grid(tmp_path / "run", classes=["no", "yes", "maybe"][:classes], n=90, seeds=range(SEEDS))
    (run,) = read([folder])
    shown = Opened(browser, written(folder))
    page = shown.page
    page.select_option("#example-cell", index=3)
    ids = run.scored.test("reviews").ids.tolist()
    for outcome, times in outcomes(run, 3).items():
        total = int(times.sum())
        option = page.locator(f"#example-kind option[value={outcome}]")
        if total == 0:
            assert option.count() == 0
            continue
        assert option.text_content().endswith(f"({total})")
        page.select_option("#example-kind", outcome)
        while page.locator("#example-more").is_visible():
            page.click("#example-more")
        assert page.locator("#example-count").text_content().startswith(f"{total} of {90 * SEEDS} predictions have")
        items = page.locator("#example-list li").evaluate_all("items => items.map(item => [item.id, item.textContent])")
        assert len(items) == (times > 0).sum()  # all 90 examples fit into the page
        said = [int(re.search(r"this outcome\s*at (\d) of 3 seeds", text)[1]) for _, text in items]  # type: ignore[index]
        places = {one[:ANCHOR]: place for place, one in enumerate(ids)}
        assert said == [times[places[name.removeprefix("example-")]] for name, _ in items]
        assert said == sorted(said, reverse=True)
    cells = page.locator("#example-outcomes td").all_text_contents()
    found = {name: int(times.sum()) for name, times in outcomes(run, 3).items()}
    wrong = found["copied"] + found["other"]
    expected = [found["both"], found["spoiled"], found["corrected"], wrong]
    assert [int(text.split(" ")[0]) for text in cells] == expected
    assert sum(expected) == 90 * SEEDS
    assert (f"{found['copied']} with the same class" in cells[3]) == (classes == 3)
    shown.close()


def test_how_often_a_model_is_right(browser: Any, tmp_path: Path) -> None:
    folder = three_classes(tmp_path / "run")
    (run,) = read([folder])
    shown = Opened(browser, written(folder))
    item = shown.page.locator("#example-list li").first
    row = [one[:ANCHOR] for one in run.scored.test("reviews").ids.tolist()].index(
        item.get_attribute("id").removeprefix("example-")
    )
    truth = run.scored.test("reviews").truth[row]
    for role, term in (("weak", "supervisor"), ("student", "student"), ("ceiling", "ceiling")):
        right = sum(run.scored.hard(one.models[role])[row] == truth for one in cells_of(run.asked)[0])  # type: ignore[index]
        answer = item.locator(f"dl div:has(dt:text-is('{term}'))").text_content()
        assert f"right at {right} of 3 seeds" in answer
    shown.close()


def test_one_seed_says_nothing_of_seeds(browser: Any, tmp_path: Path) -> None:
    shown = Opened(browser, written(grid(tmp_path / "run", strong=["probe:one"], n=40, seeds=[7])))
    assert "seeds" not in shown.page.locator("#examples").text_content()
    assert "Of 40 test examples, seed 7" in shown.page.locator("#example-outcomes").text_content()
    shown.close()


def test_labels_that_leave_examples_out_at_one_seed(tmp_path: Path) -> None:
    (run,) = read([three_classes(tmp_path / "run")])
    tables = run.scored.tables
    values = dict(tables.probabilities)
    one = run.asked[1]
    weak = one.models["weak"]
    assert weak is not None
    values[weak] = np.where(np.arange(90)[:, None] < 5, np.nan, values[weak])
    made = browsable([dataclasses.replace(run, scored=Scored(dataclasses.replace(tables, probabilities=values)))])
    first, *_, last = made["cells"]
    assert (first["counts"], first["times"]) == ({}, {})
    assert made["answers"][first["weak"]]["right"] is None
    assert set(last["times"]) == {"both", "copied"}
