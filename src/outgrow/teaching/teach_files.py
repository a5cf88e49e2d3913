"""`outgrow teach`: from files of labels to a student's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from outgrow.core.errors import UsageError
from outgrow.execution.machine import resolve_device
from outgrow.execution.progress import Display, Silent
from outgrow.models.checkpoints.locate import SHORT
from outgrow.teaching.cheap_labels import Form
from outgrow.teaching.dataset import read_evidence
from outgrow.teaching.model_card import licence
from outgrow.teaching.options import learner, learning_method, student_spec
from outgrow.teaching.saved_student import check_place, save
from outgrow.teaching.students import Progress
from outgrow.teaching.teach import Report, candidates, methods, teach

T = TypeVar("T")


def teach_files(
    labels: str | Path,
    *,
    text: str,
    columns: Sequence[str] = (),
    probabilities: Sequence[str] | Mapping[str, str] | None = None,
    voter: str | None = None,
    out: str | Path,
    student: str | Mapping[str, Any] = "minilm",
    method: str | Mapping[str, Any] | None = None,
    l2: float | None = None,
    truth: str | Path | None = None,
    truth_label: str | None = None,
    choose: bool = False,
    mix: bool = False,
    seed: int = 0,
    threads: int | None = None,
    device: str = "auto",
    display: Display | None = None,
) -> Report:
    """Teach a student by the labels in a file, save it in `out`, and say how good it is.

    The labels are `columns` of class names, or `probabilities`, one column a class; with `voter` each row is one vote.
    docs/guide/teach.md explains the options. Raises UsageError with everything that is wrong, before torch is loaded.
    """
    form = Form.of(columns, probabilities, voter)
    problems: list[str] = []
    needing = [option for option, given in (("--choose", choose), ("--mix", mix)) if given and truth is None]
    problems += [f"{option}: needs careful labels; give them by --truth" for option in needing]
    _tried(problems, lambda: check_place(Path(out)))
    spec = _tried(problems, lambda: student_spec(student))
    found = _tried(problems, lambda: learner(spec)) if spec is not None else None
    named = _tried(problems, lambda: None if method is None else learning_method(method))
    choices = None
    if found is not None and (named is not None or method is None):
        choices = _tried(problems, lambda: candidates(found, methods(method, found, choose), l2, choose))
    evidence = _tried(
        problems, lambda: read_evidence(labels, text=text, form=form, truth=truth, truth_label=truth_label)
    )
    if problems or spec is None or found is None or choices is None or evidence is None:
        raise UsageError(*dict.fromkeys(problems))
    device = resolve_device(device, threads)
    stages = _Stages(display or Silent(), 2 + (truth is not None) * (2 + mix))
    taught = teach(evidence, found, choices, mix=mix, seed=seed, device=device, progress=stages)
    stages.end()
    report = taught.report
    place = found.location
    model = {
        "name": spec.name,
        "hub": place.hub or (short.hub if (short := SHORT.get(place.name.lower())) else None),
        "fingerprint": place.fingerprint,
        "licence": licence(place.name, place.path),
        "options": spec.options.model_dump(mode="json", exclude={"checkpoint"}),
    }
    made = {
        "labels": form.written,
        "form": "probabilities"
        if form.probabilities
        else "votes"
        if form.voter
        else "joined"
        if form.joined
        else "classes",
        "method": report.method,
        "l2": _strength(report.l2, spec.options),
        "seed": seed,
        "environment": {name: version(name) for name in ("torch", "transformers", "numpy")},
    }
    about = {"classes": list(evidence.classes), "text": text, "model": model, "made": made, "numbers": report.plain()}
    save(Path(out), taught.student, about)
    return report


def _tried(problems: list[str], make: Callable[[], T]) -> T | None:
    """What `make` returns; None, and its sentences added to the problems, where something is wrong."""
    try:
        return make()
    except UsageError as error:
        problems.extend(error.problems)
        return None


def _strength(chosen: float | None, options: Any) -> float | None:
    own = getattr(options, "l2", None)
    return chosen if chosen is not None else own[0] if isinstance(own, list) else own


class _Stages:
    """One stage of teaching after the other, on a display."""

    def __init__(self, display: Display, total: int) -> None:
        self._display = display
        self._running: str | None = None
        display.begin(total)

    def __call__(self, label: str) -> Progress:
        self.end()
        self._running = label
        self._display.start(label, label)
        return partial(self._display.advance, label)

    def end(self) -> None:
        if self._running is not None:
            self._display.finish(self._running, 1, None)
        self._running = None
