"""What a student's folder was when it was written: `student.json` holds the SHA-256 of every file and its own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.core.identity import digest, digest_file
from outgrow.models.checkpoints.weight_files import ASIDE, READ

ABOUT = "student.json"
CARD = "README.md"  # for people to complete: a changed one changes no answer
_PATH = re.compile(r"(?<![\w.~-])(?:~[^/\s]*|\.{1,2})?/[^\s,]*")  # but not the slash of a hub's owner/name
AGAIN = "copy the student's folder again, or teach it again"


def without_folders(name: str) -> str:
    """A model's name in which a path of this machine is its last part: the student's folder is passed on."""
    return _PATH.sub(lambda found: Path(found[0]).name or "folder", name)


def sealed(folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """`about` with the SHA-256 of every file in the folder, by name, and of itself."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / ABOUT)
    files = {path.relative_to(folder).as_posix(): digest_file(path) for path in paths}
    about = {key: value for key, value in about.items() if key != "checksum"}
    whole: dict[str, Any] = json.loads(json.dumps({**about, "files": files}))
    return {**whole, "checksum": digest(whole)}


def check_seal(folder: Path, about: Mapping[str, Any]) -> None:
    """Raise OutgrowError where a file that predicting reads is not the one that teach wrote, or is one more."""
    files = about.get("files")
    if not isinstance(files, dict) or not all(isinstance(sha256, str) for sha256 in files.values()):
        raise OutgrowError(f"{folder / ABOUT}: names no checksums of the student's files; {AGAIN}")
    if about.get("checksum") != digest({key: value for key, value in about.items() if key != "checksum"}):
        raise OutgrowError(f"{folder / ABOUT}: was changed after the student was saved; {AGAIN}")
    for name, sha256 in files.items():
        path = folder / name
        if name != CARD and not path.is_file():
            raise OutgrowError(f"{path}: is missing; {AGAIN}")
        if name != CARD and digest_file(path) != sha256:
            raise OutgrowError(f"{path}: was changed after the student was saved; {AGAIN}")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        readable = path.suffix in {*READ, ".bin", ".jinja"} and path.name.lower() not in ASIDE
        if readable and path.is_file() and not path.name.startswith(".") and name not in {*files, ABOUT}:
            raise OutgrowError(f"{path}: is not one of the student's files; take it out of the folder")
