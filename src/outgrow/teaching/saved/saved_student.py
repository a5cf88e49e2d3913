"""A student's folder: what others can load, a model card, and student.json, which says all that predicting needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files import disk
from outgrow.core.files.json_file import parse_json
from outgrow.core.registry import find_identity
from outgrow.models.heads import saved as export
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.saved.model_card import model_card
from outgrow.teaching.saved.sealed import check_seal, sealed
from outgrow.teaching.students import FinetunedStudent, HeadStudent, Student

SCHEMA = 1
GRAPH = "onnx/model.onnx"  # where the hub and its libraries look for one


@dataclass(frozen=True)
class Kept:
    """A student from its folder."""

    student: Student
    classes: tuple[str, ...]
    reading: Reading  # the input type, and the columns that its inputs come from
    about: Mapping[str, Any]  # student.json


def check_place(out: Path) -> None:
    """Raise UsageError where a student would replace something that is none."""
    if out.is_dir() and any(out.iterdir()) and not (out / "student.json").is_file():
        raise UsageError(
            f"{out}: is a folder with other things in it; name a new one, or an older student's, with --out"
        )
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; name a folder with --out")


def save(out: Path, student: Student, about: Mapping[str, Any], *, onnx: bool = False) -> None:
    """Write a student's folder, whole or not at all; an older student there is replaced. onnx: as a graph too.

    about: classes, text (see `Reading.identity`), model, made, numbers; schema, version, kind, reading and, of a
    kind from a plug-in, its identity as `member` are added.
    """
    check_place(out)
    with disk.sentences(out, "the student's folder", "--out"), disk.replacing_folder(out) as new:
        reading = student.write(new, about["classes"])
        member = dict(student.member)
        whole = {"schema": SCHEMA, "outgrow": version("outgrow"), "kind": member["name"], "reading": reading, **about}
        if onnx:
            (new / GRAPH).parent.mkdir()
            student.write_onnx(new / GRAPH)
            whole["onnx"] = GRAPH
        if len(member) > 1:
            whole["member"] = member
        (new / "README.md").write_text(model_card(whole), encoding="utf-8")
        (new / "student.json").write_text(
            json.dumps(sealed(new, whole), indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )


def load(folder: str | Path) -> Kept:
    """The student in a folder, without its weights, which are read when it is asked. Raises UsageError, OutgrowError."""
    folder = Path(folder)
    about = _about(folder)
    check_seal(folder, about)
    kind = _kind(folder, about)
    try:
        classes, reading = tuple(map(str, about["classes"])), Reading.from_identity(about["text"])
        if kind.saved_for(reading.inputs) is None:
            raise UsageError(_cannot(folder, about))
        if not kind.has_features:
            return Kept(FinetunedStudent(folder, _member(about)), classes, reading, about)
        model, location, head, norm = export.read(folder, kind, about["reading"])
        if head.bias.shape != (1 if reading.inputs.exchangeable else len(classes),):
            raise ValueError("classes and head differ")
        if len(set(classes)) < len(classes):
            raise ValueError("a class twice")
    except (KeyError, TypeError, ValueError) as error:  # ValueError: pydantic's too
        raise OutgrowError(f"{folder}: its student.json does not fit the rest; copy the folder again") from error
    return Kept(HeadStudent(model, location, head, norm, _member(about)), classes, reading, about)


def _member(about: Mapping[str, Any]) -> Mapping[str, str]:
    return dict(about.get("member") or {"name": str(about["kind"])})


def _kind(folder: Path, about: Mapping[str, Any]) -> Any:
    """The class of its model kind. Raises UsageError for one that this outgrow does not know or cannot load."""
    try:
        kind = find_identity("models", _member(about)).load()
    except KeyError as error:
        raise OutgrowError(f"{folder}: its student.json names no kind; copy the folder again") from error
    except UsageError:
        kind = None
    if not hasattr(kind, "saved_for"):
        raise UsageError(_cannot(folder, about))
    return kind


def _cannot(folder: Path, about: Mapping[str, Any]) -> str:
    return f"{folder}: holds a student of the kind {about['kind']!r}, which this outgrow cannot load"


def _about(folder: Path) -> dict[str, Any]:
    path = folder / "student.json"
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder; `outgrow teach` writes one")
    try:
        about = parse_json(path.read_bytes())
        schema = about["schema"]
    except FileNotFoundError:
        raise UsageError(
            f"{folder}: is not a student's folder, as it has no student.json; `outgrow teach` writes one"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutgrowError(f"{path}: cannot be read; copy the student's folder again") from error
    if schema != SCHEMA:
        raise UsageError(
            f"{folder}: was written by outgrow {about.get('outgrow', 'of another version')}, in a form that this one "
            f"({version('outgrow')}) does not know; install that version or a newer one"
        )
    return dict(about)
