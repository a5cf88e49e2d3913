"""Real data: the task in the package, and, where the project's data folder is, AG News and a real crowd's votes."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from places import DATA

from outgrow.core.examples import harden
from outgrow.core.identity import content_id
from outgrow.core.pool import Pool
from outgrow.core.registry import find
from outgrow.models.label_sources.label_file import read_given
from outgrow.tasks.files import file_task
from outgrow.tasks.pool import build_pool, deal
from outgrow.tasks.sentiment import fingerprint, sentiment


@pytest.fixture
def data() -> Path:
    """The project's data folder beside the repository; where CI is set, its absence is a failure."""
    if not DATA.is_dir():
        reason = f"there is no {DATA}, so real data is not tested"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return DATA


def test_sentiment_is_3000_sentences_of_three_sources() -> None:
    raw = find("tasks", "sentiment").load()()
    assert Counter(zip(raw.columns["source"], raw.labels, strict=True)) == {
        (source, label): 500 for source in ("amazon", "imdb", "yelp") for label in (0, 1)
    }
    assert raw.inputs[0] == "So there is no way for me to plug it in here in the US unless I go by a converter."
    assert fingerprint() == "20d975d68a9920a729683e2a251a7d0cc5d6283e2cfab9e6e651187725053ab7"
    pool = build_pool(raw, test_rows=1000, balance=True)
    assert (len(pool), pool.classes) == (2982, ("0", "1"))
    assert pool.notes == (
        "17 exact duplicates were merged",
        "8 texts differ from others in case, white space or Unicode form alone, and stay in one split with them",
        "1 row left out of all splits: in a group with test rows",
    )
    assert int(pool.labels[pool.test].sum()) in (499, 500)
    assert {part: len(rows) for part, rows in deal(pool, 0, weak_train=800, transfer=1100, validation=82).items()} == {
        "weak_train": 800,
        "transfer": 1100,
        "validation": 82,
    }


def test_sentiment_is_the_published_files(data: Path) -> None:
    raw = sentiment()
    ours = Counter(zip(raw.columns["source"], raw.inputs, raw.labels, strict=True))
    theirs: Counter[tuple[str, str, int]] = Counter()
    for source, name in (("amazon", "amazon_cells"), ("imdb", "imdb"), ("yelp", "yelp")):
        with gzip.open(data / f"{name}_sentences" / "train.jsonl.gz", "rt", encoding="utf-8", newline="\n") as lines:
            theirs.update((source, row["text"], row["label"]) for row in map(json.loads, lines))
    assert ours == theirs


def test_ag_news_has_four_classes(data: Path) -> None:
    raw = file_task(data / "ag_news" / "test.jsonl.gz", text="{title}. {description}", label="label")
    pool = build_pool(raw, test_rows=1000, balance=True)
    assert pool.classes == ("1", "2", "3", "4")
    assert np.bincount(pool.labels[pool.test]).tolist() == [250, 250, 250, 250]
    assert len(pool) + sum(int(note.split()[0]) for note in pool.notes) == 7600
    dealt = deal(pool, 3, weak_train=2000, transfer=2000, validation=500)
    assert [len(set(pool.labels[rows])) for rows in dealt.values()] == [4, 4, 4]


def test_a_real_crowd_votes_on_commonsense_questions(data: Path, tmp_path: Path) -> None:
    file = data / "commonsense_qa_2" / "train.jsonl.gz"
    pool = build_pool(file_task(file, text="question", label="answer"), test_rows=1000, balance=True)
    pool.save(tmp_path)
    votes: dict[str, list[str]] = {}
    abstained = 0
    with gzip.open(file, "rt", encoding="utf-8") as lines, (tmp_path / "crowd.jsonl").open("w") as crowd:
        for row in map(json.loads, lines):
            for annotator, vote in enumerate(row["validations"]):
                said = vote if vote in pool.classes else None  # "bad question", "sensitive", "don't know"
                crowd.write(json.dumps({"id": row["id"], "annotator": annotator, "label": said}) + "\n")
                if said is None:
                    abstained += 1
                else:
                    votes.setdefault(content_id(row["question"]), []).append(said)
    labels = read_given(tmp_path / "crowd.jsonl", tmp_path, on="id")
    again = Pool.load(tmp_path)
    for row in range(0, len(again), 97):
        cast = votes.get(str(again.ids[row]), [])
        shares = [cast.count(name) / len(cast) if cast else np.nan for name in again.classes]
        assert labels.probabilities[row].tolist() == pytest.approx(shares, nan_ok=True)
    assert labels.counts["blank"] == abstained
    assert labels.counts["unmatched"] == 0
    covered = ~np.isnan(labels.probabilities).any(axis=1)
    right = harden(labels.probabilities[covered], again.ids[covered]) == again.labels[covered]
    assert covered.mean() == pytest.approx(0.925, abs=0.001)
    assert right.mean() == pytest.approx(0.955, abs=0.001)  # a crowd is good and not perfect
