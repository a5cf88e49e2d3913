"""`outgrow teach`: from files of labels to a student's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from outgrow.core.errors import Stopped, UsageError
from outgrow.core.files import disk
from outgrow.core.inputs.input_type import TEXT, InputType
from outgrow.core.text.units import named
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Display, Silent
from outgrow.execution.store import Store, default_store
from outgrow.teaching.auto import asked, seconds_for
from outgrow.teaching.labels.careful_labels import careful_files
from outgrow.teaching.labels.dataset import Dataset
from outgrow.teaching.labels.dataset_notes import notes
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.options import read_by
from outgrow.teaching.report import Report
from outgrow.teaching.saved.described import described
from outgrow.teaching.saved.saved_student import check_place, save
from outgrow.teaching.steps import dataset_step
from outgrow.teaching.students import calibrated, graph_problems, trained
from outgrow.teaching.teach import Laboratory, Taught, teach, usual

T = TypeVar("T")


def teach_files(
    labels: str | Path,
    *,
    text: str | None = None,
    inputs: Mapping[str, Any] | None = None,
    columns: Sequence[str] = (),
    probabilities: Sequence[str] | Mapping[str, str] | None = None,
    voter: str | None = None,
    confidence: str | None = None,
    out: str | Path,
    student: str | Mapping[str, Any] | None = None,
    method: str | Mapping[str, Any] | None = None,
    l2: float | None = None,
    truth: str | Path | Sequence[str | Path] | None = None,
    max_classes: int | None = None,
    truth_label: str | None = None,
    truth_voters: Sequence[str] = (),
    learn: Sequence[str | Path] = (),
    choose: bool = False,
    mix: bool | None = None,
    worth: bool = True,
    onnx: bool = False,
    budget: float | None = None,
    seed: int = 0,
    store: str | Path | Store | None = None,
    machine: Machine | None = None,
    display: Display | None = None,
) -> Report:
    """Teach a student by the labels in a file, save it in `out`, and report how good it is.

    text: the column of the texts, or a template; of other inputs `inputs`, the columns of their type, as a task has them:
    `{"chosen": …, "rejected": …}`, `{"image": …}`. The labels are `columns` of class names, or `probabilities`, one column
    per class, or one of mappings; with `voter` each row is one vote, with `confidence` each label has its probability. A folder
    of pictures, one folder per class, needs neither.
    truth_voters: the column of who gave a careful label, or several of annotators' labels. learn: files of careful labels that
    were chosen and not drawn. student: of texts `minilm`, where none is named; `auto` tries those on this machine, for
    `budget` seconds (600 where none are given). worth: whether what the cheap labels are worth
    is counted; the student is in `out` before that. onnx: the student is written as an ONNX graph too.
    machine: what the work may use. docs/guide/teach.md explains the other options. What was trained is kept in the
    store: after a kill, the same call goes on where it was.
    Raises UsageError with everything that is wrong, before torch is loaded.
    """
    if text is None and inputs is None and Path(labels).is_dir():
        inputs, columns = {"image": "image"}, columns or ["label"]
    form = Form.of(columns, probabilities, voter, confidence)
    problems: list[str] = []
    reading = _tried(problems, lambda: _reading(text, inputs))
    needing = [option for option, given in (("--choose", choose), ("--mix", mix)) if given and truth is None]
    truths = careful_files(truth)
    needing += ["--truth-voter"] if truth_voters and not truths else []
    problems += [f"{option}: needs careful labels; give them by --truth" for option in needing]
    problems += _voters(truth_voters, truth_label)
    seconds = _tried(problems, lambda: seconds_for(student, budget))
    _tried(problems, lambda: check_place(Path(out)))
    kind = TEXT if reading is None else reading.inputs
    how: dict[str, Any] = {"inputs": kind, "l2": l2, "careful": truth is not None, "choose": choose, "mix": mix}
    choices = _tried(problems, lambda: asked(_student(student, kind), method, **how))
    if onnx and choices:
        graphs = [one for one in choices if not graph_problems(one.learner.spec, kind)]
        problems += [] if graphs else graph_problems(choices[0].learner.spec, kind)
        choices = graphs
    sources: dict[str, Any] = {}
    pool = None
    if reading is not None:
        sources |= reading.files
        careful: dict[str, Any] = {"truth_voters": truth_voters, "learn": learn}
        pool = _tried(
            problems,
            lambda: dataset_step(labels, reading, form, truths, truth_label, sources, max_classes, **careful),
        )
    opened = store if isinstance(store, Store) else Store(disk.home(store) if store else default_store())
    shown = display or Silent()
    data = Laboratory(opened, Machine(device="cpu"), sources, shown)
    if pool is not None:
        _tried(problems, lambda: data.made([pool]))
    if problems or choices is None or pool is None or reading is None:
        raise UsageError(*dict.fromkeys(problems))
    if method is None and not choose:
        learned = truth is not None and mix is not False
        choices = usual(choices, Dataset.load(data.opened(pool)), careful=learned)
    machine = machine or Machine()
    machine.devices()  # a device that is not there is known before any work
    laboratory = Laboratory(opened, machine, sources | read_by(choices), shown)
    names = Path(labels).name, " and ".join(Path(one).name for one in truths)

    def keep(taught: Taught, *, onnx: bool = False) -> Report:
        noun = reading.inputs.noun
        about_labels = (*_notes(taught, *names, form.columns), *taught.report.notes)
        report = replace(taught.report, notes=tuple(named(noun, note) for note in about_labels), noun=noun)
        step, learner = laboratory.trained(taught.student), taught.learner
        kept, report = calibrated(trained(learner.spec, learner.location, step.params, laboratory.opened(step)), report)
        columns = form.written or list(reading.keys.values())
        form_of = "joined" if report.voters else form.kind
        classes = taught.evidence.pool.classes
        save(
            Path(out), kept, described(learner, report, classes, reading.identity(), columns, form_of, seed), onnx=onnx
        )
        return report

    saved: list[Report] = []
    try:
        taught = teach(
            pool,
            choices,
            laboratory,
            seed=seed,
            worth=worth,
            budget=seconds,
            before_worth=lambda one: saved.append(keep(one)),
        )
    except (Stopped, KeyboardInterrupt) as error:
        if saved:
            error.add_note(f"the student is in {out}; what its cheap labels are worth was not counted")
        raise
    return keep(taught, onnx=onnx)


def _reading(text: str | None, inputs: Mapping[str, Any] | None) -> Reading:
    if (text is None) == (inputs is None):
        raise UsageError(
            "--text: name the column of the texts; of other inputs their columns, by --image, --chosen or --inputs"
        )
    return Reading.of(text if text is not None else inputs or {})


def _voters(truth_voters: Sequence[str], truth_label: str | None) -> list[str]:
    """What is wrong with the columns of annotators, a sentence each."""
    wrong = [
        f"--truth-voter: column {one!r} is named twice"
        for one in dict.fromkeys(truth_voters)
        if truth_voters.count(one) > 1
    ]
    if len(truth_voters) > 1 and truth_label is not None:
        wrong.append("--truth-voter: several columns are the annotators' labels themselves: leave --truth-label out")
    return wrong


def _student(named: str | Mapping[str, Any] | None, inputs: InputType) -> str | Mapping[str, Any]:
    """The student asked for, or of texts the usual one. Raises UsageError where none is named for other inputs."""
    if named is not None:
        return named
    if "text" in (inputs.name, inputs.made_of):
        return "minilm"
    raise UsageError(
        f"--student: name one that reads inputs of type {inputs.name}, such as the folder or hub name of a pretrained model"
    )


def _tried(problems: list[str], make: Callable[[], T]) -> T | None:
    """What `make` returns; None, and its sentences added to the problems, where something is wrong."""
    try:
        return make()
    except UsageError as error:
        problems.extend(error.problems)
        return None


def _notes(taught: Taught, labels: str, truth: str, columns: Sequence[str]) -> tuple[str, ...]:
    found = notes(taught.data, labels, truth)
    given = taught.data.given
    if given.kind == "votes" and taught.voters:
        right = np.array([voter["right"] for voter in taught.voters])
        votes = given.answers[:, 0] >= 0
        texts = given.rows[votes]
        gave = f"{given.voters} voters gave {len(texts)} labels to {len(set(texts.tolist()))} texts"
        # No names: who voted is nobody's business who gets the student.
        if len(set(texts.tolist())) == len(texts):
            known = ", none of which two of them labelled: how often each is right is not known from that"
        else:
            known = (
                f"; by the model that joins them, they are right on {100 * right.min():.0f}% to {100 * right.max():.0f}% of "
                f"theirs (median {100 * np.median(right):.0f}%)"
            )
        found.insert(0, gave + known)
    if given.kind == "columns":
        found += [
            f"column {name!r} of {labels} holds no label"
            for name, answers in zip(columns, given.answers.T, strict=True)
            if (answers < 0).all()
        ]
    return tuple(found)
