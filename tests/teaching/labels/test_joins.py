"""Which rule joins several voters: chosen by careful labels, never by those that the student is then scored on."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from measured import benchmark
from places import DOCS, ROOT

from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.store import Store
from outgrow.models.label_sources.aggregate import join_answers, usual_rule
from outgrow.teaching.labels.joins import Joins, best_join
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.options import learning
from outgrow.teaching.report import Report
from outgrow.teaching.sentences import sentences
from outgrow.teaching.steps import dataset_step, folds
from outgrow.teaching.teach import Laboratory, Work, work_on
from outgrow.teaching.teach_files import teach_files


def scores(*shares: float, rows: int = 200) -> np.ndarray:
    """`[rules, rows]`: 1 on the first rows, in each share."""
    return np.stack([np.arange(rows) < round(share * rows) for share in shares]).astype(float)


def test_the_safest_rule_stays_unless_another_is_clearly_better() -> None:
    assert best_join(scores(0.7, 0.6, 0.65)) == 0
    assert best_join(scores(0.7, 0.6, 0.75)) == 2  # ten rows more, none less: one standard error is 1.5 points
    random = np.random.default_rng(0)
    noisy = (random.random((2, 200)) < [[0.70], [0.71]]).astype(float)
    more = noisy[1] - noisy[0]
    assert 0 < more.mean() < more.std(ddof=1) / np.sqrt(200)
    assert best_join(noisy) == 0
    assert best_join(np.empty((3, 0))) == best_join(np.ones((1, 5))) == best_join(np.array([[0.0], [1.0]])) == 0


def files(folder: Path, careful: int = 120) -> Path:
    """Seven voters, of whom three copy one that is often wrong: Dawid-Skene believes them, the majority less."""
    random = np.random.default_rng(1)
    truth = random.integers(0, 2, 400)
    copied = np.where(random.random(400) < 0.55, truth, 1 - truth)
    others = [np.where(random.random(400) < 0.75, truth, 1 - truth) for _ in range(4)]
    names = [f"v{place}" for place in range(7)]
    texts = [f"text {row} {'good' if row % 3 else 'bad'}" for row in range(400)]
    for name, header, rows in (
        ("labels.csv", ["text", *names], [*zip(texts, copied, copied, copied, *others, strict=True)]),
        ("gold.csv", ["text", "label"], [*zip(texts[:careful], truth, strict=False)]),
    ):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, tiny: str) -> Work:
    folder = files(tmp_path_factory.mktemp("voters"))
    sources: dict[str, Any] = {}
    form = Form.of([f"v{place}" for place in range(7)])
    pool = dataset_step(folder / "labels.csv", Reading.of("text"), form, folder / "gold.csv", "label", sources)
    learner = learning(tiny, None)[0].learner
    laboratory = Laboratory(Store(folder / "store"), Machine(device="cpu"), {**sources, **learner.sources}, Silent())
    return work_on(pool, laboratory, 0)


def test_careful_labels_choose_the_join(work: Work) -> None:
    accuracy = {one["by"]: one["accuracy"] for one in work.joins.described}
    assert list(accuracy) == ["pseudo_votes", "majority", "one_coin", "mace"]
    assert accuracy["majority"] > accuracy["pseudo_votes"] + 0.05
    assert work.joins.best.by == "majority"
    assert work.plan.labels.params["by"] == "majority"
    np.testing.assert_array_equal(work.evidence.cheap, work.joins.best.evidence.cheap)


def test_no_fold_has_a_part_in_its_own_join(work: Work) -> None:
    """Whatever the careful labels of a fold are, its students learn from the same labels, and its labels score the same."""
    parts = folds(work.evidence.careful_groups, 0)
    close = np.ones((len(work.joins.tried), len(work.joins.both)))
    close[0, [part[0] for part in parts[:4]]] = 0
    close[1:, [part[0] for part in parts[4:6]]] = 0
    joins = Joins(work.joins.tried, close, work.joins.both, seed=0)
    assert len(close[0]) == 120  # all have votes, so that positions among them are positions in folds
    # Right on two more, but by less than a standard error; not so where one of the two folds with its mistakes is held out.
    assert joins.best is joins.tried[0]
    assert [joins.tried.index(join) for join in joins.of_folds] == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0]
    for place, part in enumerate(parts):
        here = np.isin(joins.both, part)
        other = close.copy()
        other[:, here] = 1 - close[:, here]
        changed = Joins(joins.tried, other, joins.both, seed=0)
        assert changed.of_folds[place] is joins.of_folds[place]
        chosen = joins.tried.index(joins.of_folds[place])
        np.testing.assert_array_equal(joins.scores[here], close[chosen, here])
    assert [plan.labels for plan in work.of_folds] == [join.step for join in work.joins.of_folds]


@pytest.mark.slow
def test_the_account_says_how_voters_were_joined(tmp_path: Path, tiny: str) -> None:
    files(tmp_path)
    report = teach_files(
        tmp_path / "labels.csv",
        text="text",
        columns=[f"v{place}" for place in range(7)],
        truth=tmp_path / "gold.csv",
        student=tiny,
        out=tmp_path / "student",
        store=tmp_path / "store",
    )
    assert report.joined_by == "majority"
    assert report.gain is not None
    assert report.cheap_accuracy is not None
    assert any("The cheap labels, joined by majority, are right on" in one for one in sentences(report.plain()))
    card = (tmp_path / "student" / "README.md").read_text()
    assert "joined by majority (chosen by the careful labels; right on: " in card
    assert [one["column"] for one in report.without] == [f"v{place}" for place in range(7)]
    for one in report.without:
        does = "loses" if one["estimate"] >= 0 else "gains"
        assert f"Without it, a student of the cheap labels alone {does} {abs(100 * one['estimate']):.1f} points" in card
    assert Report.read(report.plain()).without == report.without
    assert json.loads((tmp_path / "student" / "student.json").read_text())["numbers"]["joined_by"] == "majority"


def test_without_careful_labels_rules_are_joined_by_majority_and_others_by_pseudo_votes() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 2, 300)
    crowd = np.where(random.random((300, 5)) < [0.9, 0.6, 0.6, 0.55, 0.55], truth[:, None], 1 - truth[:, None])
    rules = np.where((crowd == [0, 1, 0, 1, 1]) & (random.random((300, 5)) < 0.5), crowd, -1)
    assert usual_rule(3, hard=True) == "safest"
    for answers, by in ((crowd, "pseudo_votes"), (rules, "majority")):
        safest = join_answers(answers, 2, "safest").probabilities
        np.testing.assert_array_equal(safest, join_answers(answers, 2, by).probabilities)
        assert not np.array_equal(safest, join_answers(answers, 2, "dawid_skene").probabilities, equal_nan=True)


def test_the_table_of_joins_is_what_the_benchmark_measured() -> None:
    found = json.loads((ROOT / "benchmarks" / "science" / "joins.json").read_text())
    assert benchmark("joins").table(found) in (DOCS / "guide" / "teach.md").read_text(), (
        "run python benchmarks/science/joins.py and take its table"
    )
    for row in found:  # what the page claims
        assert row["accuracy"]["chosen by 50"] > row["accuracy"]["majority"] - 0.01, row["name"]
