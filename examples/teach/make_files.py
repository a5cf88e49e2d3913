"""Cheap labels for real sentences: four crude rules say what they think, and 300 careful labels to measure by.

    python examples/teach/make_files.py      # writes labels.csv, gold.csv and new.csv beside this file
    outgrow teach examples/teach/labels.csv --text sentence --label praise,complaint,negation,exclamation \
        --student minilm --truth examples/teach/gold.csv --out student
    outgrow predict student examples/teach/new.csv -o out.csv

The rules are those of examples/given/label_by_rules.py, one column each, blank where a rule says nothing. The true labels
of 300 sentences, drawn at random, play the part of somebody who labelled them with care. new.csv has 500 more sentences.
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

CAREFUL, NEW = 300, 500


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
