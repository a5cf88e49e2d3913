"""Does CROWDLAB, the join that sees a student's opinions, teach a better student than what `teach` does by default?

    python benchmarks/science/crowdlab.py

Writes crowdlab.json beside it. A quarter of an hour on one core. Four data sets; keyword rules and made crowds as voters;
heads on MiniLM's features. Accuracy of labels is of the texts with a vote; of students, of texts that nobody has seen.
Without careful labels ("teach, …", "CROWDLAB, …", "CROWDLAB by doubting, …") all students are the product's own; the others
are scikit-learn's heads of the same strength, for which 200 careful labels correct the join once.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from joins import RULE_SETS, rules_for
from sklearn.linear_model import LogisticRegression
from teach_data import AS_TAUGHT, DataSet, data_set, unit
from teach_worlds import World, world_of

from outgrow.core.examples import Floats, Ints, harden
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.store import Store
from outgrow.models.label_sources.aggregate import join_answers
from outgrow.teaching.labels.correction import PARTS, Clues, corrected, dealt, lengths
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.options import Candidate, Learner, for_labels, learning, learning_method
from outgrow.teaching.steps import dataset_step
from outgrow.teaching.students import no_progress, trained
from outgrow.teaching.teach import Laboratory, Work, work_on

HERE = Path(__file__).parent
SETS = ("sst2", "cr", "ag_news", "tweets")
CROWDS = ((2, 0.65), (3, 0.65), (5, 0.6))  # votes a text, mean accuracy of a worker
SPARSE = 0.8  # of texts have one vote in one more crowd; where all have one, nothing tells whom to trust
DRAWS, TEXTS, CAREFUL = 3, 2000, 200
L2 = 0.03  # as a head of the product's
METHODS = ("plain", "kept", "usual")  # see `Bench.candidate`
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
    """A head that learned soft labels `[n, classes]`, at the product's strength: see `Problem` of `heads/solver.py`."""
    n, classes = labels.shape
    rows, target = np.divmod(np.arange(n * classes), classes)
    weights = labels.ravel()
    kept = weights > 1e-6
    strength = (2 if classes == 2 else 1) / (L2 * weights.sum())
    return LogisticRegression(C=strength, max_iter=300).fit(features[rows[kept]], target[kept], weights[kept])


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


@dataclass(frozen=True)
class Bench:
    """Cheap labels of some texts in a file, and what the product makes of them."""

    world: World
    file: Path
    form: Form

    @classmethod
    def of(cls, world: World, file: Path, rows: Ints, names: Sequence[str], cells: Sequence[Sequence[Any]]) -> Bench:
        """names: columns of class names, or `p_<class>`."""
        with file.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows(
                [["text", *names], *([world.words[row], *some] for row, some in zip(rows, cells, strict=True))]
            )
        return cls(world, file, Form.of((), names) if names[0].startswith("p_") else Form.of(names))

    @cached_property
    def taught(self) -> tuple[Learner, Work]:
        """The student, and the joined labels it may learn."""
        sources: dict[str, Any] = {}
        pool = dataset_step(self.file, Reading.of("text"), self.form, None, None, sources)
        found = learning(self.world.name, None)[0].learner
        store = Store(self.file.parent / "store")
        laboratory = Laboratory(store, Machine(device="cpu"), {**sources, **found.sources}, Silent())
        return found, work_on(pool, laboratory, 0)

    def candidate(self, method: str) -> Candidate:
        """plain: naive. usual: what `teach` does where no method is named. kept: the same, and no label left out."""
        found, work = self.taught
        if method == "plain":
            return Candidate(found, learning_method("naive"), None)
        alone = work.data.alone if method == "usual" else 0
        first = Candidate(found, learning_method(found.methods[0]), None)
        return for_labels([first], self.world.data.classes, 0, alone)[0]

    def opinion(self, candidate: Candidate) -> Floats:
        """Of each line of the file, by a student that did not learn it; NaN where it has no label."""
        _, work = self.taught
        of_pool = np.full((len(work.evidence.pool), self.world.data.classes), np.nan)
        for part, folder in enumerate(work.laboratory.made(work.plan.opinions(candidate))):
            rows = dealt(work.evidence.taught, PARTS)[part]
            of_pool[rows] = np.load(folder / "probabilities.npy")[rows]
        found: Floats = np.full((len(work.data.given.counts), of_pool.shape[1]), np.nan)
        found[work.data.text_of] = of_pool
        return found

    def accuracy(self, method: str, unseen: Ints) -> float:
        """Of the student that learned these labels."""
        found, work = self.taught
        step = work.plan.taught(self.candidate(method))
        work.laboratory.made([step])
        step = work.laboratory.trained(step)
        student = trained(found.spec, found.location, step.params, work.laboratory.opened(step))
        answers = student.reader("cpu")([self.world.words[row] for row in unseen], no_progress)
        return float((answers.argmax(axis=1) == self.world.data.truth[unseen]).mean())


