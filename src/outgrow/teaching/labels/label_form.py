"""The form that the cheap labels of a file have, as options name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from outgrow.core.examples import class_name
from outgrow.teaching.labels.reading import Reading

Kind = Literal["classes", "columns", "votes", "probabilities"]


@dataclass(frozen=True)
class Form:
    """The form of a file's labels: columns of class names, or one column per class with its probability.

    probabilities: class and column, in pairs. voter: the column that names whose label a row is; each is then one vote.
    mapping: the one column that lists classes with their probabilities. confidence: that of how sure each label is.
    """

    columns: tuple[str, ...] = ()
    probabilities: tuple[tuple[str, str], ...] | None = None
    voter: str | None = None
    mapping: str | None = None
    confidence: str | None = None

    @classmethod
    def of(
        cls,
        columns: Sequence[str] = (),
        probabilities: Sequence[Any] | Mapping[Any, Any] | None = None,
        voter: str | None = None,
        confidence: str | None = None,
    ) -> Form:
        """As people write it: columns of probabilities are called after their classes, or `p_<class>`, or class -> column.

        One column of probabilities is one of mappings.
        """
        if probabilities is not None and not isinstance(probabilities, Mapping) and len(probabilities) == 1:
            return cls(tuple(columns), None, voter, str(probabilities[0]), confidence)
        if isinstance(probabilities, Mapping):
            pairs = tuple((_spelled(name), str(column)) for name, column in probabilities.items())
        elif probabilities is not None:
            names = [str(column) for column in probabilities]
            strip = all(name.startswith("p_") for name in names)
            pairs = tuple((_spelled(name.removeprefix("p_") if strip else name), name) for name in names)
        return cls(tuple(columns), pairs if probabilities is not None else None, voter, None, confidence)

    @property
    def soft(self) -> bool:
        """Whether probabilities are given, in one column or several."""
        return self.probabilities is not None or self.mapping is not None

    def problems(self, reading: Reading) -> list[str]:
        """What does not fit together, or with the columns of the inputs, a sentence each."""
        wrong = []
        if self.columns and self.soft:
            wrong.append("--label and --probabilities exclude each other: take one away")
        if not self.columns and not self.soft and not reading.labels_inside:
            wrong.append("--label: name the column of the cheap labels, or several; or give --probabilities")
        wrong += [f"--inputs: {problem}" for problem in reading.problems(label=not reading.labels_inside)]
        if (self.columns or self.soft) and reading.labels_inside:
            wrong.append("--label, --probabilities: the columns of the inputs say which is right: leave the labels out")
        if self.voter is not None and (len(self.columns) > 1 or self.soft):
            wrong.append("--voter: each row is then one vote, so name its label by one --label")
        if self.confidence is not None and (len(self.columns) != 1 or self.soft or self.voter is not None):
            wrong.append(
                "--confidence: says how sure one label is: give one --label, and no --voter or --probabilities"
            )
        if self.confidence is not None and reading.inputs.exchangeable:
            wrong.append(
                "--confidence: is for classes that have names, not for a choice among candidates: leave it out"
            )
        wrong += [
            f"--label: column {one!r} is named twice"
            for one in dict.fromkeys(self.columns)
            if self.columns.count(one) > 1
        ]
        pairs = self.probabilities or ()
        if self.probabilities is not None and len(pairs) < 2:
            wrong.append("--probabilities: a student needs at least two classes to tell apart: name a column for each")
        if any(len({pair[side] for pair in pairs}) < len(pairs) for side in (0, 1)):
            wrong.append("--probabilities: a class or a column is listed twice: name one column for each class")
        return wrong

    @property
    def written(self) -> list[str]:
        """The columns that labels come from."""
        named = [*self.columns, *(column for _, column in self.probabilities or ())]
        return [*named, *(one for one in (self.mapping, self.confidence) if one is not None)]

    @property
    def kind(self) -> Kind:
        """One column of class names, several of them, a vote a row, or probabilities."""
        if self.soft or self.confidence is not None:
            return "probabilities"
        return "votes" if self.voter is not None else "columns" if len(self.columns) > 1 else "classes"

    def identity(self) -> dict[str, Any]:
        """As JSON values."""
        pairs = None if self.probabilities is None else [list(pair) for pair in self.probabilities]
        further = {"mapping": self.mapping, "confidence": self.confidence}
        return {"columns": list(self.columns), "probabilities": pairs, "voter": self.voter} | {
            name: column for name, column in further.items() if column is not None
        }

    @classmethod
    def from_identity(cls, identity: Mapping[str, Any]) -> Form:
        """What `identity` gave."""
        pairs = identity["probabilities"]
        return cls(
            tuple(identity["columns"]),
            None if pairs is None else tuple((name, column) for name, column in pairs),
            identity["voter"],
            identity.get("mapping"),
            identity.get("confidence"),
        )


def _spelled(name: Any) -> str:
    """A class's one spelling; of what names none, its text."""
    try:
        return class_name(name) or ""
    except TypeError:
        return str(name)
