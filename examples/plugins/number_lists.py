"""An input type of its own, lists of numbers, with a task that has such inputs and a model that reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from outgrow import Examples, InputType, Labels, Model, RawTask
from outgrow.core.files.tables import Table
from outgrow.core.inputs.input_type import Read


class NumberList(InputType):
    """A list of numbers; equal lists are one example."""

    name = "numbers"
    columns = ("numbers",)

    def identity(self, value: Sequence[float]) -> list[float]:
        """The numbers themselves: a list of them is JSON already."""
        return [float(number) for number in value]

    def problem(self, value: Any) -> str | None:
        """Whether it is anything but a list with numbers in it."""
        if not isinstance(value, list) or not all(isinstance(number, int | float) for number in value):
            return "is not a list of numbers"
        return None if value else "is empty"

    def preview(self, value: Sequence[float]) -> str:
        """The numbers, rounded, in a row."""
        return "  ".join(f"{number:.2f}" for number in value)

    def rows(
        self, table: Table, keys: Mapping[str, Any], labels: Sequence[str | None], problems: list[str]
    ) -> Read | None:
        """A column of lists, as JSONL and Parquet have them, or of numbers with spaces between, as in CSV."""
        if not table.has(keys["numbers"], "the numbers", problems):
            return None
        try:
            return Read([numbers(cell) for cell in table.columns[keys["numbers"]]])
        except (TypeError, ValueError) as error:
            problems.append(f"{table.name}: column {keys['numbers']!r} holds something other than numbers: {error}")
            return None


def numbers(cell: Any) -> list[float]:
    """The numbers of a cell. Raises TypeError, ValueError."""
    return [float(number) for number in (cell.split() if isinstance(cell, str) else cell)]


def clouds(rows: int = 400, width: int = 4) -> RawTask:
    """Points around two centres: which one does a point belong to?"""
    random = np.random.default_rng(20)
    labels = np.arange(rows) % 2
    points = random.normal(size=(rows, width)) + labels[:, None]
    return RawTask(
        inputs=[[float(number) for number in point] for point in points],
        labels=["near" if label == 0 else "far" for label in labels],
        classes=("near", "far"),
        input_type=NumberList,
    )


class Centres(Model):
    """The nearer a point is to a class's mean over the first `columns` numbers, the likelier is that class."""

    reads = frozenset({"numbers"})

    columns: int = 1

    def fit(self, examples: Examples, targets: Labels, objective: Any, seed: int) -> "Fitted":
        """The mean of each class, by its share in every label; the method's loss and the seed play no part."""
        points = np.array(examples.inputs)[:, : self.columns]
        weights = targets.probabilities / targets.probabilities.sum(axis=0)
        return Fitted(weights.T @ points)


class Fitted:
    """One centre per class, `[classes, columns]`."""

    def __init__(self, centres: Any) -> None:
        self.centres = centres

    def predict(self, examples: Examples) -> Any:
        """`[n, classes]`: the softmax of minus half the squared distances."""
        points = np.array(examples.inputs)[:, : self.centres.shape[1]]
        scores = -0.5 * ((points[:, None] - self.centres) ** 2).sum(axis=2)
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        return exponents / exponents.sum(axis=1, keepdims=True)
