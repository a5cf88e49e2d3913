"""Cheap labels for real sentences: four crude rules say what they think, and 600 careful labels to measure by.

    python examples/teach/make_files.py      # writes labels.csv, gold.csv and new.csv beside this file
    outgrow teach examples/teach/labels.csv --text sentence --label praise,complaint,negation,exclamation \
        --student minilm --truth examples/teach/gold.csv --out student
    outgrow predict student examples/teach/new.csv -o out.csv

The rules are those of examples/given/label_by_rules.py, one column each, blank where a rule says nothing. The true labels
of 600 sentences, drawn at random, play the part of somebody who labelled them with care. new.csv has 500 more sentences.

600, since the rules speak about little more than half of the sentences: where both are known, right or wrong differs from
student to rules with a standard deviation of about .32, so that some 330 sentences tell a difference to 3.5 points either way
(95%), and show one of 6 points nine times in ten. 300 careful labels would tell it to 5.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from outgrow.tasks.sentiment import sentiment

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "given"))

from label_by_rules import VOTERS  # noqa: E402

CAREFUL, NEW = 600, 500


def said(text: str) -> list[str]:
    """What each rule says of a sentence, blank where it says nothing."""
    words = set(re.findall(r"[a-z']+", text.lower()))
    return [voter(words, text) or "" for voter in VOTERS]


def write(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV file beside this one."""
    with (HERE / name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def main() -> None:
    """Write the three files."""
    task = sentiment()
    truth = dict(zip(task.inputs, task.labels, strict=True))
    texts = [list(truth)[place] for place in np.random.default_rng(0).permutation(len(truth))]
    new, old = texts[:NEW], texts[NEW:]
    write("labels.csv", ["sentence", *(voter.__name__ for voter in VOTERS)], ((text, *said(text)) for text in old))
    write("gold.csv", ["sentence", "label"], ((text, truth[text]) for text in old[:CAREFUL]))
    write("new.csv", ["sentence"], ((text,) for text in new))


if __name__ == "__main__":
    main()
