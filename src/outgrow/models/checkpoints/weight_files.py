"""The bytes of a checkpoint on this machine: what they are, how many numbers, and the folder they are read from."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.identity import digest, digest_file
from outgrow.models.checkpoints.safe_folder import check_folder

if TYPE_CHECKING:
    from outgrow.models.contract import Location

READ = {".safetensors", ".json", ".txt", ".model", ".spm", ".bpe", ".jinja"}  # what a loader may read of a folder
ASIDE = {  # and what stands beside it without changing any feature
    "all_results.json",
    "data_config.json",
    "eval_results.json",
    "generation_config.json",
    "license.txt",
    "notice.txt",
    "readme.txt",
    "requirements.txt",
    "train_results.json",
    "trainer_state.json",
}
RACE = 2_000_000_000  # nanoseconds: a file touched so lately may change again without its time changing


def cache_folder() -> Path:
    """Where checkpoints are unpacked and digests remembered."""
    return user_cache_path("outgrow") / "checkpoints"


def folder_files(folder: Path) -> list[Path]:
    """The weights, tokenizer and config files in a checkpoint folder itself, sorted by name.

    Those of a folder that `check_folder` passes are all that is read of it.
    """
    found = [path for path in folder.iterdir() if path.suffix in READ and path.name.lower() not in ASIDE]
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def fingerprint(files: Mapping[str, Path]) -> str:
    """SHA-256 over names and contents, 64 hex digits: the same wherever the files lie."""
    return digest([[name, remembered_digest(files[name])] for name in sorted(files)])


def folder_fingerprint(folder: Path) -> str:
    """`fingerprint` of a checkpoint folder."""
    return fingerprint({path.name: path for path in folder_files(folder)})


def remembered_digest(path: Path) -> str:
    """SHA-256 of a file, remembered in the user's cache as long as the file's size, times and inode are the same."""
    path = path.resolve()
    stat = path.stat()
    # The change time cannot be set back by a program, as the modification time can.
    state = [str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    note = cache_folder() / "digests" / f"{digest(str(path))[:32]}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        kept = json.loads(note.read_text())
        if kept["state"] == state:
            return str(kept["sha256"])
    result = digest_file(path)
    if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > RACE:
        with suppress(OSError):  # only a shortcut: without it the file is read again
            note.parent.mkdir(parents=True, exist_ok=True)
            beside = note.with_name(f"{note.name}.{os.getpid()}")
            beside.write_text(json.dumps({"state": state, "sha256": result}))
            os.replace(beside, note)
    return result


def static_files(folder: Path) -> tuple[Path, Path]:
    """The embedding table and the tokenizer of static embeddings. Raises UsageError where there is not one of each.

    Either both in the folder itself (model2vec), or in its `weights` and `tokenizers` (wordllama's package).
    """
    tables = sorted(folder.glob("*.safetensors")) or sorted((folder / "weights").glob("*.safetensors"))
    tokenizers = sorted(folder.glob("tokenizer.json")) or sorted((folder / "tokenizers").glob("*.json"))
    if len(tables) == 1 and len(tokenizers) == 1:
        return tables[0], tokenizers[0]
    raise UsageError(
        f"static:{folder}: static embeddings need one safetensors file with the table and one tokenizer.json, "
        f"the folder has {len(tables)} and {len(tokenizers)}"
    )


def folder_of(location: Location) -> Path:
    """The folder to load a checkpoint from: downloads from the hub, or converts a GGUF file, the first time.

    Raises OutgrowError if that fails, or where loading the folder would read a pickle or what is not in it.
    """
    path = Path(location.path) if location.path is not None else _download(location)
    if path.suffix == ".gguf" and path.is_file():
        return made_once(location.fingerprint, lambda folder: _convert(path, folder))
    check_folder(path)
    return path


def verify(location: Location) -> None:
    """Raise OutgrowError where a checkpoint's bytes are no longer those of its fingerprint: call it after reading them.

    What the hub keeps is known by its commit and not read again.
    """
    if location.path is None or not location.fingerprint:
        return
    path = Path(location.path)
    try:
        found = (
            {fingerprint({"gguf": path})} if path.is_file() else {folder_fingerprint(path), _static_fingerprint(path)}
        )
    except (OSError, UsageError):
        found = set()
    if location.fingerprint not in found:
        raise OutgrowError(f"{path}: was changed while the run went on; give the same command again")


def static_fingerprint(folder: Path) -> str:
    """The fingerprint of static embeddings: their table, their tokenizer, and a config where there is one."""
    table, tokenizer = static_files(folder)
    config = folder / "config.json"
    return fingerprint({"table": table, "tokenizer": tokenizer} | ({"config": config} if config.is_file() else {}))


def _static_fingerprint(folder: Path) -> str | None:
    try:
        return static_fingerprint(folder)
    except UsageError:
        return None  # a transformer's folder


def unpacked(parts: Sequence[Path]) -> Path:
    """The folder inside a zip file that comes in parts, unpacked once and checked."""

    def unpack(folder: Path) -> None:
        with tempfile.TemporaryFile(dir=folder) as whole:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, whole, 1 << 20)
            try:
                with zipfile.ZipFile(whole) as archive:  # checks each file's CRC as it reads it
                    for entry in archive.infolist():
                        name = Path(entry.filename).name
                        # Only the files at the top of the one folder inside: their own names, so none can leave it.
                        if not entry.is_dir() and entry.filename.count("/") <= 1 and Path(name).suffix in READ:
                            with archive.open(entry) as source, (folder / name).open("wb") as copy:
                                shutil.copyfileobj(source, copy, 1 << 20)
                if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
                    raise ValueError("no model in it")  # a damaged directory of the zip reads as an empty one
            except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
                raise OutgrowError(
                    f"{parts[0]}: the parts do not make a zip file ({error}): install them again"
                ) from error

    return made_once(digest([remembered_digest(part) for part in parts]), unpack)


def made_once(key: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` fills, kept under `key` in the user's cache, and made again if its bytes have changed."""
    root = cache_folder()
    target = root / key[:32]
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _alone(root / f"{key[:32]}.lock"):
            if not _whole(target):
                shutil.rmtree(target, ignore_errors=True)
                _sweep(root)
                with tempfile.TemporaryDirectory(dir=root, prefix="making-", ignore_cleanup_errors=True) as beside:
                    folder = Path(beside) / "folder"
                    folder.mkdir()
                    make(folder)
                    (folder / ".made").write_text(folder_fingerprint(folder))
                    folder.rename(target)
    except OSError as error:
        full = error.errno == errno.ENOSPC
        advice = "make room on that disk" if full else "set XDG_CACHE_HOME to a folder you can write to"
        raise OutgrowError(f"{root}: a checkpoint could not be unpacked there: {error}: {advice}") from error
    return target


def _whole(folder: Path) -> bool:
    try:
        return (folder / ".made").read_text() == folder_fingerprint(folder)
    except OSError:
        return False


def _sweep(root: Path) -> None:
    """Drops what a killed process left half made, a day ago or longer."""
    for left in root.glob("making-*"):
        if time.time() - left.stat().st_mtime > 86_400:
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """transformers' own warnings and bars off, and back afterwards as they were."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _convert(path: Path, folder: Path) -> None:
    """A GGUF file, dequantised to float32, as safetensors with config and tokenizer: about 20 s for 135M numbers."""
    import torch
    from transformers import AutoModel, AutoTokenizer, GgufConfig

    try:
        # The loader draws a bar of its own that no setting of transformers turns off.
        with quiet(), redirect_stderr(io.StringIO()):
            tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, trust_remote_code=False)
            model = AutoModel.from_pretrained(
                path.parent,
                gguf_file=path.name,
                dtype=torch.float32,
                quantization_config=GgufConfig(dequantize=True),
                trust_remote_code=False,
            )
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except OSError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise OutgrowError(f"{path}: cannot be converted: {type(error).__name__}: {reason}") from error


def _download(location: Location) -> Path:
    """The hub's snapshot of a commit: what stands at its top and can be read, never pickles."""
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            str(location.hub),
            revision=location.revision,
            allow_patterns=[f"*{suffix}" for suffix in sorted(READ)],
            ignore_patterns=["*/*"],
        )
    except Exception as error:  # the hub's, the network's and the disk's errors have no common base
        reason = " ".join(str(error).split())[:200]
        raise OutgrowError(
            f"{location.name}: {location.hub} could not be downloaded ({type(error).__name__}: {reason}): "
            "connect to the network and run the same command again"
        ) from error
    return Path(folder)
