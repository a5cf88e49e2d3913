"""Which rule joins voters best: public crowds and made rule sets, with 0, 50 and 200 careful labels to choose by.

    python benchmarks/science/joins.py

Writes joins.json beside it. A minute on one core. Accuracy is of texts with a vote and a known truth; where careful labels
choose, of those that were not chosen by, on average over the draws.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.examples import Floats, Ints, harden
from outgrow.core.identity import content_id
from outgrow.models.label_sources.aggregate import Rule, join_answers, join_votes, rules
from outgrow.models.label_sources.dawid_skene import Votes
from outgrow.teaching.labels.joins import best_join

HERE = Path(__file__).parent
DATA = HERE.parents[2] / "shared" / "data"
CROWDS = ("CF", "ZenCrowd_us", "bluebird", "d_sentiment", "dog", "rte", "web")
RULES: tuple[Rule, ...] = ("majority", "dawid_skene", "pseudo_votes", "one_coin", "wawa", "mace", "glad")
CAREFUL, DRAWS = (50, 200), 100

# name -> file, and the text and label of a row
TEXTS: Mapping[str, tuple[str, Callable[[Any], tuple[str, str]]]] = {
    "sst2": ("sst2/train", lambda row: (row["text"], str(row["label"]))),
    "cr": ("cr/train", lambda row: (row["text"], str(row["label"]))),
    "ag_news": ("ag_news/test", lambda row: (f"{row['title']}: {row['description']}", str(row["label"]))),
    "tweets": ("tweet_sentiment/test", lambda row: (row["text"], str(row["label"]))),
}
RULE_SETS = ((2, 8), (5, 4), (20, 1))  # rules a class, words a rule
LEARNED = 600  # labelled texts that the words of rules are taken from


def right(probabilities: Floats, truth: Ints) -> NDArray[np.bool_]:
    """Which rows with a label and a truth are right."""
    known = (truth >= 0) & ~np.isnan(probabilities).any(axis=1)
    ids = np.array([f"{row:08x}" for row in range(len(truth))])[known]
    return np.asarray(harden(probabilities[known], ids) == truth[known])


def crowd(name: str) -> tuple[Mapping[Rule, NDArray[np.bool_]], dict[str, Any]]:
    """What each rule gets right on a crowd's items, and how large it is."""
    truth_of = {row["item"]: row["label"] for row in _csv(f"{name}.truth")}
    votes = _csv(f"{name}.votes")
    items, voters, classes = (sorted({row[column] for row in votes}) for column in ("item", "worker", "label"))
    classes = sorted({*classes, *truth_of.values()})
    numbers = [
        np.array([{one: place for place, one in enumerate(names)}[row[column]] for row in votes])
        for names, column in ((items, "item"), (voters, "worker"), (classes, "label"))
    ]
    truth = np.array([classes.index(truth_of[item]) if item in truth_of else -1 for item in items])
    found = {
        by: right(join_votes(Votes(*numbers), len(items), len(voters), len(classes), by).probabilities, truth)
        for by in RULES
    }
    return found, {
        "items": len(items),
        "voters": len(voters),
        "classes": len(classes),
        "usual": rules(3, one_sided=False),
    }


