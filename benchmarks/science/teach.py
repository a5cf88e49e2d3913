"""How good `teach`'s student is beside the alternatives, on texts that nobody has seen.

    python benchmarks/science/teach.py --json benchmarks/science/teach.json

Public data sets, five kinds of noise in 2,000 cheap labels, and none, 50 or 200 careful ones; features are read once and
kept in the user's cache folder. Each text is one word of a static table whose vector is the cached feature, so that the
product's own steps do the rest.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as product_of
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from teach_data import AS_TAUGHT, KINDS, SETS, DataSet, Draw, cheap_labels, data_set, drawn, unit
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from outgrow.core.examples import Floats, Ints
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.store import Store
from outgrow.teaching.labels.dataset import Dataset
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.options import learning
from outgrow.teaching.steps import dataset_step
from outgrow.teaching.students import no_progress, trained
from outgrow.teaching.teach import Laboratory, teach, usual

STUDENT = "minilm"
SIZES = (0, 50, 200)  # careful labels


@dataclass(frozen=True)
class World:
    """A data set whose texts are words, a word the cached features of one text."""

    data: DataSet
    words: list[str]
    name: str  # of a student that reads them


def world(name: str, folder: Path, read: str = AS_TAUGHT) -> World:
    """A data set that both students of this benchmark have read. read: whose features."""
    return world_of(data_set(name, ("wordllama", STUDENT, AS_TAUGHT)), folder, read)


def world_of(data: DataSet, folder: Path, read: str) -> World:
    """The words are as long as the texts, as lengths tell of mistakes. read: whose features."""
    words = [f"{row}-".ljust(len(text), "x") for row, text in enumerate(data.texts)]
    folder.mkdir()
    tokenizer = Tokenizer(WordLevel({word: row for row, word in enumerate([*words, "?"])}, unk_token="?"))
    tokenizer.pre_tokenizer = WhitespaceSplit()  # type: ignore[assignment]
    tokenizer.save(str(folder / "tokenizer.json"))
    values = data.features[read]
    save_file(
        {"embedding.weight": np.vstack([values, 0 * values[:1]]).astype(np.float32)}, folder / "model.safetensors"
    )
    return World(data, words, f"static:{folder}")


def write(path: Path, rows: Sequence[tuple[str, Any]]) -> Path:
    """A CSV file of texts with labels."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *((text, f"c{label}") for text, label in rows)])
    return path


def product(of: World, rows: Draw, labels: Ints, careful: int, folder: Path, store: Path | None = None) -> float:
    """What the student that teach would keep by default gets right on unseen texts. store: where one is there already."""
    file = write(
        folder / "labels.csv", [(of.words[row], labels[row]) for row in [*rows.cheap, *rows.careful[:careful]]]
    )
    gold = [(of.words[row], of.data.truth[row]) for row in rows.careful[:careful]]
    truth = write(folder / "gold.csv", gold) if gold else None
    sources: dict[str, Any] = {}
    pool = dataset_step(file, Reading.of("text"), Form.of(["label"]), truth, "label" if gold else None, sources)
    choices = learning(of.name, None, careful=careful > 0)
    laboratory = Laboratory(
        Store(store or folder / "store"), Machine(device="cpu"), {**sources, **choices[0].learner.sources}, Silent()
    )
    data = Dataset.load(*laboratory.made([pool]))
    made = teach(pool, usual(choices, data, careful=careful > 0), laboratory, worth=False)
    step = laboratory.trained(made.student)
    student = trained(made.learner.spec, made.learner.location, step.params, laboratory.opened(step))
    answers = student.reader("cpu")([of.words[row] for row in rows.unseen], no_progress)
    return float((answers.argmax(axis=1) == of.data.truth[rows.unseen]).mean())


