"""One entry of an experiment's methods, as written and as understood: members composed, lists of values tried."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from outgrow.core.errors import UsageError
from outgrow.core.registry import Member, find
from outgrow.core.text.entry_names import as_shown, display
from outgrow.core.validation import Problems, validated
from outgrow.experiment.spec.model_entries import ModelSpec, Written, head_and_options, model_spec
from outgrow.experiment.spec.paths import absolute
from outgrow.methods.compose import Composed, compose
from outgrow.methods.contract import PARTS, Method

MOST = 100  # candidates of one grid


@dataclass(frozen=True)
class MethodSpec:
    """A method: what the YAML says, and who of its members supplies what."""

    written: Written
    parts: Composed
    identities: Mapping[str, Mapping[str, Any]]  # of the member that supplies labels, loss, procedure
    files: Mapping[str, str]  # SHA-256 of a plug-in file -> its path
    models: tuple[ModelSpec, ...] = ()  # that its procedure trains beside the student
    candidates: tuple[MethodSpec, ...] = ()  # of a grid; this one is then the first of them
    select_on: Literal["weak", "truth"] = "weak"  # what decides between candidates on validation
    names: Mapping[str, str] = field(default_factory=dict)  # the experiment's display names; no part of its identity

    @property
    def name(self) -> str:
        """What people read: its display name, else `confidence alpha=0.5`."""
        return display(self.written, self.names)

    @property
    def shown(self) -> Written:
        """The entry as results hold it: what the YAML says, or the display name of it."""
        return as_shown(self.written, self.names)

    @property
    def of(self) -> tuple[MethodSpec, ...]:
        """The methods of a grid; else itself."""
        return self.candidates or (self,)

    def named(self, names: Mapping[str, str]) -> MethodSpec:
        """With display names, and the models and candidates that it holds too."""
        models = tuple(model.named(names) for model in self.models)
        return replace(self, names=names, models=models, candidates=tuple(one.named(names) for one in self.candidates))

    @property
    def method(self) -> Method:
        """What supplies the loss."""
        return self.parts.loss

    @property
    def identity(self) -> Any:
        """What decides its results."""
        if self.candidates:
            return [self.select_on, *(candidate.identity for candidate in self.candidates)]
        return [dict(self.identities[part]) for part in PARTS if part in self.identities]

    @property
    def loss(self) -> list[dict[str, Any]]:
        """The identity of the loss alone, as a student's key has it."""
        return [dict(self.identities["loss"])]

    @property
    def validated_on(self) -> str | None:
        """Why it needs validation rows; None: it needs none."""
        if self.candidates:
            return "chooses there"
        return "stops early by them" if self.stops_on else None

    @property
    def stops_on(self) -> Literal["weak", "truth"] | None:
        """Whose labels of validation end the training of its students; None: nothing does."""
        return None if self.parts.procedure is None else self.parts.procedure.stops_on

    @property
    def knows_truth(self) -> bool:
        """Whether the truth decides anything of its students, which is an oracle."""
        if self.candidates:
            return self.select_on == "truth" or any(one.knows_truth for one in self.candidates)
        return any(
            part is not None and part.knows_truth for part in (self.parts.labels, self.method, self.parts.procedure)
        )

    def for_task(self, shares: Sequence[float]) -> MethodSpec:
        """The method for a task whose classes have these shares `[classes]`, see `Method.for_task`."""
        made = {part: one.for_task(shares) for part in PARTS if (one := getattr(self.parts, part)) is not None}
        identities = dict(self.identities)
        for part, method in made.items():
            if method is not getattr(self.parts, part):
                identities[part] = {**identities[part], "options": method.model_dump(mode="json")}
        candidates = tuple(candidate.for_task(shares) for candidate in self.candidates)
        return replace(self, parts=replace(self.parts, **made), identities=identities, candidates=candidates)


@dataclass(frozen=True)
class _Made:
    """A member with its options."""

    method: Method
    member: Member
    written: Any

    @property
    def identity(self) -> dict[str, Any]:
        return {"member": dict(self.member.identity), "options": self.method.model_dump(mode="json")}


def method_spec(written: Any) -> MethodSpec:
    """Understand one entry of `methods`; a list composes. Raises Problems with every fault of it."""
    entries = written if isinstance(written, list) else [written]
    if not entries:
        raise Problems("an empty list composes nothing: write `naive`")
    tried: list[list[_Made]] = []
    judges: set[Literal["weak", "truth"]] = set()
    wrong: list[str] = []
    for entry in entries:
        try:
            made, judge = _member(entry)
            tried.append(made)
            judges |= {judge} if len(made) > 1 else set()
        except (UsageError, Problems) as error:
            wrong += error.problems if isinstance(error, UsageError) else error.sentences
    count = 1
    for made in tried:
        count *= len(made)
    if len(judges) > 1:
        wrong.append("one list of values is judged by weak labels and another by the truth: give all one `select_on`")
    if count > MOST:
        wrong.append(f"{count} combinations of values are too many to choose among: give {MOST} or fewer")
    if wrong:
        raise Problems(*wrong)
    specs: list[MethodSpec] = []
    for members in itertools.product(*tried):
        as_written: list[Any] = [one.written for one in members]
        specs.append(_composed(as_written if isinstance(written, list) else as_written[0], list(members)))
    if len(specs) == 1:
        return _composed(written, [made[0] for made in tried])
    first = specs[0]
    files = {key: path for spec in specs for key, path in spec.files.items()}
    models = tuple(model for spec in specs for model in spec.models)
    return MethodSpec(written, first.parts, first.identities, files, models, tuple(specs), judges.pop())


