"""How good `teach`'s student is beside the alternatives, on texts that nobody has seen.

    python benchmarks/science/teach.py --json benchmarks/science/teach.json

Public data sets, five kinds of noise in 2,000 cheap labels, and none, 50 or 200 careful ones; features are read once and
kept in the user's cache folder (teach_worlds.py).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from itertools import product as product_of
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from teach_data import KINDS, SETS, DataSet, Draw, cheap_labels, drawn, unit
from teach_worlds import STUDENT, World, labelled, right, taught, world

from outgrow.core.examples import Floats, Ints

SIZES = (0, 50, 200)  # careful labels


def product(of: World, rows: Draw, labels: Ints, careful: int, folder: Path, store: Path | None = None) -> float:
    """What the student that teach keeps by default gets right on unseen texts. store: where one is there already."""
    few = rows.careful[:careful]
    file = labelled(of, folder / "labels.csv", np.concatenate([rows.cheap, few]), labels)
    gold = labelled(of, folder / "gold.csv", few, of.data.truth) if careful else None
    taught(of, file, gold, store=store)
    return float(right(of, folder, rows.unseen).mean())


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
