"""Picture files: found in folders of classes, decoded within bounds, turned into plain RGB, and what is wrong with them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from outgrow.core.errors import OutgrowError
from outgrow.core.files.tables import LFS_POINTER, Table

# What Pillow may try: no format that starts another program (EPS) or holds anything but pixels.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
NAMES = ("bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp")
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
MAX_PIXELS = 100_000_000  # of one picture: 300 MB once decoded
AT_ONCE = 64  # pictures given to the threads before the first is fetched: bounds what is decoded and not yet used
_OPENING = threading.Lock()  # Pillow's own limit is one global number

A = TypeVar("A")
B = TypeVar("B")


class NotAPictureError(OutgrowError):
    """Why bytes are not a picture that can be read, as the end of a sentence: "is cut off …"."""


@dataclass(frozen=True)
class Stored:
    """Where a picture's bytes lie: a part of a file, read when asked for. length -1: to the end."""

    path: str
    start: int = 0
    length: int = -1

    def read(self) -> bytes:
        """The bytes. Raises OutgrowError where the file is gone."""
        try:
            with Path(self.path).open("rb") as file:
                file.seek(self.start)
                return file.read(self.length)
        except OSError as error:
            raise OutgrowError(f"{self.path}: cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class Facts:
    """What is known of a picture once it was decoded: SHA-256 of its RGB pixels at full size, and sizes."""

    digest: str
    width: int
    height: int
    moves: bool  # an animation, of which the first frame counts


def rgb(data: bytes, max_pixels: int | None = None) -> Any:
    """A picture's bytes as Pillow's RGB image, upright by its EXIF data, the first frame, alpha laid on white.

    16-bit values keep their upper 8 bits. max_pixels: more raise NotAPictureError; None: it was looked at before.
    Raises NotAPictureError.
    """
    picture = _opened(data, max_pixels)
    try:
        picture.load()
        return _plain(picture)
    except NotAPictureError:
        raise
    except Exception as error:  # decoders raise whatever they meet: OSError, SyntaxError, struct.error, IndexError …
        text = " ".join(str(error).split()).rstrip(".")
        if "truncated" in text.lower() or "end of file" in text.lower():
            raise NotAPictureError("is cut off: its picture ends early; copy it again") from error
        raise NotAPictureError(f"is damaged ({text or type(error).__name__}); copy it again") from error


def facts(data: bytes, max_pixels: int) -> Facts:
    """What is known of a picture once it was decoded. Raises NotAPictureError."""
    picture = rgb(data, max_pixels)
    content = hashlib.sha256(f"{picture.width}x{picture.height}:".encode())
    content.update(picture.tobytes())
    opened = _opened(data, max_pixels)
    moves = bool(getattr(opened, "is_animated", False)) and opened.format != "MPO"
    return Facts(content.hexdigest(), picture.width, picture.height, moves)


def in_threads(work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """`work` of each item in their order, by a few threads; at most `AT_ONCE` answers wait to be fetched."""
    from concurrent.futures import ThreadPoolExecutor  # not at the start of every command

    rest = iter(items)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads:
        waiting = [threads.submit(work, item) for item in islice(rest, AT_ONCE)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [threads.submit(work, item) for item in islice(rest, 1)]


def encoded(cell: Any, base: Path) -> bytes | Stored | None:
    """A table's cell as a picture's bytes: bytes, the hub's `{bytes, path}`, a path from `base` on, base64 or a data URI.

    None where there is nothing in it. Raises NotAPictureError on anything else.
    """
    if isinstance(cell, dict) and set(cell) & {"bytes", "path"}:
        cell = cell.get("bytes") or cell.get("path")
    if cell is None or cell == "":
        return None
    if isinstance(cell, bytes):
        return cell
    if not isinstance(cell, str):
        raise NotAPictureError(f"is of type {type(cell).__name__}: a picture is a path, or bytes")
    if cell.startswith("data:"):
        cell = cell.partition(",")[2]
    if len(cell) > 60 and (data := _base64(cell)) is not None:
        return data
    return Stored(str(base / cell))


def is_path(cell: Any) -> bool:
    """Whether a cell names a file."""
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    return isinstance(cell, str) and not cell.startswith("data:") and (len(cell) <= 60 or _base64(cell) is None)


def class_folders(folder: Path, problems: list[str]) -> Table | None:
    """A folder of one folder per class as a table of `image` (paths from the folder on) and `label`.

    Files of other kinds and hidden ones are left out. Faults go to `problems`, a sentence each.
    """
    before = len(problems)
    try:
        inside = sorted(folder.iterdir())
        classes = [one for one in inside if one.is_dir() and not one.name.startswith(".")]
        found = {one: sorted(_pictures(one)) for one in classes}
        loose = [one for one in inside if one.is_file() and _is_picture(one)]
    except OSError as error:
        problems.append(f"{error.filename or folder}: cannot be read: {error.strerror}")
        return None
    if not any(found.values()) and not loose:
        problems.append(f"{folder}: holds no picture; it needs one folder per class with pictures in them")
        return None
    if loose:
        what = "has no class" if len(loose) == 1 else f"and {len(loose) - 1} more have no class"
        problems.append(f"{loose[0]}: {what}: put each picture into its class's folder, or give a table with labels")
    problems += [f"{one}: holds no picture; fill it or remove it" for one, files in found.items() if not files]
    if len(problems) > before:
        return None
    rows = [(file.relative_to(folder).as_posix(), one.name) for one, files in found.items() for file in files]
    columns = {"image": [path for path, _ in rows], "label": [label for _, label in rows]}
    return Table(str(folder), columns, range(1, len(rows) + 1), unit="image")


def pictures_within(folder: Path, column: str, problems: list[str]) -> Table | None:
    """Every picture in a folder and the folders in it, by its path from there on, in one column."""
    try:
        found = sorted(_pictures(folder))
    except OSError as error:
        problems.append(f"{error.filename or folder}: cannot be read: {error.strerror}")
        return None
    if not found:
        problems.append(f"{folder}: holds no picture")
        return None
    names = [file.relative_to(folder).as_posix() for file in found]
    return Table(str(folder), {column: names}, range(1, len(names) + 1), unit="image")


def _pictures(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    for place, _, names in os.walk(folder, onerror=fail):
        yield from (Path(place, name) for name in names if _is_picture(Path(place, name)))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower().removeprefix(".") in NAMES and not path.name.startswith(".")


def _base64(text: str) -> bytes | None:
    """What a text holds in base64, where that begins as a picture does."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if data.startswith(SIGNATURES) else None


def _opened(data: bytes, max_pixels: int | None) -> Any:
    """The picture with its size and mode known and no pixel decoded. Raises NotAPictureError."""
    import PIL.Image

    if not data:
        raise NotAPictureError("is empty (0 bytes); copy it again")
    if data.startswith(LFS_POINTER):
        raise NotAPictureError("is a Git LFS pointer, not the file itself; run `git lfs pull` in its folder")
    with _OPENING:
        PIL.Image.init()  # loads the readers of all formats, once
        limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
        try:
            picture = PIL.Image.open(io.BytesIO(data), formats=FORMATS)
        except Exception as error:  # see `rgb`
            raise NotAPictureError(_not_a_picture(data)) from error
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = limit
    width, height = picture.size
    if width < 1 or height < 1:
        raise NotAPictureError(f"has no pixels ({width} x {height})")
    if max_pixels is not None and width * height > max_pixels:
        raise NotAPictureError(
            f"has {width:,} x {height:,} pixels, more than {max_pixels:,}: make it smaller, or raise `max_pixels`"
        )
    return picture


def _not_a_picture(data: bytes) -> str:
    head = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<svg") or (head.startswith(b"<?xml") and b"<svg" in head):
        return "is an SVG drawing, which has no pixels; save it as PNG"
    if data.startswith(SIGNATURES):
        return "is damaged or cut off; copy it again"
    try:
        data[:1000].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < min(len(data), 1000) - 4:
            return f"is not a picture of a kind that is read here ({', '.join(FORMATS)})"
    return "is a text file, not a picture"


def _plain(picture: Any) -> Any:
    """Pillow's image of any mode -> RGB."""
    import numpy as np
    import PIL.Image
    import PIL.ImageOps

    picture = PIL.ImageOps.exif_transpose(picture)
    if picture.mode == "F":
        raise NotAPictureError("holds floating-point pixels, which have no fixed range; save it with 8 or 16 bits")
    if picture.mode.startswith("I"):
        values = np.asarray(picture).astype(np.int64).clip(0, 65535) >> 8
        picture = PIL.Image.fromarray(values.astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", picture.size, "white")
        return PIL.Image.alpha_composite(white, picture).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def digest_of_files(paths: Sequence[Path]) -> list[str]:
    """SHA-256 of each file, read in threads."""
    from outgrow.core.identity import digest_file

    return list(in_threads(digest_file, paths))
