"""Data sets, cheap labels with five kinds of noise, and cached features: what `benchmarks/science/teach.py` measures on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from outgrow.core.examples import Floats, Ints
from outgrow.core.identity import content_id
from outgrow.execution.store import default_store
from outgrow.teaching.options import learner, student_spec
from outgrow.teaching.students import no_progress

DATA = Path(__file__).parents[3] / "shared" / "data"
CACHE = default_store().parent / "benchmarks"
ROWS = 3750  # of a data set at most
CHEAP, CAREFUL, TAUGHT = 2000, 200, 300  # rows with cheap labels alone, with careful ones, of the weak model
AS_TAUGHT = "minilm as taught"  # as `teach` reads it by default
WRITTEN: Mapping[str, Any] = {"minilm": {"probe": "minilm", "layer": -1}, AS_TAUGHT: "minilm"}  # student -> its entry
KINDS = ("uniform", "class", "length", "features", "weak model")

# name -> files, and the text and label of a row
SETS: Mapping[str, tuple[tuple[str, ...], Callable[[Any], tuple[str, str]]]] = {
    "sst2": (("sst2/train",), lambda row: (row["text"], str(row["label"]))),
    "cr": (("cr/train",), lambda row: (row["text"], str(row["label"]))),
    "ag_news": (("ag_news/test",), lambda row: (f"{row['title']}: {row['description']}", str(row["label"]))),
    "tweets": (("tweet_sentiment/test",), lambda row: (row["text"], str(row["label"]))),
    "quail": (
        ("quail/validation", "quail_challenge/test"),
        lambda row: (row["question"], row["question_type"]),
    ),
    "justice": (("ethics_justice/train",), lambda row: (row["scenario"], str(row["label"]))),
}


@dataclass(frozen=True)
class DataSet:
    """n distinct texts with their truth, and what two models read in them."""

    texts: list[str]
    truth: Ints
    classes: int
    features: Mapping[str, Floats]  # student -> [n, d]


def data_set(name: str, students: tuple[str, ...], rows: int = ROWS) -> DataSet:
    """The first rows of a data set in the order of their content ids; features are computed once and kept."""
    files, of_row = SETS[name]
    known: dict[str, str] = {}
    for file in files:
        with gzip.open(DATA / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
            known.update(of_row(json.loads(line)) for line in lines)
    texts = sorted(known, key=content_id)[:rows]
    names = sorted({known[text] for text in texts})
    truth = np.array([names.index(known[text]) for text in texts])
    return DataSet(
        texts, truth, len(names), {one: _features(f"{name}-{one}-{rows}.npy", one, texts) for one in students}
    )


def _features(file: str, student: str, texts: list[str]) -> Floats:
    path = CACHE / file
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        found = learner(student_spec(WRITTEN.get(student, student)))
        np.save(path, found.spec.options.features(texts, found.location, "cpu", no_progress).values)
    values: Floats = np.load(path)
    return values


@dataclass(frozen=True)
class Draw:
    """Which rows are which: to learn from with cheap labels alone, with careful ones as well, and unseen."""

    cheap: Ints
    careful: Ints
    unseen: Ints
    taught: Ints  # what the weak model learned


def drawn(data: DataSet, draw: int) -> Draw:
    """The rows in a random order, dealt."""
    order = np.random.default_rng([1, draw]).permutation(len(data.texts))
    cheap = min(CHEAP, len(order) - CAREFUL - TAUGHT - 1000)
    ends = np.cumsum([cheap, CAREFUL, TAUGHT])
    return Draw(
        *(np.asarray(part) for part in (*np.split(order, ends)[:2], order[ends[2] :], order[ends[1] : ends[2]]))
    )


def cheap_labels(data: DataSet, rows: Draw, kind: str, draw: int) -> Ints:
    """A cheap label for each row, `[n]`: wrong on about a third of them.

    uniform: any other class on 30%. class: 10% of the first class to 45% of the last become the next one. length: any
    other class, on 2% of the shortest texts to 55% of the longest. features: the same class whatever it is, on the texts
    at one end of a direction in static embeddings. weak model: a head on static embeddings that learned 300
    texts.
    """
    random = np.random.default_rng([2, draw, KINDS.index(kind)])
    n, classes, truth = len(data.texts), data.classes, data.truth
    static = data.features["wordllama"]
    other: Ints = (truth + random.integers(1, classes, n)) % classes
    if kind == "weak model":
        head = LogisticRegression(C=1.0, max_iter=1000).fit(unit(static[rows.taught]) * 8, truth[rows.taught])
        found: Ints = head.predict(unit(static) * 8)
        return found
    rate: Floats
    if kind == "class":
        rate, other = np.linspace(0.1, 0.45, classes)[truth], (truth + 1) % classes
    elif kind == "length":
        rate = 0.02 + 0.53 * _rank(np.array([len(text) for text in data.texts]))
    elif kind == "features":
        direction = random.standard_normal(static.shape[1])
        rate = np.clip(2.5 * _rank((static - static.mean(axis=0)) @ direction) - 0.9, 0, 1)
        other = np.full(n, random.integers(classes))
    else:
        rate = np.full(n, 0.3)
    return np.where(random.random(n) < rate, other, truth)


def _rank(values: NDArray[Any]) -> Floats:
    """Where each value stands among all, 0 to 1."""
    found: Floats = values.argsort(kind="stable").argsort(kind="stable") / (len(values) - 1)
    return found


def unit(values: Floats) -> Floats:
    found: Floats = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return found