def alternatives(data: DataSet, rows: Draw, labels: Ints, careful: int) -> dict[str, float]:
    """What others get right on unseen texts: logistic regressions on MiniLM's sentence embeddings, scikit-learn's options."""
    features, truth, gold = unit(data.features[STUDENT]), data.truth, rows.careful[:careful]

    def of(learned: Ints, targets: Ints, weights: Floats | None = None) -> float:
        if len(set(targets.tolist())) < 2:
            return float((truth[rows.unseen] == targets[0]).mean())
        model = LogisticRegression(max_iter=1000).fit(features[learned], targets, weights)
        return float(model.score(features[rows.unseen], truth[rows.unseen]))

    kept = rows.cheap[~pruned(features[rows.cheap], labels[rows.cheap])]
    found = {
        "labels": float((labels[rows.unseen] == truth[rows.unseen]).mean()),
        "cheap alone": of(rows.cheap, labels[rows.cheap]),
        "confident learning": of(kept, labels[kept]),
        "ceiling": of(both := np.concatenate([rows.cheap, gold]), truth[both]),
    }
    if careful:
        for name, some in (("careful x 10", rows.cheap), ("confident learning, careful x 10", kept)):
            targets = np.concatenate([labels[some], truth[gold]])
            weights = np.repeat([1.0, 10.0], [len(some), careful])
            found[name] = of(np.concatenate([some, gold]), targets, weights)
        found["careful alone"] = of(gold, truth[gold])
    return found


def pruned(features: Floats, labels: Ints) -> Any:
    """Which labels confident learning takes to be wrong, `[n]`: `prune_by_noise_rate` of cleanlab's `find_label_issues`.

    Northcutt et al. 2021 (arXiv 1911.00068), section 3: a label is confidently another class where that one's out-of-sample
    probability reaches its mean over the texts that are labelled so; of each pair of classes as many texts are pruned as
    the confident joint says, those of the largest margin first.
    """
    classes, given = np.unique(labels, return_inverse=True)
    opinion = cross_val_predict(LogisticRegression(max_iter=1000), features, given, cv=5, method="predict_proba")
    bars = np.array([opinion[given == c, c].mean() for c in range(len(classes))])
    above = opinion >= bars
    confident = np.where(above.any(axis=1), np.where(above, opinion, -1).argmax(axis=1), -1)
    joint = np.zeros((len(classes), len(classes)))
    np.add.at(joint, (given[confident >= 0], confident[confident >= 0]), 1)
    joint *= np.bincount(given)[:, None] / np.maximum(joint.sum(axis=1, keepdims=True), 1)
    wrong = np.zeros(len(labels), dtype=np.bool_)
    for a in range(len(classes)):
        of_class = np.flatnonzero(given == a)
        for b in range(len(classes)):
            if a != b:
                margin = opinion[of_class, b] - opinion[of_class, a]
                wrong[of_class[np.argsort(-margin)[: round(joint[a, b])]]] = True
    return wrong


def main(sets: Sequence[str], draws: int, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """A row a data set, noise, draw and number of careful labels."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        for name in sets:
            of = world(name, Path(place) / name)
            for draw, kind, careful in product_of(range(draws), KINDS, sizes):
                rows = drawn(of.data, draw)
                labels = cheap_labels(of.data, rows, kind, draw)
                folder = Path(place) / f"{name}-{draw}-{kind}-{careful}"
                folder.mkdir()
                scores = {"teach": product(of, rows, labels, careful, folder)}
                scores |= alternatives(of.data, rows, labels, careful)
                cell = {"set": name, "noise": kind, "draw": draw, "careful": careful}
                found.append({**cell, **{of_what: round(value, 4) for of_what, value in scores.items()}})
                print(json.dumps(found[-1]), flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    cells = main(asked.sets.split(","), asked.draws, [int(size) for size in asked.sizes.split(",")])
    if asked.json:
        lines = ",\n".join(json.dumps(cell) for cell in cells)
        asked.json.write_text(f"[\n{lines}\n]\n")
