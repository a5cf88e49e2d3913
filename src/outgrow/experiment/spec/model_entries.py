"""One entry of an experiment's lists: a supervisor or a student, as written and as understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from outgrow.core.entry_names import display
from outgrow.core.errors import UsageError
from outgrow.core.identity import canonical_json
from outgrow.core.registry import Member, find, is_file_name, names, nearest
from outgrow.core.validation import Problems, validated
from outgrow.experiment.spec.paths import absolute, find_file
from outgrow.models.contract import TEXTS, FeatureModel
from outgrow.models.finetune.options import Finetune
from outgrow.models.label_sources.options import SOURCES, Given, Join, Simulate
from outgrow.models.prompt.options import Prompt

Written = str | Mapping[str, Any] | list[Any]
Role = Literal["features", "finetune", "prompt", "custom", "given", "join", "simulate"]


@dataclass(frozen=True)
class ModelSpec:
    """A supervisor or student: what the YAML says, and what that means."""

    written: Written
    role: Role
    kind: str
    options: Any  # FeatureModel, Finetune, Given, Join, Simulate, or a plug-in's own model class, validated
    member: Member | None = None
    beneath: tuple[
        ModelSpec, ...
    ] = ()  # whose predictions it is made of: the voters of a join, the model of a simulation

    @property
    def identity(self) -> Mapping[str, Any]:
        """What decides its results, checkpoint and file names aside from what they hold."""
        member = dict(self.member.identity) if self.member else {"name": self.kind}
        identity = {"member": member, "options": self.options.model_dump(mode="json")}
        return {**identity, "beneath": [spec.identity for spec in self.beneath]} if self.beneath else identity

    @property
    def pretrained(self) -> bool:
        """Whether it stands on a checkpoint, which `ground` finds."""
        return self.role in ("features", "finetune", "prompt")

    @property
    def taught(self) -> bool:
        """Whether labels change it: a model that is only asked, without examples, stays what it is."""
        return self.role not in SOURCES and not (self.role == "prompt" and self.options.shots == 0)

    @property
    def partial(self) -> bool:
        """Whether it is somebody's labels, which may leave rows out."""
        return self.role == "given" or (self.role == "join" and any(spec.partial for spec in self.beneath))

    @property
    def reads(self) -> frozenset[str]:
        """The names of the input types that it reads; `ANY` where inputs make no difference to it."""
        return getattr(self.options, "reads", TEXTS)

    @property
    def everyone(self) -> list[ModelSpec]:
        """It and all it is made of."""
        return [self, *(spec for below in self.beneath for spec in below.everyone)]

    @property
    def name(self) -> str:
        """What people read: `static:wordllama`, with the options that stand in the YAML."""
        return display(self.written)


def model_spec(written: Any, *, student: bool) -> ModelSpec:
    """Understand one entry of `weak` or `strong`. Raises Problems with every fault of it."""
    if isinstance(written, list) or (isinstance(written, Mapping) and "join" in written):
        return _join(written, student)
    kind, options = head_and_options(written, "model", "{static: wordllama}")
    try:
        if kind in SOURCES and student:
            raise Problems(f"`{kind}` labels can supervise but not learn: give a model under `strong`")
        if kind == "simulate":
            return _simulation(written, options)
        if kind == "given":
            spec = ModelSpec(written, "given", kind, validated(Given, options, "given"))
            if not find_file(spec.options.file).is_file():
                raise Problems(f"{find_file(spec.options.file)}: there is no such file")
            return spec
        if kind not in names("models") and not is_file_name(kind):
            raise Problems(f'unknown model kind "{kind}"{nearest(kind, [*names("models"), *SOURCES])}')
        member = find("models", absolute(kind))
        model = member.load()
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise Problems(f"{kind} is no model class: `outgrow check {kind}` says what one has")
        role: Role = "custom"
        bases: dict[Role, type[BaseModel]] = {"features": FeatureModel, "finetune": Finetune, "prompt": Prompt}
        for name, base in bases.items():
            role = name if issubclass(model, base) else role
        return ModelSpec(written, role, kind, validated(model, options, kind), member)
    except UsageError as error:
        raise Problems(*error.problems) from error


def _join(written: Any, student: bool) -> ModelSpec:
    """`[a, b, c]`, or `{join: [a, b, c], by: …}`: several supervisors as one."""
    if student:
        raise Problems("several models joined can supervise but not learn: list them one by one under `strong`")
    options = {"join": written} if isinstance(written, list) else {str(key): value for key, value in written.items()}
    made = validated(Join, options, "join")
    voters: list[ModelSpec] = []
    wrong: list[str] = []
    for entry in made.voters:
        try:
            voters.append(model_spec(entry, student=False))
        except Problems as error:
            wrong += error.sentences
    identities = [canonical_json(voter.identity) for voter in voters]
    wrong += [
        f"join: {voter.name} stands there twice: it would vote twice"
        for place, voter in enumerate(voters)
        if identities[place] in identities[:place]
    ]
    if wrong:
        raise Problems(*wrong)
    return ModelSpec(written, "join", "join", made, None, tuple(voters))


def _simulation(written: Any, options: dict[str, Any]) -> ModelSpec:
    """`{simulate: {accuracy: .75, errors: random}}`: the truth with chosen mistakes."""
    made = validated(Simulate, options, "simulate")
    by = () if made.by is None else (model_spec(made.by, student=True),)
    return ModelSpec(written, "simulate", "simulate", made, None, by)


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