def _csv(name: str) -> list[dict[str, str]]:
    with gzip.open(DATA / "crowds" / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rule_set(name: str, each: int, words: int) -> tuple[Mapping[Rule, NDArray[np.bool_]], dict[str, Any]]:
    """What each join of keyword rules gets right, on the texts of which one speaks."""
    file, of_row = TEXTS[name]
    with gzip.open(DATA / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
        known = dict(of_row(json.loads(line)) for line in lines)
    texts = sorted(known, key=content_id)[:6000]
    classes = sorted(set(known.values()))
    truth = np.array([classes.index(known[text]) for text in texts])
    answers = rules_for(texts, truth, len(classes), each, words)
    found = {by: right(join_answers(answers, len(classes), by).probabilities, truth[LEARNED:]) for by in RULES}
    about = {"items": len(found["majority"]), "voters": answers.shape[1], "classes": len(classes)}
    return found, {**about, "usual": rules(3, one_sided=True)}


def rules_for(texts: Sequence[str], truth: Ints, classes: int, each: int, words: int) -> Ints:
    """What keyword rules say of all texts but the first, `[n, rules]`, -1 where nothing; their words are those of the first.

    A rule names its class where one of its words occurs: the words that the class uses more than others in some labelled
    texts, dealt to its rules.
    """
    of_text = [set(re.findall(r"[a-z']+", text.lower())) for text in texts]
    counts = [Counter(w for row in np.flatnonzero(truth[:LEARNED] == c) for w in of_text[row]) for c in range(classes)]
    total = Counter[str]()
    for one in counts:
        total.update(one)
    sizes, spoken = np.bincount(truth[:LEARNED], minlength=classes), []
    random = np.random.default_rng(0)
    for c in range(classes):
        odds = {
            w: (counts[c][w] + 0.5) / (sizes[c] + 1) / ((n - counts[c][w] + 0.5) / (LEARNED - sizes[c] + 1))
            for w, n in sorted(total.items())
            if n >= 4
        }
        best = random.permutation(sorted(odds, key=lambda w: -odds[w] * np.log(total[w]))[: each * words * 2])
        spoken += [(c, set(best[place * words : (place + 1) * words].tolist())) for place in range(each)]
    return np.array([[c if some & said else -1 for c, some in spoken] for said in of_text[LEARNED:]])


def measured(found: Mapping[Rule, NDArray[np.bool_]], tried: Sequence[Rule]) -> dict[str, float]:
    """Accuracy of each rule, and of the rule that 50 or 200 careful labels choose among `tried`."""
    made: dict[str, float] = {by: float(one.mean()) for by, one in found.items()}
    made["safest"] = made[tried[0]]
    table = np.stack([found[by] for by in tried]).astype(float)
    for careful in CAREFUL:
        scores = []
        for draw in range(DRAWS):
            order = np.random.default_rng([draw, careful]).permutation(table.shape[1])
            chosen, rest = np.split(order, [min(careful, len(order) // 2)])
            scores.append(table[best_join(table[:, chosen]), rest].mean())
        made[f"chosen by {careful}"] = float(np.mean(scores))
    return made


def main() -> list[dict[str, Any]]:
    """A row a crowd and a rule set."""
    rows = []
    for kind, name, (found, about) in [
        *(("crowd", name, crowd(name)) for name in CROWDS),
        *(
            ("rules", f"{name}, {each} rules a class", rule_set(name, each, n))
            for name in TEXTS
            for each, n in RULE_SETS
        ),
    ]:
        scores = {key: round(value, 4) for key, value in measured(found, about.pop("usual")).items()}
        rows.append({"kind": kind, "name": name, **about, "accuracy": scores})
        print(json.dumps(rows[-1]), flush=True)
    return rows


COLUMNS = (*RULES, "safest", "chosen by 50", "chosen by 200")


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """The page's table: means over crowds and over rule sets, and the worst against majority."""
    groups = {kind: [row["accuracy"] for row in found if row["kind"] == kind] for kind in ("crowd", "rules")}
    names = {"crowd": "crowds", "rules": "rule sets"}
    head = "| joined by | " + " | ".join(
        f"{len(rows)} {names[kind]} | worst against majority" for kind, rows in groups.items()
    )
    lines = [f"{head} |", "|---|" + "---|" * 2 * len(groups)]
    for key in COLUMNS:
        cells = [
            f"{np.mean([row[key] for row in rows]):.3f} | {min(row[key] - row['majority'] for row in rows):+.3f}"
            for rows in groups.values()
        ]
        what = f"{key} careful labels" if key.startswith("chosen") else f"`{key}`"
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    made = main()
    (HERE / "joins.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    print(table(made))
