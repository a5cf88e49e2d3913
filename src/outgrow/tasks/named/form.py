"""What a named task is, and the two forms of a question with several answers: the paper's binary one, and a choice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

from outgrow.core.errors import UsageError
from outgrow.core.files.columns.choice_columns import Offered
from outgrow.core.files.tables import Table
from outgrow.core.inputs.choice import read_of
from outgrow.core.text.units import plural
from outgrow.tasks.contract import RawTask

Row = Mapping[str, Any]
Form = Literal["binary", "choice"]
WRONG, RIGHT = "wrong", "right"


@dataclass(frozen=True)
class Labelled:
    """A text of one class: its number among the task's classes."""

    text: str
    label: int
    group: Any = None  # rows that share it fall into one part


@dataclass(frozen=True)
class Question:
    """A context and its answers, of which the one at `right` is right; rows of one `group` (the context) belong together."""

    context: str
    answers: Sequence[str]
    right: int
    group: Any = None


@dataclass(frozen=True)
class NamedTask:
    """A row of the table: where a task's rows are, and the function that makes a text or a question of each.

    `read` gets a row's columns by name, as the hub or a file has them, and returns None for a row that is left out.
    """

    hub: str
    read: Callable[[Row], Labelled | Question | None]
    about: str
    licence: str
    config: str | None = None
    train: str = "train"
    test: str | None = "validation"  # the labelled split that tests where the training split is there too
    classes: tuple[str, ...] = ("no", "yes")  # of rows that are `Labelled`
    forms: tuple[Form, ...] = ()  # of rows that are questions, the usual one first; none: rows are labelled
    pair: bool = False  # binary form: both answers in one text, which is the right one; else one answer, is it right
    paper: bool = False  # one of the 22 of Burns et al. 2023, appendix A
    seen: int = 0  # rows that `read` has been tried on; 0: it is written from the documented schema alone
    version: int = field(default=1)  # raise it where other texts or labels come of the same rows

    def raw(self, train: Table | None, test: Table | None, form: Form | None) -> RawTask:
        """The task's rows from its tables, in the form asked for or its usual one. Raises UsageError."""
        if form is not None and form not in self.forms:
            has = " and ".join(self.forms) or "none: its rows are labelled texts"
            raise UsageError(f"form: {form}: this task's forms are {has}")
        found: list[tuple[Labelled | Question, bool]] = []
        left_out = 0
        for table, is_test in ((train, False), (test, True)):
            for row in _rows(table):
                item = self._item(row, table)
                if item is not None and usable(item):
                    found.append((item, is_test))
                else:
                    left_out += 1
        if not found:
            raise UsageError(f"{(train or test or _NOTHING).name}: holds no row that this task takes")
        notes = [
            f"{plural(left_out, 'row')} left out: without an answer, with equal answers, or of no class of the task"
        ]
        chosen = form or (self.forms[0] if self.forms else None)
        items = [item for item, _ in found]
        tests = [is_test for _, is_test in found]
        if chosen == "choice":
            questions = [item for item in items if isinstance(item, Question)]
            if len(questions) < len(items):
                where = (train or test or _NOTHING).name
                raise UsageError(
                    f"{where}: these rows have one answer each, and no others to choose from: no `form: choice`"
                )
            return _choices(questions, tests, notes if left_out else [])
        asked = [self.binary(item) if isinstance(item, Question) else item for item in items]
        classes = self.classes if not self.forms else ("second", "first") if self.pair else (WRONG, RIGHT)
        return RawTask(
            inputs=[one.text for one in asked],
            labels=[classes[one.label] for one in asked],
            groups=None if all(one.group is None for one in asked) else [one.group for one in asked],
            classes=classes,
            test=tests,
            notes=notes if left_out else (),
        )

    def binary(self, question: Question) -> Labelled:
        """The paper's form: the question with its right answer or a wrong one, as a hash of its content draws."""
        drawn = _hash(question.context, *question.answers)
        group = question.context if question.group is None else question.group
        if self.pair:
            first, second = (question.right, 1 - question.right) if drawn % 2 else (1 - question.right, question.right)
            text = f"{question.context}\nFirst: {question.answers[first]}\nSecond: {question.answers[second]}"
            return Labelled(text.strip(), drawn % 2, group if question.context else None)
        wrong = [answer for place, answer in enumerate(question.answers) if place != question.right]
        answer = question.answers[question.right] if drawn % 2 else wrong[drawn // 2 % len(wrong)]
        return Labelled(f"{question.context}\nAnswer: {answer}".strip(), drawn % 2, group)

    def _item(self, row: Row, table: Table | None) -> Labelled | Question | None:
        try:
            return self.read(row)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            where = "" if table is None else f"{table.name}: "
            raise UsageError(
                f"{where}its columns ({', '.join(row)}) are not those of {self.hub}: {type(error).__name__}: {error}"
            ) from None


_NOTHING = Table("the task", {}, ())


def usable(item: Labelled | Question) -> bool:
    """Whether there is a text and, of a question, two different answers or more and none empty."""
    if isinstance(item, Labelled):
        return bool(item.text.strip()) and item.label >= 0
    answers = [answer.strip() for answer in item.answers]
    return len(answers) > 1 and all(answers) and len(set(answers)) == len(answers) and 0 <= item.right < len(answers)


def _choices(questions: Sequence[Question], tests: Sequence[bool], notes: Sequence[str]) -> RawTask:
    read = read_of([Offered(one.context, tuple(one.answers), one.right) for one in questions])
    groups = [own if one.group is None else one.group for one, own in zip(questions, read.groups or (), strict=True)]
    return RawTask(
        inputs=read.values,
        labels=read.labels or (),
        groups=None if all(group is None for group in groups) else groups,
        classes=read.classes,
        test=tests,
        input_type="choice",
        allowed=read.allowed,
        orders=read.orders,
        notes=notes,
    )


def _rows(table: Table | None) -> Iterator[Row]:
    if table is not None:
        for place in range(len(table)):
            yield {name: values[place] for name, values in table.columns.items()}


def _hash(*texts: str) -> int:
    return int.from_bytes(blake2b("\n".join(texts).encode("utf-8", "replace"), digest_size=8).digest(), "big")


def first(row: Row, *names: str) -> Any:
    """The value of the first of these columns that the row has: copies of a data set name them differently."""
    for name in names:
        if name in row:
            return row[name]
    raise KeyError(names[0])


def number(value: Any, *names: str) -> int:
    """A label as a class number: a number, a bool, or its place among `names`; -1 where a hub set hides it."""
    text = str(value).strip().casefold()
    if text in names:
        return names.index(text)
    return int({"true": 1, "yes": 1, "false": 0, "no": 0}.get(text, text))


def answers(value: Any) -> tuple[list[str], list[str]]:
    """Answers and their names, of `{text: [..], label: [..]}`, a list of such or of texts, or `(A) .. (B) ..` in one."""
    if isinstance(value, Mapping):
        return list(value["text"]), [str(name) for name in value["label"]]
    if isinstance(value, str):
        parts = re.split(r"\s*(?:\(([A-E])\)|Answer(\d):)\s*", value)[1:]
        return parts[2::3], [letter or digit for letter, digit in zip(parts[0::3], parts[1::3], strict=True)]
    if value and isinstance(value[0], Mapping):
        return [one["text"] for one in value], [str(one["label"]) for one in value]
    return list(value), [str(place) for place in range(len(value))]


def question(context: str, choices: Any, right: Any, group: Any = None) -> Question:
    """A question whose right answer is given by name, or is the text itself."""
    texts, names = answers(choices)
    name = str(right)
    return Question(context, texts, names.index(name) if name in names else texts.index(name), group)
