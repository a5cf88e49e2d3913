"""Does CROWDLAB, the join that sees a student's opinions, teach a better student than a join of the votes alone?

    python benchmarks/science/crowdlab.py

Writes crowdlab.json beside it. A few minutes on one core. Four data sets; keyword rules and made crowds as voters; heads on
MiniLM's features. Accuracy of labels is of the texts with a vote; of students, of texts that nobody has seen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joins import RULE_SETS, rules_for
from sklearn.linear_model import LogisticRegression
from teach_data import AS_TAUGHT, DataSet, data_set, unit

from outgrow.core.examples import Floats, Ints, harden
from outgrow.models.label_sources.aggregate import join_answers
from outgrow.teaching.labels.correction import Clues, corrected, dealt, lengths

HERE = Path(__file__).parent
SETS = ("sst2", "cr", "ag_news", "tweets")
CROWDS = ((2, 0.65), (3, 0.65), (5, 0.6))  # votes a text, mean accuracy of a worker
DRAWS, TEXTS, CAREFUL = 2, 2000, 200
RULES_SEE = 600  # labelled texts that the words of rules are taken from


def crowdlab(answers: Ints, opinion: Floats) -> Floats:
    """Labels `[n, classes]` from votes `[n, voters]`, -1 where silent, and a student's out-of-sample opinions.

    Goh, Tkachenko & Mueller 2022 (arXiv 2210.06812), section 3: a mean of the student's probabilities and of each vote as a
    distribution, weighed by how much better each does than always naming the commonest class.
    """
    n, classes = opinion.shape
    counts = (answers[:, :, None] == np.arange(classes)).sum(axis=1)
    given = counts.sum(axis=1)
    several = given > 1
    # The consensus: the most votes, ties by the student, then by the first class.
    consensus = (counts + 0.5 * opinion).argmax(axis=1)
    constant = np.bincount(consensus[several], minlength=classes).argmax()
    base = float((consensus[several] == constant).mean())
    of_model = float((opinion.argmax(axis=1) == consensus)[several].mean())
    agreement = float((counts[several, consensus[several]] / given[several]).mean())
    weights = []
    for column in answers.T:
        rows = np.flatnonzero((column >= 0) & several)
        same = (counts[rows, column[rows]] - 1).sum() if len(rows) else 0
        others = (given[rows] - 1).sum()
        weights.append(max(1 - (1 - same / others) / (1 - base), 1e-6) if others else 1e-6)
    weight = max(1 - (1 - of_model) / (1 - base), 1e-6) * np.sqrt(given[given > 0].mean())
    total, sums = np.full(n, weight), weight * opinion
    for column, of_voter in zip(answers.T, weights, strict=True):
        rows = np.flatnonzero(column >= 0)
        said = np.full((len(rows), classes), (1 - agreement) / (classes - 1))
        said[np.arange(len(rows)), column[rows]] = agreement
        sums[rows] += of_voter * said
        total[rows] += of_voter
    found: Floats = sums / total[:, None]
    return found


def head(features: Floats, labels: Floats) -> LogisticRegression:
    """A head that learned soft labels `[n, classes]`."""
    n, classes = labels.shape
    rows, target = np.divmod(np.arange(n * classes), classes)
    weights = labels.ravel()
    kept = weights > 1e-6
    return LogisticRegression(max_iter=300).fit(features[rows[kept]], target[kept], weights[kept])


def opinions(features: Floats, labels: Floats) -> Floats:
    """Of each row, by a head that did not learn it; rows without a label are not learned."""
    found = np.empty(labels.shape)
    known = ~np.isnan(labels).any(axis=1)
    for part in dealt(np.arange(len(labels))):
        rest = np.setdiff1d(np.flatnonzero(known), part)
        found[part] = head(features[rest], labels[rest]).predict_proba(features[part])
    return found


def crowd(truth: Ints, classes: int, votes: int, accuracy: float, random: np.random.Generator) -> Ints:
    """Thirty workers of different accuracy, a sixth of whom guess."""
    skill = np.clip(random.normal(accuracy, 0.15, 30), 1 / classes, 0.98)
    skill[:5] = 1 / classes
    other = (truth[:, None] + random.integers(1, classes, (len(truth), 30))) % classes
    said = np.where(random.random(other.shape) < skill, truth[:, None], other)
    there = random.random(said.shape).argsort(axis=1).argsort(axis=1) < votes
    return np.where(there, said, -1)


def measured(data: DataSet, answers: Ints, learned: Ints, unseen: Ints, careful: Ints) -> dict[str, float]:
    """Accuracy of labels and students; careful: places in `learned` with a careful label."""
    features = unit(data.features[AS_TAUGHT]) * 8
    truth, of_learned = data.truth[learned], features[learned]
    ids = np.array([f"{row:08x}" for row in range(len(learned))])
    joined = join_answers(answers, data.classes, "safest").probabilities
    known = np.flatnonzero(~np.isnan(joined).any(axis=1))
    opinion = opinions(of_learned, joined)
    of_both = crowdlab(answers, opinion)

    def student(labels: Floats, rows: Ints) -> float:
        return float(head(of_learned[rows], labels[rows]).score(features[unseen], data.truth[unseen]))

    found = {}
    for name, labels in (("join", joined), ("CROWDLAB", of_both)):
        found[f"labels, {name}"] = float((harden(labels[known], ids[known]) == truth[known]).mean())
        found[f"student, {name}"] = student(labels, known)
        both = np.intersect1d(careful, known)
        clues = Clues(
            opinion[known], labels[known], lengths(np.array([len(data.texts[row]) for row in learned[known]]))
        )
        better = labels.copy()
        better[known] = corrected(clues, truth[both], np.searchsorted(known, both))
        better[careful] = np.eye(data.classes)[truth[careful]]
        found[f"student of corrected labels, {name}"] = student(better, np.union1d(known, careful))
    return {**found, "student, truth": student(np.eye(data.classes)[truth], np.arange(len(learned)))}


def main() -> list[dict[str, Any]]:
    """A row a data set, kind of voters and draw."""
    rows = []
    for name in SETS:
        data = data_set(name, (AS_TAUGHT,))
        for draw in range(DRAWS):
            random = np.random.default_rng([3, draw])
            order = random.permutation(len(data.texts))
            seen, learned, unseen = np.split(order, [RULES_SEE, RULES_SEE + TEXTS])
            truth = data.truth[learned]
            voters = [
                (f"crowd, {votes} votes", crowd(truth, data.classes, votes, accuracy, random))
                for votes, accuracy in CROWDS
            ]
            for each, words in RULE_SETS[:2]:
                texts = [data.texts[row] for row in np.concatenate([seen, learned])]
                said = rules_for(texts, data.truth[np.concatenate([seen, learned])], data.classes, each, words)
                voters.append((f"{each} rules a class", said))
            careful = np.sort(random.permutation(TEXTS)[:CAREFUL])
            for kind, answers in voters:
                scores = measured(data, answers, learned, unseen, careful)
                found = {key: round(value, 4) for key, value in scores.items()}
                rows.append({"data": name, "draw": draw, "voters": kind, **found})
                print(json.dumps(rows[-1]), flush=True)
    return rows


def summary(found: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Means over crowds and over rule sets."""
    means = {}
    for kind in ("crowd", "rules"):
        some = [row for row in found if kind in row["voters"]]
        keys = [key for key in some[0] if "," in key]
        means[kind] = {key: round(float(np.mean([row[key] for row in some])), 4) for key in keys}
    return means


if __name__ == "__main__":
    made = main()
    (HERE / "crowdlab.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(summary(made), indent=1))
