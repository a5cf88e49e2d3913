"""The store: key -> a folder of files that is whole or absent, whatever is killed, whenever.

A result is written into a folder of its own under `tmp/`, flushed to the disk, and renamed into place. POSIX refuses to
rename a folder onto one that holds files, which settles a race of two processes without any lock. Layout:

    store.json                    {"layout": 1}
    objects/<key[:2]>/<key>/      the files of one result, and artifact.json, which was written last
    damaged/<key>-<uuid>/         what failed its checksums and was set aside
    halfway/<key>                 the state of a training that has not ended, if it was asked for; <key>.1 of a second process
    tmp/<host>-<pid>-<uuid>/      being written, or left by a process that was killed
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files import disk
from outgrow.core.identity import digest_file
from outgrow.execution.store_files import (
    DAMAGED,
    KEY,
    LAYOUT,
    META,
    SHELF,
    STATE,
    check_root,
    last_use,
    own_files,
    own_folders,
    read_meta,
    seal,
)

_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT)  # ENOENT: NFS may answer a repeated rename that had worked so


@dataclass(frozen=True)
class Pruned:
    """What `Store.prune` removed: the keys, and the bytes freed, those of damaged results included."""

    keys: tuple[str, ...]
    bytes: int
    states: int = 0  # of trainings that had not ended: no results


class Store:
    """Results by key under `root`. Nothing is written before the first result or lock.

    `warn` gets one sentence when something damaged was set aside; by default it is appended to `warnings`.
    Raises UsageError if `root` is not a folder, holds something else, or was written by a newer version.
    """

    def __init__(self, root: Path, warn: Callable[[str], None] | None = None) -> None:
        self.root = Path(root)
        self.warnings: list[str] = []
        self.warn: Callable[[str], None] = warn or self.warnings.append
        self._checked: dict[str, dict[str, Any]] = {}  # artifact.json of what this process verified or made
        check_root(self.root)

    def folder(self, key: str) -> Path:
        """Where the result of `key` is, or would be."""
        return self.root / "objects" / key[:2] / key

    def halfway(self, key: str) -> Path:
        """A file for the state of what is to become the result of `key`; it goes when that is there."""
        return self.root / "halfway" / key

    def has(self, key: str) -> bool:
        """Whether the folder is there; cheap, nothing is verified."""
        return self.folder(key).is_dir()

    def open(self, key: str) -> Path | None:
        """The folder of a result, verified by size and SHA-256 once a process, and marked as used now.

        None if it is absent, or was damaged: then it is set aside, with a warning, so that it can be made again.
        """
        folder = self.folder(key)
        if key not in self._checked:
            if not folder.is_dir():
                return None
            if self._problem(key) is not None:
                self._set_aside(key)
                if key not in self._checked:  # else another process had replaced it meanwhile
                    return None
        try:
            os.utime(folder / META)
        except FileNotFoundError:
            del self._checked[key]
            return None
        except OSError:
            pass  # somebody else's store, or a read-only one: it serves all the same
        return folder

    def meta(self, key: str) -> dict[str, Any]:
        """artifact.json: key, kind, version, params, parents, files, seconds, flops, environment.

        Raises OutgrowError if there is no such result or its artifact.json is damaged.
        """
        if key not in self._checked:
            try:
                return read_meta(self.folder(key), key)
            except (OSError, ValueError) as error:
                raise OutgrowError(f"{self.folder(key)}: has no readable {META}: {error}") from error
        return self._checked[key]

    @contextmanager
    def create(self, key: str, record: dict[str, Any]) -> Iterator[Path]:
        """A folder to write the files of `key` into; put in place, whole, when the block ends without an error.

        `record` is what artifact.json says besides key, files and checksum; it is read when the block ends. If
        another process put the same key in place first, that one is verified and kept.
        Raises FullDisk when there is no room, OutgrowError if the store cannot be written.
        """
        with self.create_all({key: record}) as (folder,):
            yield folder

    @contextmanager
    def create_all(self, records: Mapping[str, dict[str, Any]]) -> Iterator[list[Path]]:
        """As `create`, for several keys that are made together: a folder for each, in order."""
        folders = [self._temporary() for _ in records]
        try:
            with disk.sentences(self.root):
                self._prepare()
                for folder in folders:
                    folder.mkdir()
            try:
                yield folders
            except Exception as error:
                if disk.is_full_disk(error) and not isinstance(error, disk.FullDisk):
                    raise disk.full_disk(error, self.root) from error
                raise
            # Side by side: a disk flushes many files in nearly the time of one. A failing one does not stop the others.
            with ThreadPoolExecutor(min(16, len(folders))) as pool:
                ends = [
                    pool.submit(self._finish, *what) for what in zip(folders, records, records.values(), strict=True)
                ]
            for end in ends:
                end.result()
        finally:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def lock(self, *, exclusive: bool = False) -> Iterator[None]:
        """Held shared by every run, exclusively by `prune`. Raises OutgrowError if `exclusive` and a run holds it.

        A store that cannot be written, such as one on a read-only disk, is read without a lock: nobody can prune it
        through this place, and what it lacks is reported when it is to be written.
        """
        if not exclusive and (self.root / "store.json").is_file() and not os.access(self.root, os.W_OK):
            yield
            return
        with disk.sentences(self.root):
            self._prepare()
        busy = f"{self.root}: a run is using this store; try again when it has ended"
        with disk.locked(self.root / "lock", exclusive=exclusive, wait=not exclusive, busy=busy):
            yield

    def sweep(self) -> None:
        """Remove temporary folders of processes that no longer live."""
        if not (self.root / "tmp").is_symlink():
            disk.sweep(self.root / "tmp")

    def prune(self, *, older_than: float | None = None, max_bytes: int | None = None) -> Pruned:
        """Remove results unused for `older_than` seconds, then the least recently used until `max_bytes` are kept.

        What was set aside as damaged goes too. Nothing is followed or removed that is not a folder or file of the
        store's own form: no link, no other name. Raises OutgrowError while a run is in progress.
        """
        if older_than is None and max_bytes is None:
            raise UsageError("prune: give an age or a size to keep")
        if not self.root.exists():
            return Pruned((), 0)
        with self.lock(exclusive=True), disk.sentences(self.root):
            self.sweep()
            freed = sum(self._drop(path) for path in own_folders(self.root / "damaged", DAMAGED))
            results = [
                path
                for shelf in own_folders(self.root / "objects", SHELF)
                for path in own_folders(shelf, KEY)
                if path.name.startswith(shelf.name)
            ]
            results += own_files(self.root / "halfway", STATE)
            # Break ties of last use by key, so that pruning does not depend on the order of directories.
            used = sorted((last_use(path), path.name, path, disk.size(path)) for path in results)
            total = sum(size for *_, size in used)
            oldest = time.time() - older_than if older_than is not None else float("-inf")
            gone: list[str] = []
            states = 0
            for used_at, key, path, size in used:
                if used_at < oldest or (max_bytes is not None and total > max_bytes):
                    freed += self._drop(path)
                    total -= size
                    if path.parent.name == "halfway":
                        states += 1
                    else:
                        gone.append(key)
                        self._checked.pop(key, None)
            return Pruned(tuple(gone), freed, states)

    def read_json(self, name: str) -> Any:
        """A small file of the store itself (`rates.json`), None if it is absent or unreadable."""
        try:
            return json.loads((self.root / name).read_bytes())
        except (OSError, ValueError):
            return None

    def write_json(self, name: str, value: Any) -> None:
        """Replace a small file of the store itself, atomically."""
        with disk.sentences(self.root):
            self._prepare()
            disk.write_json(self.root / name, value, self._temporary())

    def _prepare(self) -> None:
        if not (self.root / "store.json").exists():
            self.root.mkdir(parents=True, exist_ok=True)
            # store.json comes first: another process finds an empty folder or a store, nothing in between.
            disk.write_json(self.root / "store.json", {"layout": LAYOUT}, self.root / f".store.json-{uuid.uuid4().hex}")
        for name in ("objects", "tmp", "damaged"):
            (self.root / name).mkdir(exist_ok=True)

    def _temporary(self) -> Path:
        return disk.temporary(self.root / "tmp")

    def _finish(self, folder: Path, key: str, record: dict[str, Any]) -> None:
        with disk.sentences(self.root):
            meta = seal(folder, key, record)
            self._checked.pop(key, None)
            self._publish(folder, key)
            for state in self.halfway(key).parent.glob(f"{key}*"):
                state.unlink(missing_ok=True)
        self._checked.setdefault(key, meta)

    def _publish(self, folder: Path, key: str) -> None:
        target = self.folder(key)
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            disk.flush(target.parent.parent)
        for _ in range(10):
            try:
                os.rename(folder, target)
            except OSError as error:
                if error.errno not in _TAKEN or not target.exists():
                    raise
            else:
                disk.flush(target.parent)
                return
            if self._problem(key) is None:
                return  # somebody was faster, and theirs is as good
            self._set_aside(key)
        raise OutgrowError(f"{target}: is damaged again as often as it is made; check the disk of {self.root}")

    def _problem(self, key: str) -> str | None:
        """What is wrong with a result, None if nothing is."""
        folder = self.folder(key)
        try:
            meta = read_meta(folder, key)
            for name, expected in meta["files"].items():
                size = (folder / name).stat().st_size
                if size != expected["bytes"]:
                    return f"{name} has {size} bytes where {expected['bytes']} were written"
                if digest_file(folder / name) != expected["sha256"]:
                    return f"{name} does not match its checksum"
        except PermissionError as error:
            raise OutgrowError(f"{error.filename}: may not be read; check the permissions of the store") from error
        except FileNotFoundError as error:
            return f"{Path(error.filename).name} is missing"
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return f"it cannot be read ({error})"
        self._checked[key] = meta
        return None

    def _set_aside(self, key: str) -> None:
        with disk.sentences(self.root):
            self._prepare()
        # One at a time, and looked at again: what was damaged a moment ago may be another process's new result by now.
        with disk.locked(self.root / "damaged.lock", exclusive=True, wait=True), disk.sentences(self.root):
            problem = self._problem(key)
            if problem is None:
                return
            aside = self.root / "damaged" / f"{key}-{uuid.uuid4().hex}"
            try:
                os.rename(self.folder(key), aside)
            except FileNotFoundError:
                return
        self.warn(f"a stored result was damaged: {problem}; it was moved to {aside} and will be made again")

    def _drop(self, path: Path) -> int:
        # Renamed away first: a kill in the middle leaves a temporary folder, not half a result.
        size = disk.size(path)
        away = self._temporary()
        os.rename(path, away)
        disk.remove(away)
        return size


def default_store() -> Path:
    """The store in the user's cache folder."""
    from platformdirs import user_cache_path

    return user_cache_path("outgrow") / "store"
