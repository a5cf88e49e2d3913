"""One entry of an experiment's lists: a supervisor, a student, or a method, as written and as understood."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from outgrow.core import UsageError, canonical_json
from outgrow.faults import Problems, validated
from outgrow.labels.options import Given
from outgrow.methods.contract import Method, compose
from outgrow.models.contract import FeatureModel
from outgrow.models.finetune_options import Finetune
from outgrow.registry import Member, find, is_file_name, names, nearest

BASE: ContextVar[Path] = ContextVar("BASE", default=Path())  # the folder that relative paths start from

Written = str | Mapping[str, Any] | list[Any]


@dataclass(frozen=True)
class ModelSpec:
    """A supervisor or student: what the YAML says, and what that means."""

    written: str | Mapping[str, Any]
    role: Literal["features", "finetune", "custom", "given"]
    kind: str
    options: Any  # FeatureModel, Finetune, Given, or a plug-in's own model class, validated
    member: Member | None = None

    @property
    def identity(self) -> Mapping[str, Any]:
        """What decides its results, checkpoint and file names aside from what they hold."""
        member = dict(self.member.identity) if self.member else {"name": self.kind}
        return {"member": member, "options": self.options.model_dump(mode="json")}

    @property
    def pretrained(self) -> bool:
        """Whether it stands on a checkpoint, which `ground` finds."""
        return self.role in ("features", "finetune")

    @property
    def name(self) -> str:
        """What people read: `static:wordllama`, with the options that stand in the YAML."""
        return display(self.written)


@dataclass(frozen=True)
class MethodSpec:
    """A method: what the YAML says, and the composed method with the identity of its members."""

    written: Written
    method: Method
    identity: tuple[Mapping[str, Any], ...]  # one {"member": …, "options": …} a member, in order
    files: Mapping[str, str]  # SHA-256 of a plug-in file -> its path

    @property
    def name(self) -> str:
        """What people read: `confidence alpha=0.5`."""
        return display(self.written)


def display(written: Any) -> str:
    """A short text for a YAML entry: a string as it is, a mapping as `kind:checkpoint option=value`."""
    match written:
        case str():
            return written
        case list():
            return " + ".join(display(part) for part in written)
        case Mapping():
            (first, value), *rest = written.items()
            if isinstance(value, Mapping):
                return " ".join([str(first), *(f"{key}={_brief(item)}" for key, item in value.items())])
            return " ".join([f"{first}:{_brief(value)}", *(f"{key}={_brief(item)}" for key, item in rest)])
        case _:
            return str(written)


def _brief(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def model_spec(written: Any, *, student: bool) -> ModelSpec:
    """Understand one entry of `weak` or `strong`. Raises Problems with every fault of it."""
    kind, options = _head_and_options(written, "model", "{static: wordllama}")
    try:
        if kind == "given":
            if student:
                raise Problems("`given` labels can supervise but not learn: give a model under `strong`")
            spec = ModelSpec(written, "given", kind, validated(Given, options, "given"))
            if not find_file(spec.options.file).is_file():
                raise Problems(f"{find_file(spec.options.file)}: there is no such file")
            return spec
        if kind not in names("models") and not is_file_name(kind):
            raise Problems(f'unknown model kind "{kind}"{nearest(kind, [*names("models"), "given"])}')
        member = find("models", _absolute(kind))
        model = member.load()
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise Problems(f"{kind} is no model class: `outgrow check {kind}` says what one has")
        role: Literal["features", "finetune", "custom"] = "custom"
        if issubclass(model, FeatureModel | Finetune):
            role = "features" if issubclass(model, FeatureModel) else "finetune"
        return ModelSpec(written, role, kind, validated(model, options, kind), member)
    except UsageError as error:
        raise Problems(*error.problems) from error


def method_spec(written: Any) -> MethodSpec:
    """Understand one entry of `methods`; a list composes. Raises Problems with every fault of it."""
    entries = written if isinstance(written, list) else [written]
    if not entries:
        raise Problems("an empty list composes nothing: write `naive`")
    members: list[Method] = []
    identity: list[dict[str, Any]] = []
    files: dict[str, str] = {}
    wrong: list[str] = []
    for entry in entries:
        try:
            name, options = _head_and_options(entry, "method", "{confidence: {alpha: 0.5}}")
            member = find("methods", _absolute(name))
            method = member.load()
            if not (isinstance(method, type) and issubclass(method, Method)):
                raise Problems(f"{name} is no method class: `outgrow check {name}` says what one has")
            made = validated(method, options, name)
            members.append(made)
            identity.append({"member": dict(member.identity), "options": made.model_dump(mode="json")})
            if "file" in member.identity:
                files[member.identity["file"]] = member.target.rpartition(":")[0]
        except (UsageError, Problems) as error:
            wrong += error.problems if isinstance(error, UsageError) else error.sentences
    if wrong:
        raise Problems(*wrong)
    try:
        return MethodSpec(written, compose(members), tuple(identity), files)
    except UsageError as error:
        raise Problems(*error.problems) from error


def _head_and_options(written: Any, what: str, example: str) -> tuple[str, dict[str, Any]]:
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
        return str(head), dict(value)
    if value is None and not rest_items:
        return str(head), {}
    if isinstance(value, str):
        return str(head), {"checkpoint": value, **dict(rest_items)}
    raise Problems(f"the options of {head} are a mapping like `{example}`, not {value!r}")


def _absolute(name: str) -> str:
    if not is_file_name(name):
        return name
    path, _, attribute = name.rpartition(":")
    return f"{find_file(path)}:{attribute}"


def find_file(path: str) -> Path:
    """A path of a YAML file: beside that file, else from the working directory."""
    beside = (BASE.get() / Path(path).expanduser()).absolute()
    here = Path(path).expanduser().absolute()
    return here if here.exists() and not beside.exists() else beside
