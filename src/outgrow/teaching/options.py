"""From the name of a student or a method to what learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.core.registry import is_file_name, nearest
from outgrow.core.validation import Problems
from outgrow.experiment.spec.method_entries import MethodSpec, method_spec
from outgrow.experiment.spec.model_entries import ModelSpec, model_spec
from outgrow.models.checkpoints.locate import SHORT, resolve
from outgrow.teaching.finetuned_students import FinetuneLearner, check
from outgrow.teaching.students import HeadLearner, Learner


def student_spec(written: Any) -> ModelSpec:
    """What a student is meant to be: `minilm`, `static:wordllama`, a folder or hub name (as a probe), or a mapping.

    Raises UsageError, with the nearest names for one that is not known.
    """
    if isinstance(written, str) and ":" not in written and not is_file_name(written):
        short = SHORT.get(written.lower())
        looks_like_a_place = "/" in written or Path(written).expanduser().is_dir()
        if short is None and not looks_like_a_place:
            raise UsageError(f'unknown student "{written}"{nearest(written, SHORT)}')
        written = f"{short.kind if short else 'probe'}:{written}"
    try:
        return model_spec(written, student=True)
    except Problems as error:
        raise UsageError(*error.sentences) from error


def learning_method(written: Any) -> MethodSpec:
    """The method that is meant: a name, a mapping with options, or a list. Raises UsageError, see `student_spec`."""
    try:
        spec = method_spec(written)
    except Problems as error:
        raise UsageError(*error.sentences) from error
    if spec.candidates or spec.parts.labels is not None or spec.parts.procedure is not None:
        raise UsageError(
            f"{spec.name}: is more than a loss, and such a method works in an experiment only: give a loss, such as naive "
            "or confidence, and one value an option"
        )
    return spec


def learner(spec: ModelSpec) -> Learner:
    """The kind of student that a specification asks for, with its checkpoint found. Raises UsageError."""
    if spec.able.saved is None:
        raise UsageError(f"{spec.name}: such a model cannot be a saved student: take static, probe or finetune")
    location = resolve(spec.options.checkpoint, spec.kind)
    problems = spec.options.problems(location)
    if spec.options.rows is not None:
        problems.append(f"{spec.name}: `rows` is for supervisors of `outgrow run`: leave it out")
    if isinstance(getattr(spec.options, "l2", None), list):
        problems.append(f"{spec.name}: `l2` is one number here: leave it out, and let --choose choose it")
    if problems:
        raise UsageError(*problems)
    if not spec.able.has_features:
        check(spec.options)
        return FinetuneLearner(spec.options, location)
    return HeadLearner(spec.options, location)
