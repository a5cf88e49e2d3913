"""One entry of an experiment's lists: a supervisor or a student, as written and as understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from outgrow.core.errors import UsageError
from outgrow.core.identity import canonical_json
from outgrow.core.registry import Member, find, is_file_name, names, nearest
from outgrow.core.text.entry_names import as_shown, display
from outgrow.core.validation import Problems, validated
from outgrow.experiment.spec.paths import absolute, find_file
from outgrow.models.contract import Model

Written = str | Mapping[str, Any] | list[Any]
PLAIN = Model()  # what a class declares that does not extend `Model`: it has `fit`, and nothing more is known of it
LIST = "join"  # the kind that a bare list under `weak` means
BUDGET, TRUTH, PLACED = "budget_of_truth", "truth", "placed"  # the kind that an entry with such options means


@dataclass(frozen=True)
class ModelSpec:
    """A supervisor or student: what the YAML says, and what that means."""

    written: Written
    kind: str
    options: Any  # of the kind's own class, validated
    member: Member
    beneath: tuple[
        ModelSpec, ...
    ] = ()  # whose predictions it is made of: the voters of a join, the model of a simulation
    names: Mapping[str, str] = field(default_factory=dict)  # the experiment's display names; no part of its identity

    @property
    def identity(self) -> Mapping[str, Any]:
        """What decides its results, checkpoint and file names aside from what they hold."""
        identity = {"member": dict(self.member.identity), "options": self.options.model_dump(mode="json")}
        return {**identity, "beneath": [spec.identity for spec in self.beneath]} if self.beneath else identity

    @property
    def able(self) -> Model:
        """What it declares that it can do."""
        return self.options if isinstance(self.options, Model) else PLAIN

    @property
    def partial(self) -> bool:
        """Whether rows may have no label of it."""
        return self.able.may_leave_rows_out or any(spec.partial for spec in self.beneath)

    @property
    def first_rows(self) -> int | None:
        """As a supervisor: how many rows of weak_train it learns from; None: all."""
        return self.able.first_rows if self.able.budget is None else self.beneath[0].first_rows

    @property
    def everyone(self) -> list[ModelSpec]:
        """It and all it is made of."""
        return [self, *(spec for below in self.beneath for spec in below.everyone)]

    @property
    def name(self) -> str:
        """What people read: its display name, else `static:wordllama` with the options that stand in the YAML."""
        return display(self.written, self.names)

    @property
    def shown(self) -> Written:
        """The entry as results hold it: what the YAML says, or the display name of it."""
        return as_shown(self.written, self.names)

    def named(self, names: Mapping[str, str]) -> ModelSpec:
        """With display names, and all that it is made of too."""
        return replace(self, names=names, beneath=tuple(spec.named(names) for spec in self.beneath))


def model_spec(written: Any, *, student: bool) -> ModelSpec:
    """Understand one entry of `weak` or `strong`. Raises Problems with every fault of it."""
    kind, options = _kind_and_options(written)
    try:
        if kind not in names("models") and not is_file_name(kind):
            raise Problems(f'unknown model kind "{kind}"{nearest(kind, names("models"))}')
        member = find("models", absolute(kind))
        model = member.load()
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise Problems(f"{kind} is not a model class: `outgrow check {kind}` says what one has")
        reason = model.cannot_learn if issubclass(model, Model) else None
        if student and reason is not None:
            raise Problems(reason)
        made = validated(model, options, kind)
        spec = ModelSpec(written, kind, made, member)
        missing = [path for name in spec.able.files if not (path := find_file(name)).is_file()]
        if missing:
            raise Problems(*(f"{path}: there is no such file" for path in missing))
        return replace(spec, beneath=_beneath(kind, spec.able))
    except UsageError as error:
        raise Problems(*error.problems) from error


def _kind_and_options(written: Any) -> tuple[str, dict[str, Any]]:
    """The name of a kind and its options; `[a, b]` and `{join: [a, b], by: …}` have a list in place of a checkpoint, and
    `{static: wordllama, truth: .25}` is a budget of truth over the entry without it.
    """
    if isinstance(written, list):
        return LIST, {LIST: written}
    if isinstance(written, Mapping) and TRUTH in written and BUDGET not in written:
        budget = {key: written[key] for key in (TRUTH, PLACED) if key in written}
        return BUDGET, {"of": {key: value for key, value in written.items() if key not in budget}, **budget}
    if isinstance(written, Mapping) and LIST in written:
        return LIST, {str(key): value for key, value in written.items()}
    return head_and_options(written, "model", "{static: wordllama}")


def _beneath(kind: str, model: Model) -> tuple[ModelSpec, ...]:
    """The models whose predictions one is made of. Raises Problems with every fault of them."""
    specs: list[ModelSpec] = []
    wrong: list[str] = []
    for entry, student in model.beneath:
        try:
            specs.append(model_spec(entry, student=student))
        except Problems as error:
            wrong += error.sentences
    identities = [canonical_json(spec.identity) for spec in specs]
    wrong += [
        f"{kind}: {spec.name} is listed twice: it would vote twice"
        for place, spec in enumerate(specs)
        if identities[place] in identities[:place]
    ]
    if wrong:
        raise Problems(*wrong)
    return tuple(specs)


def head_and_options(written: Any, what: str, example: str) -> tuple[str, dict[str, Any]]:
    """`kind:checkpoint`, `{kind: checkpoint, option: value}`, `name` or `{name: {option: value}}` -> name, options."""
    if isinstance(written, str):
        head, colon, rest = written.partition(":")
        if is_file_name(written) or not colon:
            return written, {}
        return head.strip(), {"checkpoint": rest.strip()}
    if not isinstance(written, Mapping) or not written:
        raise Problems(f"a {what} is a name or a mapping like `{example}`, not {written!r}")
    (head, value), *rest_items = written.items()
    if isinstance(value, Mapping) and not rest_items:
        return str(head), {str(option): item for option, item in value.items()}
    if value is None and not rest_items:
        return str(head), {}
    if isinstance(value, str):
        return str(head), {"checkpoint": value, **{str(option): item for option, item in rest_items}}
    raise Problems(f"the options of {head} are a mapping like `{example}`, not {value!r}")
