"""How well `outgrow audit` finds wrong labels, beside cleanlab's scores by logistic regression on the same features.

    python benchmarks/science/label_audit.py --json benchmarks/science/label_audit.json

The data sets and kinds of noise of `teach.py`. Of the cheap labels without a careful one: the area under the ROC curve of how
likely each is said to be wrong, and the share of wrong ones among the hundred that are said to be wrong most likely.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from itertools import product as product_of
from pathlib import Path
from typing import Any

import numpy as np
from label_audit_table import SIZES, table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from teach_data import KINDS, SETS, Draw, cheap_labels, drawn, unit
from teach_worlds import STUDENT, World, labelled, world

from outgrow.core.examples import Floats, Ints
from outgrow.execution.machine import Machine
from outgrow.execution.store import Store
from outgrow.questions.audit import CAREFUL, audit_files
from outgrow.questions.material import Place


def audited(of: World, rows: Draw, labels: Ints, careful: int, folder: Path) -> Floats:
    """How likely the product says the label of each of `rows.cheap` is wrong."""
    gold = rows.careful[:careful]
    file = labelled(of, folder / "labels.csv", np.concatenate([rows.cheap, gold]), labels)
    truth = labelled(of, folder / "gold.csv", gold, of.data.truth) if careful else None
    place = Place(Store(folder / "store"), Machine(device="cpu"))
    found = audit_files(file, text="text", columns=["label"], student=of.name, truth=truth, place=place)
    wrong = {one.text: one.wrong for one in found.labels if one.source != CAREFUL}
    return np.array([wrong[of.words[row]] for row in rows.cheap])


def cleanlab(features: Floats, labels: Ints) -> Mapping[str, Floats]:
    """How likely cleanlab says each label is wrong: `get_label_quality_scores`, with `adjust_pred_probs` for the last.

    Northcutt et al. 2021 (arXiv 1911.00068), section 3; Kuan & Mueller 2022, *Model-agnostic label quality scoring to
    detect real-world label errors*. The numbers are those of cleanlab 2.9.0 to 1e-7.
    """
    classes, given = np.unique(labels, return_inverse=True)
    p = cross_val_predict(LogisticRegression(max_iter=1000), features, given, cv=5, method="predict_proba")
    bars = np.array([p[given == c, c].mean() for c in range(len(classes))])
    moved = p - bars + bars.max()
    moved /= moved.sum(axis=1, keepdims=True)
    own = p[np.arange(len(given)), given]
    return {"self confidence": 1 - own, "margin": 1 - _margin(p, given), "adjusted margin": 1 - _margin(moved, given)}


def _margin(p: Floats, given: Ints) -> Floats:
    rows = np.arange(len(given))
    others = p.copy()
    others[rows, given] = -1
    found: Floats = (p[rows, given] - others.max(axis=1) + 1) / 2
    return found


def main(sets: Sequence[str], draws: int) -> list[dict[str, Any]]:
    """A row a data set, noise, draw and number of careful labels."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        for name in sets:
            of = world(name, Path(place) / name, STUDENT)
            for draw, kind, careful in product_of(range(draws), KINDS, SIZES):
                rows = drawn(of.data, draw)
                labels = cheap_labels(of.data, rows, kind, draw)
                folder = Path(place) / f"{name}-{draw}-{kind}-{careful}"
                folder.mkdir()
                scores = {**cleanlab(unit(of.data.features[STUDENT])[rows.cheap], labels[rows.cheap])}
                scores["audit"] = audited(of, rows, labels, careful, folder)
                wrong = labels[rows.cheap] != of.data.truth[rows.cheap]
                cell: dict[str, Any] = {"set": name, "noise": kind, "draw": draw, "careful": careful}
                for who, score in scores.items():
                    first = np.argsort(-score, kind="stable")[:100]
                    cell[who] = [round(float(roc_auc_score(wrong, score)), 4), round(float(wrong[first].mean()), 4)]
                found.append(cell)
                print(json.dumps(cell), flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    cells = main(asked.sets.split(","), asked.draws)
    if asked.json:
        asked.json.write_text("[\n" + ",\n".join(json.dumps(cell) for cell in cells) + "\n]\n", encoding="utf-8")
    print(table(cells))
