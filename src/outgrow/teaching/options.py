"""From the names of a student and a method to what is trained, with its checkpoints found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.core.files import disk
from outgrow.core.inputs.input_type import TEXT, InputType
from outgrow.core.registry import is_file_name, nearest
from outgrow.core.validation import Problems
from outgrow.experiment.spec.method_entries import MethodSpec, method_spec, misfits
from outgrow.experiment.spec.model_entries import ModelSpec, model_spec
from outgrow.experiment.spec.resolve import location_of
from outgrow.models.checkpoints.locate import SHORT
from outgrow.models.contract import Location

WEIGHTS = (0.0, 1.0, 5.0, 20.0)  # of careful labels, to choose among where training is cheap; see docs/develop/log.md
CORRECTIONS, CORRECTED_WEIGHT = 2, 2.0  # of cheap labels by careful ones, and the weight of these beside them
OVERLAP = 20  # texts with a cheap and a careful label, to correct by
DOUBTED = 100  # cheap labels, to doubt some of them
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3)  # what is tried where a strength of regularisation is to be chosen


@dataclass(frozen=True)
class Learner:
    """A student with all that its trainings read."""

    spec: ModelSpec
    locations: Mapping[str, Location]  # model entry -> checkpoint, of the student and of models that methods train
    sources: Mapping[str, Any] = field(default_factory=dict)  # fingerprint -> where on this machine, as JSON values

    @property
    def location(self) -> Location:
        """The student's own checkpoint."""
        return self.locations[self.spec.name]

    @property
    def cheap(self) -> bool:
        """Whether a training takes a moment: then many are made."""
        return self.spec.able.cheap_ceilings

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods to choose among; the first is the usual one, and wins a tie."""
        # In the few steps of so little data, what a finetuned student is sure of at first may be wrong: see
        # docs/guide/finetuning.md.
        return ("confidence", "naive") if self.cheap else ("naive", "confidence")

    @property
    def repeats(self) -> int:
        """How often a learning curve can be repeated in a reasonable time."""
        return 40 if self.cheap else 3

    @property
    def strengths(self) -> tuple[float, ...]:
        """The strengths of regularisation to choose among; none where there is no such option."""
        return STRENGTHS if hasattr(self.spec.options, "l2") else ()


@dataclass(frozen=True)
class Candidate:
    """How a student may learn: its model, a method, a strength of regularisation, and the weight of a careful label.

    l2 None: the student's own. weight: how many cheap labels a careful one counts as; 0: it is not learned from.
    rounds: how often the cheap labels are corrected by careful ones before they are learned.
    """

    learner: Learner
    method: MethodSpec
    l2: float | None
    weight: float = 0.0
    rounds: int = 0


def read_by(choices: Sequence[Candidate]) -> dict[str, Any]:
    """What the trainings of all candidates read: fingerprint -> where on this machine."""
    return {name: place for choice in choices for name, place in choice.learner.sources.items()}


def student_spec(written: Any) -> ModelSpec:
    """The student that is named: `minilm`, `static:wordllama`, a folder or hub name (as a probe), or a mapping.

    Raises UsageError, with the nearest names for one that is not known.
    """
    if isinstance(written, str) and ":" not in written and not is_file_name(written):
        short = SHORT.get(written.lower())
        looks_like_a_place = "/" in written or disk.home(written).is_dir()
        if short is None and not looks_like_a_place:
            raise UsageError(f'unknown student "{written}"{nearest(written, SHORT)}')
        written = f"{short.kind if short else 'probe'}:{written}"
    try:
        return model_spec(written, student=True)
    except Problems as error:
        raise UsageError(*error.sentences) from error


def learning_method(written: Any) -> MethodSpec:
    """The method that is named: a name, a mapping with options, or a list. Raises UsageError, see `student_spec`."""
    try:
        return method_spec(written)
    except Problems as error:
        raise UsageError(*error.sentences) from error


def learner(spec: ModelSpec, inputs: InputType = TEXT) -> Learner:
    """A student of these inputs with its checkpoint found.

    Raises UsageError for one that does not read them or cannot be kept, or not with these options.
    """
    if not spec.able.can_read(inputs):
        raise UsageError(f"--student: {spec.name} does not read inputs of type {inputs.name}; take another one")
    if spec.able.saved_for(inputs) is None:
        raise UsageError(f"{spec.name}: such a model cannot be a saved student: take static, probe or finetune")
    location = location_of(spec)
    spec = _as_student(spec, location, inputs)
    problems = spec.options.problems(location)
    if spec.able.first_rows is not None:
        problems.append(f"{spec.name}: `rows` is for supervisors of `outgrow run`: leave it out")
    if isinstance(getattr(spec.options, "l2", None), list):
        problems.append(f"{spec.name}: `l2` is one number here: leave it out, and let --choose choose it")
    if not spec.able.has_features:
        problems += _unfit(spec.options)
    if problems:
        raise UsageError(*problems)
    return Learner(spec, {spec.name: location}, {location.fingerprint: asdict(location)} | _file_of(spec))


def _as_student(spec: ModelSpec, location: Location, inputs: InputType) -> ModelSpec:
    """With the options that a student has here where none are named, and a name that says so."""
    options = spec.able.as_student(location, inputs)
    if options == spec.options:
        return spec
    named = {option: getattr(options, option) for option in sorted(options.model_fields_set - {"checkpoint"})}
    return replace(spec, options=options, written={spec.kind: spec.options.checkpoint, **named})


def learning(
    student: Any,
    method: Any,
    *,
    inputs: InputType = TEXT,
    l2: float | None = None,
    careful: bool = False,
    choose: bool = False,
    mix: bool | None = None,
) -> list[Candidate]:
    """The candidates to choose among, of one student with all that its methods need.

    method: as written, or None for the student's usual one, with `choose` all there are to choose among. careful:
    whether there are careful labels. mix: whether they are learned from too; None: where trainings are cheap, and as
    cross-validation chooses. Raises UsageError with everything that is wrong.
    """
    problems: list[str] = []
    found, given = None, None
    try:
        found = learner(student_spec(student), inputs)
    except UsageError as error:
        problems += error.problems
    try:
        given = None if method is None else learning_method(method)
    except UsageError as error:
        problems += error.problems
    if problems or found is None:
        raise UsageError(*problems)
    usual = found.methods if choose else found.methods[:1]
    methods = [given] if given is not None else [learning_method(one) for one in usual]
    weights = _weights(found, methods, careful, mix)
    return candidates(_with_methods(found, methods, mix=mix is True), methods, l2, choose, weights)


def for_labels(choices: Sequence[Candidate], classes: int, both: int, alone: int = 0) -> list[Candidate]:
    """The candidates where no method is given.

    Where careful labels may be learned from, in trainings that are cheap, and `both` texts have a cheap and a careful one,
    enough to know where the cheap ones are wrong: the cheap ones corrected, learned by naive or by confidence. Where `alone`
    cheap labels are all that is learned, in such trainings: less those that confident learning doubts. With more than two
    classes naive takes the place of confidence. What these gain and lose is in docs/develop/log.md.
    """
    if len(choices) > 1 and both >= OVERLAP:
        corrected = replace(choices[0], weight=CORRECTED_WEIGHT, rounds=CORRECTIONS)
        methods = ("naive", "confidence") if classes == 2 else ("naive",)
        return [replace(corrected, method=learning_method(name)) for name in methods]
    usual = choices[0].method
    if classes > 2 and usual.name == "confidence":
        usual = learning_method("naive")
    if alone >= DOUBTED:
        usual = learning_method(["confident_learning", usual.name])
    return [replace(one, method=usual) for one in choices]


def _weights(learner: Learner, methods: Sequence[MethodSpec], careful: bool, mix: bool | None) -> Sequence[float]:
    """The weights of careful labels to choose among."""
    if not careful or mix is False:
        return WEIGHTS[:1]
    if mix is None:
        judged = any(method.validated_on is not None for method in methods)
        return WEIGHTS if learner.cheap and not judged else WEIGHTS[:1]
    return WEIGHTS[1:] if learner.cheap else WEIGHTS[1:2]


def _with_methods(learner: Learner, methods: Sequence[MethodSpec], *, mix: bool) -> Learner:
    """The learner with what the methods need: their files, and the checkpoints of models that they train.

    Raises UsageError for methods that do not fit the student, or how it is taught.
    """
    locations, sources = dict(learner.locations), dict(learner.sources)
    problems: list[str] = []
    for method in methods:
        problems += [text.replace("methods:", "--method:", 1) for text in misfits(method, learner.spec)]
        problems += _unjudged(method, mix)
        sources |= method.files
        for spec in method.models:
            try:
                found = location_of(spec)
                problems += spec.options.problems(found)
            except UsageError as error:
                problems += error.problems
                continue
            locations[spec.name] = found
            sources |= {found.fingerprint: asdict(found)} | _file_of(spec)
    if problems:
        raise UsageError(*dict.fromkeys(problems))
    return replace(learner, locations=locations, sources=sources)


def candidates(
    learner: Learner, methods: Sequence[MethodSpec], l2: float | None, choose: bool, weights: Sequence[float] = (0.0,)
) -> list[Candidate]:
    """The methods with the strength that is given, or with `choose` each strength, by each weight. Raises UsageError."""
    if l2 is not None and not learner.strengths:
        raise UsageError("--l2: this kind of student has no such option; give it options in --student '{finetune: …}'")
    strengths: Sequence[float | None] = learner.strengths if choose and l2 is None and learner.strengths else [l2]
    if choose and len(methods) * len(strengths) < 2:
        raise UsageError("--choose: nothing is left to choose; take away --method or --l2")
    if choose and len(weights) > 2:
        weights = [weights[0], weights[-2]] if weights[0] == 0 else [weights[-2]]  # method and l2 are choice enough
    return [
        Candidate(learner, one, strength, weight) for one in methods for strength in strengths for weight in weights
    ]


def _unjudged(method: MethodSpec, mix: bool) -> list[str]:
    """Why nothing is there that the method could choose or stop by, a sentence each."""
    if method.validated_on is None:
        return []
    if method.knows_truth:
        return [
            f"--method: {method.name} looks at the careful labels that it would then be measured by: take --choose, or let "
            "it go by the weak labels"
        ]
    if mix:
        return [
            f"--method: {method.name} stops or chooses by the careful texts' cheap labels, and with --mix these texts are "
            "learned from: leave one of them out"
        ]
    return []


def _file_of(spec: ModelSpec) -> dict[str, Any]:
    if "file" not in spec.member.identity:
        return {}
    return {spec.member.identity["file"]: spec.member.target.rpartition(":")[0]}


def _unfit(options: Any) -> list[str]:
    """Options that a finetuned student which is kept cannot have, a sentence each."""
    wrong = []
    if options.pooling != "own":
        wrong.append("`pooling: mean` would leave a student that transformers cannot load: leave it out")
    if options.early_stop is not None:
        wrong.append("`early_stop` is a method here: leave it out, and give --method early_stop")
    if options.keep:
        wrong.append("`keep` is for `outgrow run`, this student is kept anyway: leave it out")
    return [f"finetune:{options.checkpoint}: {sentence}" for sentence in wrong]
