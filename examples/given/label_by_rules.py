"""Cheap labels for the demo's sentences: four crude voters, as a crowd or a set of labelling rules would be.

    python examples/given/label_by_rules.py      # writes sentences.csv and votes.csv beside this file
    outgrow run examples/given/experiment.yaml

Each voter sees only its own few words, says nothing where it knows nothing, and is often wrong. votes.csv has one row a
vote (sentence, label, voter); `{given: votes.csv}` averages the votes of a sentence. Where all four are
silent, somebody takes short sentences for praise, so that every sentence has some label.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from outgrow.tasks.sentiment import sentiment

HERE = Path(__file__).parent

GOOD = {"good", "great", "best", "love", "loved", "excellent", "nice", "amazing", "wonderful", "delicious", "recommend"}
BAD = {
    "bad",
    "worst",
    "poor",
    "terrible",
    "awful",
    "waste",
    "disappointed",
    "disappointing",
    "horrible",
    "slow",
    "rude",
}
NEGATIONS = {"not", "no", "never", "don't", "won't", "didn't", "doesn't", "isn't", "wasn't", "can't", "nothing"}


def praise(words: set[str], text: str) -> str | None:
    """Knows words of praise only."""
    return "1" if words & GOOD else None


def complaint(words: set[str], text: str) -> str | None:
    """Knows words of complaint only."""
    return "0" if words & BAD else None


def negation(words: set[str], text: str) -> str | None:
    """Takes every negation for a complaint."""
    return "0" if words & NEGATIONS else None


def exclamation(words: set[str], text: str) -> str | None:
    """Believes that who shouts is happy."""
    return "1" if "!" in text else None


VOTERS: tuple[Callable[[set[str], str], str | None], ...] = (praise, complaint, negation, exclamation)


def votes(text: str) -> Iterator[tuple[str, str]]:
    """Who says what of one sentence."""
    words = set(re.findall(r"[a-z']+", text.lower()))
    said = False
    for voter in VOTERS:
        label = voter(words, text)
        if label is not None:
            said = True
            yield voter.__name__, label
    if not said:
        yield "somebody", "1" if len(words) < 10 else "0"


def main() -> None:
    """Write the task's sentences with their true labels, and the votes."""
    task = sentiment()
    with (HERE / "sentences.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sentence", "label"])
        writer.writerows(zip(task.inputs, task.labels, strict=True))
    with (HERE / "votes.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sentence", "voter", "label"])
        for text in dict.fromkeys(task.inputs):
            writer.writerows((text, voter, label) for voter, label in votes(text))


if __name__ == "__main__":
    main()
