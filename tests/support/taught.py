"""Files to teach from: real sentences with labels of three sorts, and careful ones."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.tasks.sentiment import sentiment
from outgrow.teaching.cheap_labels import Form
from outgrow.teaching.dataset import Dataset, read_evidence


def write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(path: Path) -> list[list[str]]:
    """The rows of a CSV file without its header."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def make_files(folder: Path) -> Path:
    """labels.csv and gold.csv: 800 real sentences with labels of three voters; 120 of them and 80 others with their truth."""
    task = sentiment()
    known = dict(zip(task.inputs, map(str, task.labels), strict=True))
    generator = np.random.default_rng(0)
    texts = [list(known)[place] for place in generator.permutation(len(known))[:880]]

    def voter(error: float) -> list[str]:
        return [str(1 - int(known[text])) if generator.random() < error else known[text] for text in texts[:800]]

    votes = zip(texts[:800], voter(0.3), voter(0.35), voter(0.1), strict=True)
    write(folder / "labels.csv", ["text", "rule", "model", "person"], list(votes))
    write(folder / "gold.csv", ["text", "label"], [(text, known[text]) for text in texts[680:]])
    return folder


def evidence(folder: Path, columns: Sequence[str] = ("rule",), **options: Any) -> Dataset:
    """What is known by the files of a folder; probabilities, voter and read_evidence's own options."""
    form = Form.of(columns, options.pop("probabilities", None), options.pop("voter", None))
    return read_evidence(
        folder / "labels.csv", **{"text": "text", "form": form, "truth": folder / "gold.csv", **options}
    )
