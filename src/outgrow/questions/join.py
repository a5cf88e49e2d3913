"""Voters' labels joined without a student, and what each voter does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, Ints, harden
from outgrow.core.files.streams import writer
from outgrow.execution.step import Step
from outgrow.models.label_sources.aggregate import Rule
from outgrow.questions.measures.sampling import margins
from outgrow.results.statistics.intervals import Interval, accuracy
from outgrow.teaching.labels.careful_labels import Gold, Rows, check_gold, matched, read_gold
from outgrow.teaching.labels.cheap_labels import CheapLabels, GivenLabels, read_cheap_labels
from outgrow.teaching.labels.dataset import Evidence, one_hot
from outgrow.teaching.labels.joins import Join, Joins
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading

FEWEST = 5  # careful labels of a voter's texts: with fewer, there is no estimate of its accuracy by them


@dataclass(frozen=True)
class Voter:
    """What one voter does. overlaps: labels on texts that another voter labels; conflicts: those that one contradicts."""

    name: str
    labels: int
    coverage: float  # share of all texts
    overlaps: int
    conflicts: int
    careful: int  # of its labels, on texts with a careful one
    accuracy: Interval | None  # on these; None: too few
    by_model: float | None  # share that is right as the Dawid-Skene model has it; None: it meets no other voter


@dataclass(frozen=True)
class Joined:
    """Labels of n distinct texts. accuracy: of the join, cross-validated, on the careful texts with a vote."""

    texts: Sequence[str]
    classes: tuple[str, ...]
    probabilities: Floats  # [n, classes], NaN where nobody voted
    labels: Sequence[str | None]
    votes: Ints  # [n]
    by: Rule
    tried: Sequence[tuple[Rule, float]]  # accuracy of each rule on the careful texts
    accuracy: Interval | None
    careful: int
    voters: Sequence[Voter]


def join_files(
    votes: str | Path,
    *,
    text: str,
    columns: Sequence[str] = (),
    voter: str | None = None,
    truth: str | Path | None = None,
    truth_label: str | None = None,
    out: str | Path | None = None,
    voters_out: str | Path | None = None,
    max_classes: int | None = None,
    seed: int = 0,
) -> Joined:
    """Join the labels of several columns, or a vote a row, by the rule that careful labels choose, else by the safest.

    text: the column, or template, of what is labelled; a name or a number will do. docs/guide/join.md explains the rest.
    Raises UsageError with everything that is wrong.
    """
    form, reading = Form.of(columns, None, voter), Reading.of(text)
    problems: list[str] = []
    if len(columns) == 1 and voter is None:
        problems.append("join: one column of labels has nothing to join: name several by --label, or --voter")
    cheap = read_cheap_labels(votes, reading, form, problems, max_classes)
    gold = None if truth is None else read_gold(truth, reading, form.columns, truth_label, problems)
    if cheap is not None and gold is not None:
        check_gold(gold, cheap, problems)
    if problems or cheap is None:
        raise UsageError(*dict.fromkeys(problems))
    rows = Rows.of(cheap.read, reading.inputs)
    place = {id_: number for number, id_ in enumerate(dict.fromkeys(rows.ids))}
    given = cheap.given(np.array([place[id_] for id_ in rows.ids], dtype=np.int64), len(place))
    joined = _joined(rows, given, _truth(gold, rows, cheap, place), list(place), seed)
    found = _with_voters(joined, cheap, given, _truth(gold, rows, cheap, place), columns)
    if out is not None:
        _write(found, str(out), str(votes), text if "{" not in text else "text")
    if voters_out is not None:
        _write_voters(found.voters, str(voters_out))
    return found


def _truth(gold: Gold | None, rows: Rows, cheap: CheapLabels, place: dict[str, int]) -> Ints:
    """Careful classes of the texts with votes, `[texts]`, -1 where there are none."""
    found = np.full(len(place), -1, dtype=np.int64)
    if gold is not None:
        for id_, name in matched(gold, rows, set(place)).names.items():
            if id_ in place:
                found[place[id_]] = cheap.classes.index(name)
    return found


def _joined(rows: Rows, given: GivenLabels, truth: Ints, ids: list[str], seed: int) -> Joined:
    known = bool((truth >= 0).any())
    kept = sorted(ids)
    at = {id_: number for number, id_ in enumerate(ids)}
    order = np.array([at[id_] for id_ in kept], dtype=np.int64)
    pool = rows.pool(kept, truth[order], given.classes, Reading.of("text").inputs)
    tried = []
    for by in given.rules if known else given.rules[:1]:
        probabilities, _ = given.joined(by)
        tried.append(Join(by, Step("cheap_labels", {"by": by}), Evidence(pool, probabilities[order], one_hot(pool))))
    joins = Joins.of(tried, seed)
    best = joins.best
    probabilities = best.evidence.cheap[np.argsort(order)]  # in the order of the file
    labelled = [not any(one) for one in np.isnan(probabilities).tolist()]
    hard = harden(np.nan_to_num(probabilities), ids)
    return Joined(
        [str(rows.read.values[rows.first[id_]]) for id_ in ids],
        given.classes,
        probabilities,
        [given.classes[one] if there else None for one, there in zip(hard.tolist(), labelled, strict=True)],
        given.counts.sum(axis=1).astype(np.int64),
        best.by,
        [(join.by, float(right.mean())) for join, right in zip(joins.tried, joins.right, strict=True)] if known else (),
        accuracy(joins.scores[None]) if len(joins.both) > 1 else None,
        len(joins.both),
        (),
    )


def _with_voters(found: Joined, cheap: CheapLabels, given: GivenLabels, truth: Ints, columns: Sequence[str]) -> Joined:
    """The voters, in the order of the columns, or by name."""
    names = cheap.voter_names or list(columns)
    line, who, label = given.cells
    # Each voter's label of a text once, so that rows of the same text are no overlap with oneself.
    text, who, label = np.unique(np.stack([given.rows[line], who, label], axis=1), axis=0).T
    by_class = np.zeros((given.texts, len(given.classes)), dtype=np.int64)
    np.add.at(by_class, (text, label), 1)
    own = np.zeros((given.texts, len(names)), dtype=np.int64)
    np.add.at(own, (text, who), 1)
    meets = (own > 0).sum(axis=1)[text] > 1
    conflicts = meets & (by_class[text, label] < by_class[text].sum(axis=1))
    _, habits = given.joined("pseudo_votes" if given.rules[0] != "mean" else "mean")
    voters = []
    for number, name in enumerate(names):
        mine = who == number
        judged = mine & (truth[text] >= 0)
        right = (label[judged] == truth[text[judged]]).astype(np.float64)
        model = habits[number]["right"] if habits and (mine & meets).any() else None
        voters.append(
            Voter(
                name,
                int(mine.sum()),
                float((own[:, number] > 0).mean()),
                int((mine & meets).sum()),
                int((mine & conflicts).sum()),
                len(right),
                accuracy(right[None]) if len(right) >= FEWEST else None,
                model,
            )
        )
    return Joined(**{**found.__dict__, "voters": voters})


def _write(found: Joined, out: str, votes: str, column: str) -> None:
    answers: dict[str, Sequence[Any]] = {
        column: list(found.texts),
        "label": list(found.labels),
        **{
            f"p_{name}": [None if np.isnan(value) else float(f"{value:.7g}") for value in values.tolist()]
            for name, values in zip(found.classes, found.probabilities.T, strict=True)
        },
        "margin": [
            None if np.isnan(value) else float(f"{value:.7g}") for value in margins(found.probabilities).tolist()
        ],
        "votes": found.votes.tolist(),
    }
    with writer(out, votes, (column, "label")) as append:
        append(answers)


def _write_voters(voters: Sequence[Voter], out: str) -> None:
    names = ("labels", "coverage", "overlaps", "conflicts", "careful")
    ends = ("estimate", "low", "high")
    columns: dict[str, Sequence[Any]] = {"voter": [one.name for one in voters]}
    columns |= {name: [getattr(one, name) for one in voters] for name in names}
    for end in ends:
        name = "accuracy" if end == "estimate" else f"accuracy_{end}"
        columns[name] = [None if one.accuracy is None else getattr(one.accuracy, end) for one in voters]
    columns["accuracy_by_model"] = [one.by_model for one in voters]
    with writer(out, out, ("voter",)) as append:
        append(columns)
