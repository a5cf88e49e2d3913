"""`SHA256SUMS` of a folder: what its files were when it was written, in the form that `sha256sum -c` reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.core.files import disk
from outgrow.core.identity import digest_file

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([^\r\n]+)")


def write_sums(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the checksums that `disk.flush_tree` found of a folder's files."""
    text = "".join(f"{found['sha256']}  {name}\n" for name, found in files.items())
    (folder / SUMS).write_text(text, encoding="utf-8")
    disk.flush(folder / SUMS)


def check_sums(folder: Path, names: Iterable[str], what: str, advice: str) -> None:
    """Raise OutgrowError where one of these files is not what the folder's checksums say.

    A folder without checksums passes: single files may be copied without them.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise OutgrowError(f"{folder}: {what}: its {SUMS} cannot be read; {advice}") from error
    known = _known(lines)
    if known is None:
        raise OutgrowError(f"{folder}: {what}: its {SUMS} is damaged; {advice}")
    for name in names:
        path = folder / name
        if path.is_file() and known.get(name) != digest_file(path):
            raise OutgrowError(f"{folder}: {what}: {name} was changed after it was written; {advice}")


def is_whole(folder: Path, needed: Iterable[str]) -> bool:
    """Whether a folder's checksums name the needed files, and every file that they name is there as it was written."""
    try:
        known = _known((folder / SUMS).read_text(encoding="utf-8").splitlines())
        return (
            known is not None
            and set(needed) <= set(known)
            and all(digest_file(folder / name) == digest for name, digest in known.items())
        )
    except (OSError, ValueError):
        return False


def _known(lines: Iterable[str]) -> dict[str, str] | None:
    """Names and their checksums; None where a line is not of that form."""
    found = [_LINE.fullmatch(line) for line in lines]
    return {line[2]: line[1] for line in found if line} if all(found) else None
