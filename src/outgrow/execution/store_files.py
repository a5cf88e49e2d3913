"""The files of a store: the forms of their names, what a result's artifact.json says, and what is not the store's own."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.core.files import disk
from outgrow.core.identity import digest

LAYOUT = 1
META = "artifact.json"

SHELF = re.compile(r"[0-9a-f]{2}")
KEY = re.compile(r"[0-9a-f]{64}")
STATE = re.compile(r"[0-9a-f]{64}(\.[0-9]+)?")
DAMAGED = re.compile(r"[0-9a-f]{64}-[0-9a-f]{32}")


def check_root(root: Path) -> None:
    """Refuse what is not a store, before anything is written there."""
    # Listed first and read second: another process may make the store meanwhile, and store.json comes first there.
    with disk.sentences(root):
        others = [
            path.name for path in disk.entries(root) if not path.name.startswith(".") and path.name != "lost+found"
        ]
    try:
        text = (root / "store.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        if others:
            raise UsageError(
                f"{root}: is not a store (it holds {others[0]!r}, not store.json); choose an empty or a new folder"
            ) from None
        return
    except NotADirectoryError:
        raise UsageError(f"{root}: a store is a folder, and this is a file or lies in one; choose a folder") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{root}: its store.json cannot be read: {error}") from error
    try:
        layout = json.loads(text)["layout"]
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{root}: its store.json is not one of a store; choose an empty or a new folder") from None
    if layout != LAYOUT:
        raise UsageError(
            f"{root}: the store has layout {layout!r} and this version of outgrow knows {LAYOUT}; "
            "update outgrow, or choose another folder"
        )


def seal(folder: Path, key: str, record: dict[str, Any]) -> dict[str, Any]:
    """Put the files on the disk, then artifact.json, which says what they are."""
    meta = {**record, "key": key, "files": disk.flush_tree(folder)}
    meta["checksum"] = digest(meta)
    disk.write_json(folder / META, meta, folder / f".{META}")
    return meta


def read_meta(folder: Path, key: str) -> dict[str, Any]:
    """artifact.json. Raises ValueError if it is not what was written for this key."""
    meta: dict[str, Any] = json.loads((folder / META).read_bytes())
    if meta["key"] != key or meta["checksum"] != digest({k: v for k, v in meta.items() if k != "checksum"}):
        raise ValueError(f"{META} does not match its checksum")
    return meta


def own_folders(folder: Path, form: re.Pattern[str]) -> list[Path]:
    """Real folders with names of the store's form, in a real folder: links lead to what is not the store's."""
    return [path for path in _own(folder, form) if path.is_dir()]


def own_files(folder: Path, form: re.Pattern[str]) -> list[Path]:
    return [path for path in _own(folder, form) if path.is_file()]


def _own(folder: Path, form: re.Pattern[str]) -> list[Path]:
    if folder.is_symlink():
        return []
    return [path for path in disk.entries(folder) if form.fullmatch(path.name) and not path.is_symlink()]


def last_use(path: Path) -> float:
    """When a result was last used; of a folder without artifact.json, when it last changed."""
    for place in (path / META, path):
        with suppress(OSError):
            return place.lstat().st_mtime
    return time.time()
