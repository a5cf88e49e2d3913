"""The input type `choice`: a context and candidate texts, of which one is right. Classes are places, 0 to k - 1."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.core.files.columns.choice_columns import KEYS, Offered, missing, offered
from outgrow.core.files.tables import Table
from outgrow.core.identity import content_id
from outgrow.core.inputs.input_type import InputType, Preview, Read

SPEAKERS = "\n\nAssistant:"  # what parts the turns of a conversation written as one text (Anthropic's HH)


@dataclass(frozen=True)
class Choice:
    """A context, which may be empty, and two candidates or more.

    `Choice.of` puts candidates in the order of a hash of what they say, so that a place tells nothing.
    """

    context: str
    candidates: tuple[str, ...]

    @classmethod
    def of(cls, context: str, candidates: Sequence[str]) -> tuple[Choice, list[int]]:
        """The choice in its own order, and where each of its candidates was among those given."""
        order = sorted(range(len(candidates)), key=lambda place: content_id([context, candidates[place]]))
        return cls(context, tuple(candidates[place] for place in order)), order

    @property
    def ends(self) -> list[tuple[str, str]]:
        """Context and candidate, of each candidate; a new line ends the context unless white space parts the two."""
        between = "\n" if self.context and not self.context[-1].isspace() else ""
        return [
            (self.context + ("" if candidate[:1].isspace() else between), candidate) for candidate in self.candidates
        ]

    @property
    def texts(self) -> list[str]:
        """Each candidate with the context before it."""
        return [context + candidate for context, candidate in self.ends]

    @property
    def beginning(self) -> str:
        """What conversations share that belong together: the first turn of the context."""
        return self.context.partition(SPEAKERS)[0]


class ChoiceType(InputType):
    """Which of several texts is right, or preferred: a context and candidates, in files of several forms."""

    name = "choice"
    columns = KEYS
    made_of = "text"
    exchangeable = True

    def identity(self, value: Choice) -> Any:
        """Context and candidates, in an order of their own: swapped candidates are the same example."""
        return {"context": value.context, "candidates": sorted(value.candidates)}

    def problem(self, value: Any) -> str | None:
        """Fewer than two candidates, equal ones, empty ones, or no `Choice` at all."""
        if not isinstance(value, Choice):
            return f"is of type {type(value).__name__}, not a Choice"
        if len(value.candidates) < 2:
            return "has fewer than two candidates"
        if not all(isinstance(text, str) and text.strip() for text in value.candidates):
            return "has an empty candidate"
        return "has two equal candidates" if len(set(value.candidates)) < len(value.candidates) else None

    def parts(self, value: Choice) -> Sequence[str]:
        """The texts that a model scores, one per candidate."""
        return value.texts

    def size(self, value: Choice) -> int:
        """The characters of all its texts."""
        return sum(map(len, value.texts))

    def preview(self, value: Choice) -> Preview:
        """The context above, the candidates side by side."""
        parts = [{"name": str(place), "text": text} for place, text in enumerate(value.candidates)]
        return {"text": value.context, "parts": parts}

    def normal_form(self, value: Choice) -> str:
        """The normal forms of context and candidates, in their order."""
        from outgrow.core.inputs.input_type import TEXT

        return json.dumps([TEXT.normal_form(value.context), *sorted(map(TEXT.normal_form, value.candidates))])

    def record(self, value: Choice) -> str:
        """JSON of context and candidates in their order."""
        return json.dumps([value.context, *value.candidates], ensure_ascii=False)

    def value(self, record: str) -> Choice:
        """The choice that `record` wrote."""
        context, *candidates = json.loads(record)
        return Choice(context, tuple(candidates))

    def missing(self, keys: Mapping[str, Any]) -> list[str]:
        """Whether the keys are one of the forms."""
        return missing(keys)

    def rows(
        self, table: Table, keys: Mapping[str, Any], labels: Sequence[str | None], problems: list[str]
    ) -> Read | None:
        """The choices of a table; labels are places in the order that the file has, and come back in the choice's own."""
        found = offered(table, keys, labels, problems)
        return None if found is None else read_of(found)


def read_of(rows: Sequence[Offered]) -> Read:
    """Choices in their own order, with the place of the right candidate, groups by first turn, and the places there are."""
    made = [Choice.of(row.context, row.candidates) for row in rows]
    widest = max(len(choice.candidates) for choice, _ in made)
    return Read(
        values=[choice for choice, _ in made],
        labels=[
            "" if row.tie else None if row.right is None else str(order.index(row.right))
            for row, (_, order) in zip(rows, made, strict=True)
        ],
        groups=[choice.beginning or None for choice, _ in made],
        allowed=None
        if all(len(choice.candidates) == widest for choice, _ in made)
        else [[place < len(choice.candidates) for place in range(widest)] for choice, _ in made],
        classes=tuple(str(place) for place in range(widest)),
        orders=[order for _, order in made],
    )