def by_product(world: World, answers: Ints, learned: Ints, unseen: Ints, folder: Path) -> dict[str, float]:
    """Accuracy of the product's students without careful labels.

    CROWDLAB sees the opinions of plain students, or of those that confident learning left doubted labels out of.
    """
    classes = [f"c{number}" for number in range(world.data.classes)]
    columns = [f"p_{name}" for name in classes]
    voters = [f"voter {number}" for number in range(answers.shape[1])]
    said = [["" if answer < 0 else classes[answer] for answer in row] for row in answers]
    joined = Bench.of(world, folder / "votes.csv", learned, voters, said)
    truth = Bench.of(
        world, folder / "truth.csv", learned, columns, np.eye(len(classes))[world.data.truth[learned]].tolist()
    )
    found = {f"teach, {method}": joined.accuracy(method, unseen) for method in METHODS}
    found["teach, truth"] = truth.accuracy("plain", unseen)
    doubting = Candidate(joined.taught[0], learning_method(["confident_learning", "naive"]), None)
    for name, candidate in (("CROWDLAB", joined.candidate("plain")), ("CROWDLAB by doubting", doubting)):
        opinion = joined.opinion(candidate)
        known = np.flatnonzero(~np.isnan(opinion).any(axis=1))
        labels = crowdlab(answers[known], opinion[known]).tolist()
        of_both = Bench.of(world, folder / f"{name}.csv", learned[known], columns, labels)
        found |= {f"{name}, {method}": of_both.accuracy(method, unseen) for method in METHODS}
    return found


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
    with tempfile.TemporaryDirectory() as place:
        for name in SETS:
            data = data_set(name, (AS_TAUGHT,))
            world = world_of(data, Path(place) / name, AS_TAUGHT)
            for draw in range(DRAWS):
                (learned, unseen, careful), voters = drawn(data, draw)
                for kind, answers in voters.items():
                    scores = measured(data, answers, learned, unseen, careful)
                    with tempfile.TemporaryDirectory() as folder:
                        scores |= by_product(world, answers, learned, unseen, Path(folder))
                    found = {key: round(value, 4) for key, value in scores.items()}
                    rows.append({"data": name, "draw": draw, "voters": kind, **found})
                    print(json.dumps(rows[-1]), flush=True)
    return rows


def drawn(data: DataSet, draw: int) -> tuple[tuple[Ints, Ints, Ints], dict[str, Ints]]:
    """The rows to learn from, those that are unseen, places of careful labels among the first; the voters' answers."""
    random = np.random.default_rng([3, draw])
    seen, learned, unseen = np.split(random.permutation(len(data.texts)), [RULES_SEE, RULES_SEE + TEXTS])
    truth = data.truth[learned]
    voters = {f"crowd, {votes} votes": crowd(truth, data.classes, votes, right, random) for votes, right in CROWDS}
    for each, words in RULE_SETS:
        rows = np.concatenate([seen, learned])
        texts = [data.texts[row] for row in rows]
        voters[f"{each} rules a class"] = rules_for(texts, data.truth[rows], data.classes, each, words)
    careful = np.sort(random.permutation(TEXTS)[:CAREFUL])
    sparse = crowd(truth, data.classes, 3, 0.65, random)
    one = random.random(sparse.shape) * (sparse >= 0)
    first = one == one.max(axis=1, keepdims=True)
    few = (np.arange(TEXTS) < SPARSE * TEXTS)[:, None]
    return (learned, unseen, careful), voters | {"crowd, 1 vote": np.where(few & ~first, -1, sparse)}


def summary(found: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Means over crowds, over rule sets and over all; against `teach`'s default, with the standard error over cells.

    Cells of one data set and draw share their texts, so the error is over the means of these.
    """
    means: dict[str, dict[str, Any]] = {}
    for kind in ("crowd", "rules", ""):
        some = [row for row in found if kind in row["voters"]]
        of_kind: dict[str, Any] = {}
        for key in (key for key in some[0] if "," in key):
            of_kind[key] = round(float(np.mean([row[key] for row in some])), 4)
            if key.startswith("CROWDLAB"):
                groups: dict[tuple[str, int], list[float]] = {}
                for row in some:
                    groups.setdefault((row["data"], row["draw"]), []).append(row[key] - row["teach, usual"])
                gains = np.array([np.mean(group) for group in groups.values()])
                error = gains.std(ddof=1) / np.sqrt(len(gains))
                of_kind[f"{key}, above teach's default"] = f"{gains.mean():+.4f} ± {error:.4f}"
        means[kind or "all"] = of_kind
    return means


if __name__ == "__main__":
    made = main()
    lines = ",\n".join(json.dumps(row) for row in made)
    (HERE / "crowdlab.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(json.dumps(summary(made), indent=1))
