"""The sealed part of an evaluation: truth, who was right before, and the rules; written once, checked at each reading."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.core.files import disk
from outgrow.core.files.json_file import read_json
from outgrow.core.identity import canonical_json
from outgrow.results.sealed import ledger
from outgrow.results.sealed.attempts import Threshold

CONTENT = "sealed.json"
SCHEMA = 1
WRONG = "is not the sealed part of an evaluation as `outgrow seal` wrote it"


@dataclass(frozen=True)
class Envelope:
    """Test ids, true classes, groups and halves `[n]`; right or wrong of weak and ceiling `[seeds, n]`; the rules."""

    salt: str
    names: Mapping[str, str]  # task, weak, strong
    classes: tuple[str, ...]
    seeds: tuple[int, ...]
    ids: tuple[str, ...]
    truth: NDArray[np.int64]
    groups: NDArray[np.str_]
    held: NDArray[np.bool_]  # the second half, the reusable holdout
    weak: NDArray[np.float64]
    ceiling: NDArray[np.float64]
    rule: Threshold

    @property
    def content(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": SCHEMA,
            "salt": self.salt,
            "names": dict(self.names),
            "classes": list(self.classes),
            "seeds": list(self.seeds),
            "rule": asdict(self.rule),
            "ids": list(self.ids),
            "truth": self.truth.tolist(),
            "groups": self.groups.tolist(),
            "held": self.held.tolist(),
            "weak": self.weak.astype(int).tolist(),
            "ceiling": self.ceiling.astype(int).tolist(),
        }

    @property
    def hash(self) -> str:
        """What the public part commits to: the salt keeps the truth from being guessed from it."""
        return hashlib.sha256(canonical_json(self.content).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """The sealed folder, with an empty ledger."""
        disk.write_json(folder / CONTENT, {"hash": self.hash, **self.content}, folder / f"{CONTENT}.new")
        ledger.begin(folder, self.hash)


def read_envelope(folder: Path) -> Envelope:
    """Raises OutgrowError where the folder is none, or its content does not match its hash."""
    if not (folder / CONTENT).is_file():
        raise OutgrowError(f"{folder}: {WRONG}: {CONTENT} is missing; --sealed names the folder that --key wrote")
    content = read_json(folder / CONTENT, WRONG, "take the copy you kept")
    try:
        found = Envelope(
            content["salt"],
            content["names"],
            tuple(content["classes"]),
            tuple(content["seeds"]),
            tuple(content["ids"]),
            np.array(content["truth"], dtype=np.int64),
            np.array(content["groups"], dtype=np.str_),
            np.array(content["held"], dtype=np.bool_),
            np.array(content["weak"], dtype=np.float64),
            np.array(content["ceiling"], dtype=np.float64),
            Threshold(**content["rule"]),
        )
        whole = content["hash"] == found.hash
    except (KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise OutgrowError(f"{folder / CONTENT}: {WRONG}: it does not match its hash; take the copy you kept")
    return found
