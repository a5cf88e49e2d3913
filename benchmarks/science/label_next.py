"""What labelling 100 more texts brings, by how they are chosen: at random, the least sure ones, or as `outgrow next` draws.

    python benchmarks/science/label_next.py --json benchmarks/science/label_next.json

The data sets and noises of `teach.py`, 50 careful labels. A logistic regression on the same features learns the cheap labels
and the careful ones as ten, a hundred cheap labels are replaced by the truth, and it learns again. Accuracy on unseen texts,
and how far the accuracy that is estimated from the hundred is from the one over all texts with cheap labels.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from label_next_table import WAYS, table
from sklearn.linear_model import LogisticRegression
from teach_data import KINDS, SETS, DataSet, Draw, cheap_labels, data_set, drawn, unit
from teach_worlds import STUDENT

from outgrow.core.examples import Floats, Ints
from outgrow.questions.measures.sampling import inclusion, margins, spread, systematic, weighted

ROWS, CAREFUL = 100, 50
LEARNED, ESTIMATED = 2, 25  # batches of each kind that are learned from, and that accuracy is estimated by


def chosen(way: str, together: Ints, opinion: Floats, seed: int) -> tuple[Ints, Floats]:
    """The rows to label, and the probability of each row. together: an order in which like rows stand together."""
    unsure = 1 - margins(opinion)
    if way == "least margin":
        return np.argsort(-unsure, kind="stable")[:ROWS], np.ones(len(opinion))
    random, order = {
        "random": (1.0, None),
        "spread": (1.0, together),
        "half by margin": (0.5, None),
        "half by margin, spread": (0.5, together),
        "by margin, spread": (0.1, together),
    }[way]
    probability = inclusion(unsure**2, ROWS, random)
    if order is None:
        order = np.random.default_rng([seed, 7]).permutation(len(opinion))
    return systematic(probability, order, seed), probability


def learned(data: DataSet, labels: Ints, rows: Draw, more: Ints) -> LogisticRegression:
    """A student of the cheap labels and of 50 careful ones, and of more."""
    features, known = unit(data.features[STUDENT]), np.concatenate([rows.careful[:CAREFUL], more])
    rest = np.setdiff1d(rows.cheap, more)
    targets = np.concatenate([labels[rest], data.truth[known]])
    weights = np.repeat([1.0, 10.0], [len(rest), len(known)])
    return LogisticRegression(max_iter=300).fit(features[np.concatenate([rest, known])], targets, weights)


def main(sets: Sequence[str], draws: int) -> list[dict[str, Any]]:
    """A row a data set, noise and draw."""
    found = []
    for name in sets:
        data = data_set(name, ("wordllama", STUDENT))
        features, truth = unit(data.features[STUDENT]), data.truth
        for draw in range(draws):
            for kind in KINDS:
                rows = drawn(data, draw)
                labels = cheap_labels(data, rows, kind, draw)
                model = learned(data, labels, rows, rows.cheap[:0])
                opinion = model.predict_proba(features[rows.cheap])
                right = (opinion.argmax(axis=1) == truth[rows.cheap]).astype(np.float64)
                before = float((model.predict(features[rows.unseen]) == truth[rows.unseen]).mean())
                cell: dict[str, Any] = {"set": name, "noise": kind, "draw": draw, "before": round(before, 4)}
                together = spread(features[rows.cheap], opinion, 0)
                for way in WAYS:
                    after, off = [], []
                    for seed in range(1 if way == "least margin" else ESTIMATED):
                        drawn_rows, probability = chosen(way, together, opinion, 100 * draw + seed)
                        off.append(weighted(right[drawn_rows], probability[drawn_rows]).estimate - right.mean())
                        if seed < LEARNED:
                            again = learned(data, labels, rows, rows.cheap[drawn_rows])
                            after.append((again.predict(features[rows.unseen]) == truth[rows.unseen]).mean())
                    cell[way] = [round(float(np.mean(after)), 4), [round(float(one), 4) for one in off]]
                found.append(cell)
                print(json.dumps(cell), flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    cells = main(asked.sets.split(","), asked.draws)
    if asked.json:
        asked.json.write_text("[\n" + ",\n".join(json.dumps(cell) for cell in cells) + "\n]\n", encoding="utf-8")
    print(table(cells))
