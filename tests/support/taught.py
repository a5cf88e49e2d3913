"""Files to teach from: real sentences with labels of three sorts, and careful ones."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.pool import Pool
from outgrow.experiment.spec.model_entries import ModelSpec
from outgrow.tasks.sentiment import sentiment
from outgrow.teaching.labels.dataset import Dataset, Evidence, read_dataset
from outgrow.teaching.labels.dataset_notes import notes
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading


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


@dataclass(frozen=True)
class Known:
    """What is known by some files, the cheap labels joined by the usual rule."""

    data: Dataset
    known: Evidence
    habits: list[dict[str, float]]
    notes: list[str]

    @property
    def pool(self) -> Pool:
        return self.data.pool

    @property
    def texts(self) -> list[str]:
        return list(self.data.pool.inputs)

    def of(self, *texts: str) -> list[list[float]]:
        """The cheap labels of some texts."""
        return [self.known.cheap[self.texts.index(text)].tolist() for text in texts]


def evidence(folder: Path, columns: Sequence[str] = ("rule",), **options: Any) -> Known:
    """What is known by the files of a folder; probabilities, voter and read_dataset's own options."""
    form = Form.of(columns, options.pop("probabilities", None), options.pop("voter", None))
    given = {"reading": Reading.of(options.pop("text", "text")), "form": form, "truth": folder / "gold.csv", **options}
    data = read_dataset(folder / "labels.csv", **given)
    joined, habits = data.given.joined(data.given.rules[0])
    return Known(
        data, Evidence(data.pool, data.over_pool(joined), data.truth), habits, notes(data, "labels.csv", "gold.csv")
    )


def head(
    spec: ModelSpec,
    texts: Sequence[str],
    targets: np.ndarray,
    method: Any,
    l2: float,
    seed: int,
    asked: Sequence[str],
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """What a head says of some texts, solved by itself."""
    from outgrow.models.checkpoints.locate import resolve
    from outgrow.models.heads.solver import Problem, Solver, predict, solve

    location = resolve(spec.options.checkpoint, spec.kind)
    values = spec.options.features([*texts, *asked], location, "cpu", lambda done, total: None).values
    problem = Problem(np.arange(len(texts)), targets, weights, method, l2, seed)
    (solved,) = solve(values, [problem], Solver())
    return predict(values[len(texts) :], solved, Solver())
