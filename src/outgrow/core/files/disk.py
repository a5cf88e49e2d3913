"""What the store asks of a POSIX file system: bytes that are on the disk when it says so, locks, and why it is full."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE, S_ISREG
from typing import Any

from outgrow.core.errors import OutgrowError, UsageError

FOREIGN_AGE = 7 * 86400.0  # seconds after which another host's temporary folder counts as left behind

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_FSYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
# Libraries wrap the error of a full disk in their own: Rust's "(os error 28)", numpy's short write without a number.
_FULL_TEXT = re.compile(
    r"no space left on device|disk quota exceeded|\bos error (28|122)\b|^\d+ requested and \d+ written", re.IGNORECASE
)


# Names of `temporary`, and what lies beside them under a longer name.
_TEMPORARY = re.compile(r"(?P<host>[A-Za-z0-9._-]+)-(?P<pid>[0-9]{1,10})-[0-9a-f]{32}(\.[a-z0-9]+){0,2}")


class FullDisk(OutgrowError):
    """There was no room to write: every further step would end the same way."""


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that a disk or a quota is full."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, FullDisk) or (isinstance(error, OSError) and error.errno in _FULL):
            return True
        if not isinstance(error, OutgrowError) and _FULL_TEXT.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def full_disk(error: BaseException, root: Path) -> FullDisk:
    """The sentence for a full disk: that of `root`, unless the error names a file that lies elsewhere."""
    name = error.filename if isinstance(error, OSError) else None
    elsewhere = isinstance(name, str) and Path(name).is_absolute() and not Path(name).is_relative_to(root)
    place = Path(str(name)).parent if elsewhere else root
    what = "the disk quota is used up" if getattr(error, "errno", None) == errno.EDQUOT else "the disk is full"
    return FullDisk(
        f"{place}: {what}; nothing already computed is lost: make room there (`outgrow prune` removes old results), "
        "then give the same command again"
    )


@contextmanager
def sentences(root: Path, what: str = "the store", option: str = "--store") -> Iterator[None]:
    """Turn errors of the file system into OutgrowErrors that say which file under `root` and what to do.

    Libraries that write by themselves (safetensors, Arrow) have errors of their own for a full disk.
    """
    try:
        yield
    except OutgrowError:
        raise
    except Exception as error:
        if is_full_disk(error):
            raise full_disk(error, root) from error
        if not isinstance(error, OSError):
            raise
        raise OutgrowError(
            f"{error.filename or root}: {what} cannot be used there: {error.strerror or error}; "
            f"check the folder and its permissions, or choose another one with {option}"
        ) from error


@contextmanager
def locked(path: Path, *, exclusive: bool, wait: bool, busy: str = "") -> Iterator[None]:
    """Hold an flock on `path`: a file, made where there is none, or a folder.

    The kernel lets go of it when the process dies, however it dies.

    Raises OutgrowError(busy) if another process holds it and `wait` is false.
    """
    with sentences(path.parent):
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise OutgrowError(busy) from error
        except OSError as error:
            # Where there are no locks nothing can be pruned, so nothing needs protection from pruning either.
            if error.errno not in _NO_LOCKS or not wait:
                raise OutgrowError(f"{path}: the file system refuses to lock it: {error.strerror}") from error
        yield
    finally:
        os.close(descriptor)


def flush(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FSYNC:  # some network file systems have no fsync for folders
            raise
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any, beside: Path) -> None:
    """Replace `path` by a value's JSON, atomically, by way of the new file `beside`."""
    try:
        beside.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
        flush(beside)
        os.replace(beside, path)
        flush(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside `path` to write into, which takes its place when the block ends without an error.

    A link stays: the file that it leads to is replaced. Raises OutgrowError where there is something other than a
    regular file: a device, a pipe or a folder is never replaced.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        what = "a folder" if target.is_dir() else "a device, a pipe or a socket"
        leads = f" (it leads to {target})" if path.is_symlink() else ""
        raise OutgrowError(f"{path}: is {what}{leads}, which is not replaced by a file; name a file to write")
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent, f".{target.name}.")
    beside = temporary(target.parent, f".{target.name}.")
    try:
        yield beside
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target` to write into, which takes its place, whole, when the block ends without an error.

    After an error, and after a kill, the target is as it was; what a killed process left beside it is removed here.
    """
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name}."
    sweep(target.parent, prefix)
    new, old = temporary(target.parent, prefix), temporary(target.parent, prefix)
    new.mkdir()
    try:
        yield new
        flush_tree(new)
        if target.exists():
            os.replace(target, old)
        try:
            os.replace(new, target)
        except OSError:
            if old.exists():
                os.replace(old, target)
            raise
    finally:
        remove(new)
        remove(old)


def flush_tree(folder: Path) -> dict[str, dict[str, Any]]:
    """Put a folder's files on the disk: name within the folder -> {"sha256", "bytes"}, sorted by name.

    Everything in it gets the permissions of the folder, which are those that the user's umask gives: some libraries
    write files that only their owner may read.
    Raises OutgrowError on what is neither a file nor a folder, such as a link: its target could change unseen.
    """
    files = {}
    allowed = S_IMODE(folder.stat().st_mode) & 0o777
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise OutgrowError(f"{path.name}: a result may only hold files and folders")
        path.chmod(allowed & (0o777 if path.is_dir() else 0o666))
        if path.is_file():
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
            files[path.relative_to(folder).as_posix()] = {"sha256": sha256, "bytes": size}
        flush(path)
    return files


def entries(folder: Path) -> list[Path]:
    """What a folder holds, sorted; nothing if it is absent."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; what vanishes meanwhile counts as nothing."""
    return sum(status.st_size for status in _walk(path) if S_ISREG(status.st_mode))


def last_change(path: Path) -> float:
    """When a file, or anything in a folder, last changed: seconds since 1970."""
    return max((status.st_mtime for status in _walk(path)), default=0.0)


def remove(path: Path) -> None:
    """Delete a file or a folder; another process may be deleting it too."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def home(path: str | Path) -> Path:
    """A path with the folder of the user in place of a `~` in front. Raises UsageError where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(f"{path}: there is no user of that name; write the folder out") from None


def this_host() -> str:
    """A name for where this process's number means something: the host, and on Linux the PID namespace.

    Two containers may share a host name and a store, and each has a process 7 of its own.
    """
    try:
        namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        namespace = "0"
    return f"{re.sub(r'[^A-Za-z0-9.]', '_', socket.gethostname())}.{namespace}"


def temporary(folder: Path, prefix: str = "") -> Path:
    """A name in `folder` for what is being written; it tells `sweep` whose it is."""
    return folder / f"{prefix}{this_host()}-{os.getpid()}-{uuid.uuid4().hex}"


def sweep(folder: Path, prefix: str = "") -> None:
    """Remove what processes that no longer live left under names of `temporary`, and nothing else.

    What is another host's, whose processes cannot be asked, is only removed when nothing in it changed for a week.
    Links are never followed or removed.
    """
    here = this_host()
    for path in entries(folder):
        own = _TEMPORARY.fullmatch(path.name.removeprefix(prefix)) if path.name.startswith(prefix) else None
        if own is None or path.is_symlink():
            continue
        if not lives(int(own["pid"])) if own["host"] == here else time.time() - last_change(path) > FOREIGN_AGE:
            remove(path)


def lives(pid: int) -> bool:
    """Whether a process of this host lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    # In a container whose first process collects no orphans, a killed one stays listed for ever.
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] not in ("Z", "X")
    return True


def _walk(path: Path) -> Iterator[os.stat_result]:
    for item in (path, *path.rglob("*")):
        with suppress(OSError):
            yield item.lstat()
