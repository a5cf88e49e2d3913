"""One method of several members: at most one that changes the labels, one loss, one procedure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outgrow.core.errors import UsageError
from outgrow.methods.contract import PARTS, Method
from outgrow.methods.losses import Naive


@dataclass(frozen=True)
class Composed:
    """Who supplies what."""

    labels: Method | None
    loss: Method
    procedure: Method | None


def compose(members: Sequence[Method]) -> Composed:
    """The members of a list as one method; without a loss of their own they learn by `naive`.

    Raises UsageError where more than one supplies a part, or one supplies none.
    """
    problems = [
        f"{_name(member)} supplies neither labels, a loss nor a procedure" for member in members if not member.parts
    ]
    for part in PARTS:
        rivals = [_name(member) for member in members if part in member.parts]
        if len(rivals) > 1:
            what = {
                "labels": "labels of their own",
                "loss": "a loss of their own",
                "procedure": "a procedure of their own",
            }
            problems.append(
                f"{' and '.join(rivals)} each bring {what[part]}, and a student learns by one; "
                "list them as separate methods"
            )
    if problems:
        raise UsageError(*problems)
    found = {part: next((member for member in members if part in member.parts), None) for part in PARTS}
    return Composed(found["labels"], found["loss"] or Naive(), found["procedure"])


def _name(member: Method) -> str:
    return type(member).__name__.lower()