def _composed(written: Any, members: list[_Made]) -> MethodSpec:
    try:
        parts = compose([made.method for made in members])
    except UsageError as error:
        raise Problems(*error.problems) from error
    identities: dict[str, Mapping[str, Any]] = {part: made.identity for made in members for part in made.method.parts}
    # A loss that nobody names is written out, so that a list with and without `naive` is one method.
    identities.setdefault("loss", _Made(parts.loss, find("methods", "naive"), "naive").identity)
    files = {
        made.member.identity["file"]: made.member.target.rpartition(":")[0]
        for made in members
        if "file" in made.member.identity
    }
    return MethodSpec(written, parts, identities, files, _models(parts.procedure))


def _models(procedure: Method | None) -> tuple[ModelSpec, ...]:
    """The models that a procedure trains beside the student. Raises Problems for what cannot learn from weak labels."""
    specs, wrong = [], []
    for entry in procedure.models if procedure is not None else ():
        try:
            specs.append(model_spec(entry, student=True))
            if specs[-1].able.first_rows is not None:
                wrong.append(
                    f"{specs[-1].name}: `rows` is for supervisors: a student in between learns from all it is given"
                )
        except Problems as error:
            wrong += error.sentences
    if wrong:
        raise Problems(*(f"{type(procedure).__name__.lower()}: {text}" for text in wrong))
    return tuple(specs)


def _member(entry: Any) -> tuple[list[_Made], Literal["weak", "truth"]]:
    """A member with each combination of the values that its options list, and what is to decide between them."""
    name, options = head_and_options(entry, "method", "{confidence: {alpha: 0.5}}")
    member = find("methods", absolute(name))
    method = member.load()
    if not (isinstance(method, type) and issubclass(method, Method)):
        raise Problems(f"{name} is not a method class: `outgrow check {name}` says what one has")
    judge: Any = "weak" if "select_on" in method.model_fields else options.pop("select_on", "weak")
    grid = {option: value for option, value in options.items() if _is_grid(method, option, value)}
    if judge not in ("weak", "truth"):
        raise Problems(f"{name}: select_on: is weak or truth (an oracle), not {judge!r}")
    if not grid:
        if judge == "truth":
            raise Problems(f"{name}: `select_on` chooses among the values of a list, and no option here is a list")
        return [_Made(validated(method, options, name), member, entry)], judge
    repeated = [option for option, values in grid.items() if any(value in values[:n] for n, value in enumerate(values))]
    if repeated:
        raise Problems(*(f"{name}: {option}: a value is listed twice" for option in repeated))
    made = []
    for values in itertools.product(*grid.values()):
        chosen = {**options, **dict(zip(grid, values, strict=True))}
        made.append(_Made(validated(method, chosen, name), member, {name: chosen}))
    return made, judge


def _is_grid(method: type[Method], option: str, value: Any) -> bool:
    """Whether a list is several values to try: where the option itself can be no such list."""
    if not isinstance(value, list) or len(value) < 2 or option not in method.model_fields:
        return False
    field = method.model_fields[option]
    if field.annotation is None:
        return False
    # A list of numbers that is meant as one value and is none, as shares that don't sum to one, has its own sentence.
    try:
        TypeAdapter(field.annotation).validate_python(value)
    except ValidationError:
        return True
    return False


def misfits(method: MethodSpec, student: ModelSpec) -> list[str]:
    """What of a method a kind of student cannot do, a sentence each."""
    of = method.of
    wrong: list[str] = []
    if not student.able.trained and method.identity != method_spec("naive").identity:
        wrong.append(
            f"methods: {student.name} is asked and never trained, so {method.name} cannot change it: give it an experiment "
            "of its own with naive alone"
        )
    wrong += [
        f"methods: {one.name} begins finetuning elsewhere than at the checkpoint, and {student.name} is not finetuned: "
        "name the student as finetune:…"
        for one in of
        if one.parts.procedure is not None and one.parts.procedure.starts not in {None, *student.able.starts}
    ]
    if not student.able.trained:
        return wrong
    features = student.able.has_features or student.able.frozen is not None
    looks = [one.parts.labels for one in of if one.parts.labels is not None]
    if not features and any(part.reads_features or part.reads_contrasts for part in looks):
        wrong.append(f"methods: {method.name} looks at the student's features, and {student.name} has none to show")
    if not student.able.stops and any(one.stops_on for one in of):
        wrong.append(
            f"methods: {method.name} stops training on its way, and {student.name} is asked only when it has ended"
        )
    return wrong
