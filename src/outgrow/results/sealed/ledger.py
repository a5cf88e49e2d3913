"""A ledger of submissions: one JSON line each, chained by hashes, appended under a lock, and anchored by its last hash.

A line names the hash of the one before it, so that none can be changed, removed or put between others unnoticed. `head.json`
holds the number of lines and the last hash, so that none can be cut off the end. Both can be forged by a person who can write
both: the hash that every submission prints is what others compare. A process that is killed while it appends leaves a line
without its end, which nobody received and which is taken off, or a whole line that the head does not have yet, which counts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.core.files import disk
from outgrow.core.files.json_file import NotJsonError, parse_json
from outgrow.core.identity import canonical_json

LINES, HEAD = "ledger.jsonl", "head.json"
DAMAGED = "the ledger of submissions was changed or damaged"


@dataclass(frozen=True)
class Ledger:
    """The submissions so far, in their order, and the hash of the last (of the sealed part where there is none)."""

    lines: Sequence[Mapping[str, Any]]
    last: str


def begin(folder: Path, origin: str) -> None:
    """An empty ledger; `origin` is the hash that its first line names."""
    (folder / LINES).write_bytes(b"")
    disk.write_json(folder / HEAD, {"lines": 0, "last": origin}, folder / f"{HEAD}.new")


def read(folder: Path, origin: str) -> Ledger:
    """All whole lines. Raises OutgrowError where a line, the chain or the head does not hold. Call it under the lock."""
    head, data = _head(folder), _bytes(folder)
    whole, _, torn = data.rpartition(b"\n")
    lines: list[Mapping[str, Any]] = []
    last = origin
    for number, raw in enumerate(whole.split(b"\n") if whole else [], 1):
        try:
            line = parse_json(raw)
        except NotJsonError:
            line = None
        if not isinstance(line, dict) or line.get("previous") != last or line.get("hash") != _hash(line):
            raise OutgrowError(
                f"{folder / LINES}, line {number}: {DAMAGED}; nothing is scored on it, take the copy you kept"
            )
        lines.append(line)
        last = line["hash"]
    # A kill between the two files leaves the head one line behind, never ahead.
    known = lines[head["lines"] - 1]["hash"] if 0 < head["lines"] <= len(lines) else origin
    if not len(lines) - 1 <= head["lines"] <= len(lines) or head["last"] != known:
        raise OutgrowError(
            f"{folder / LINES}: {DAMAGED}: it holds {len(lines)} submissions, and {HEAD} knows of {head['lines']}; nothing is "
            "scored on it, take the copy you kept"
        )
    if torn or head["lines"] != len(lines):
        _write_whole(folder, data[: len(data) - len(torn)], len(lines), last)
    return Ledger(lines, last)


def append(folder: Path, ledger: Ledger, content: Mapping[str, Any]) -> Ledger:
    """The ledger with one line more, on the disk when this returns. Call it under the lock."""
    line = {**content, "number": len(ledger.lines) + 1, "previous": ledger.last}
    line["hash"] = _hash(line)
    with disk.sentences(folder, "the ledger", "--sealed"):
        with (folder / LINES).open("ab") as file:
            file.write(canonical_json(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        disk.write_json(folder / HEAD, {"lines": line["number"], "last": line["hash"]}, folder / f"{HEAD}.new")
    return Ledger([*ledger.lines, line], line["hash"])


def _hash(line: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in line.items() if name != "hash"}
    return hashlib.sha256(canonical_json(rest).encode()).hexdigest()


def _bytes(folder: Path) -> bytes:
    try:
        return (folder / LINES).read_bytes()
    except OSError as error:
        raise OutgrowError(f"{folder / LINES}: {DAMAGED}: it cannot be read ({error.strerror})") from error


def _head(folder: Path) -> dict[str, Any]:
    try:
        head = json.loads((folder / HEAD).read_bytes())
        return {"lines": int(head["lines"]), "last": str(head["last"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutgrowError(f"{folder / HEAD}: {DAMAGED}: the head of the ledger cannot be read") from error


def _write_whole(folder: Path, data: bytes, lines: int, last: str) -> None:
    with disk.sentences(folder, "the ledger", "--sealed"):
        with disk.replacing(folder / LINES) as beside:
            beside.write_bytes(data)
            disk.flush(beside)
        disk.write_json(folder / HEAD, {"lines": lines, "last": last}, folder / f"{HEAD}.new")
