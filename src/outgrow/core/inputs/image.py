"""The input type `image`: a picture, known by its decoded pixels and kept as the bytes that it came in."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.core.files.image_files import (
    MAX_PIXELS,
    NotAPictureError,
    Stored,
    class_folders,
    digest_of_files,
    encoded,
    facts,
    in_threads,
    is_path,
    pictures_within,
    rgb,
)
from outgrow.core.files.tables import SHOWN, Table, read_table
from outgrow.core.identity import digest, digest_file
from outgrow.core.inputs.input_type import InputType, Preview, Read

THUMBNAIL, QUALITY = 96, 75  # the longer side in pixels, and JPEG's quality: two to four kilobytes a picture
BLOB = "images.bin"  # of a pool's folder: the bytes of its pictures, one after another


@dataclass(frozen=True)
class Image:
    """One picture. Two are equal where their RGB pixels at full size are; `Image.of` makes one."""

    digest: str  # SHA-256 of size and RGB pixels
    width: int = field(compare=False)
    height: int = field(compare=False)
    source: bytes | Stored = field(compare=False, repr=False)  # as it came: PNG, JPEG, …
    name: str = field(default="", compare=False)  # the file's, for people
    moves: bool = field(default=False, compare=False)  # an animation, of which the first frame counts

    @classmethod
    def of(cls, source: bytes | Stored | NDArray[np.uint8], name: str = "", max_pixels: int = MAX_PIXELS) -> Image:
        """A picture of a file's bytes, or of pixels `[height, width, 3]`. Raises NotAPictureError where it is none."""
        if isinstance(source, np.ndarray):
            source = _png(source)
        found = facts(source if isinstance(source, bytes) else source.read(), max_pixels)
        return cls(found.digest, found.width, found.height, source, name, found.moves)

    @property
    def encoded(self) -> bytes:
        """The bytes that it came in."""
        return self.source if isinstance(self.source, bytes) else self.source.read()

    def rgb(self) -> Any:
        """Pillow's image of its pixels."""
        return rgb(self.encoded)

    def pixels(self, side: int) -> NDArray[np.uint8]:
        """The middle square, scaled to `[side, side, 3]`."""
        import PIL.Image

        picture = self.rgb()
        edge = min(picture.size)
        left, top = (picture.width - edge) / 2, (picture.height - edge) / 2
        box = (left, top, left + edge, top + edge)
        scaled = picture.resize((side, side), PIL.Image.Resampling.BICUBIC, box=box)
        return np.asarray(scaled, dtype=np.uint8)


def pixels_of(images: Sequence[Image], side: int) -> NDArray[np.uint8]:
    """The middle squares of pictures, `[n, side, side, 3]`, decoded in threads."""
    found = np.zeros((len(images), side, side, 3), dtype=np.uint8)
    for place, one in enumerate(in_threads(lambda image: image.pixels(side), images)):
        found[place] = one
    return found


class ImageType(InputType):
    """Pictures: from a folder of one folder per class, or a table with a column of paths or bytes."""

    name = "image"
    noun = "image"
    columns = ("image", "max_pixels", "images")
    folders = True

    def entry(self, written: Mapping[str, Any]) -> Mapping[str, Any]:
        """`images: folder/` is a file of two columns, `image` and `label`."""
        if "images" not in written:
            return written
        rest = {key: value for key, value in written.items() if key != "images"}
        return {"inputs": self.name, "image": "image", "label": "label", "file": written["images"], **rest}

    def table(self, path: str | Path, problems: list[str]) -> Table | None:
        """A folder of classes, or any table."""
        return class_folders(Path(path), problems) if Path(path).is_dir() else read_table(path, problems)

    def within(self, folder: str | Path, keys: Mapping[str, Any], problems: list[str]) -> Table | None:
        """Every picture in a folder and the folders in it."""
        return pictures_within(Path(folder), str(keys["image"]), problems)

    def fingerprint(self, path: Path, keys: Mapping[str, Any]) -> str:
        """Of the table and of every picture that it names; of a folder, of every picture in it."""
        table = self.table(path, [])
        if table is None:
            return "unreadable" if path.is_dir() else digest_file(path)
        names = [cell for cell in table.columns.get(str(keys.get("image")), ()) if cell and is_path(cell)]
        if not names:
            return "unreadable" if path.is_dir() else digest_file(path)
        paths = [str(name["path"] if isinstance(name, dict) else name) for name in names]
        base = _base(table)
        there = [one for one in dict.fromkeys(paths) if (base / one).is_file()]
        content = dict(zip(there, digest_of_files([base / one for one in there]), strict=True))
        return digest({"table": [] if path.is_dir() else digest_file(path), "files": content})

    def identity(self, value: Image) -> str:
        """The hash of its pixels: a picture that is saved again without loss is the same example."""
        return value.digest

    def problem(self, value: Any) -> str | None:
        """Whether it is anything but an `Image`, which was decoded when it was made."""
        return None if isinstance(value, Image) else f"is of type {type(value).__name__}, not an Image"

    def size(self, value: Image) -> int:
        """The 196 patches that most models make of any picture, in characters."""
        return 4 * 196

    def called(self, value: Image) -> str:
        """Its file's name."""
        return value.name

    def notes(self, values: Sequence[Image]) -> list[str]:
        """How many are animations."""
        moving = [value for value in values if value.moves]
        if not moving:
            return []
        first = f" ({moving[0].name}{' and others' if len(moving) > 1 else ''})" if moving[0].name else ""
        what = "1 image is an animation" if len(moving) == 1 else f"{len(moving)} images are animations"
        return [f"{what}{first}: the first frame counts"]

    def preview(self, value: Image) -> Preview:
        """Its name and size, and a thumbnail as a data URI."""
        import PIL.Image

        picture = value.rgb()
        picture.thumbnail((THUMBNAIL, THUMBNAIL), PIL.Image.Resampling.LANCZOS)
        small = io.BytesIO()
        picture.save(small, "JPEG", quality=QUALITY, optimize=True)
        name = f"{value.name} ({value.width} x {value.height})" if value.name else f"{value.width} x {value.height}"
        return {"text": name, "image": "data:image/jpeg;base64," + base64.b64encode(small.getvalue()).decode()}

    def samples(self) -> Sequence[Image]:
        """Twelve pictures with more red in them, then twelve with more blue."""
        random = np.random.default_rng(24)
        shift = np.array([30, 0, -30])
        return [
            Image.of((random.normal(128, 50, (24, 24, 3)) + sign * shift).clip(0, 255).astype(np.uint8))
            for sign in (1, -1)
            for _ in range(12)
        ]

    def normal_form(self, value: Image) -> str:
        """The hash of its pixels."""
        return value.digest

    def record(self, value: Image) -> str:
        """JSON with the bytes in base64."""
        return json.dumps([value.name, base64.b64encode(value.encoded).decode()])

    def value(self, record: str) -> Image:
        """The picture that `record` wrote."""
        name, data = json.loads(record)
        return Image.of(base64.b64decode(data), name)

    def write(self, values: Sequence[Image], folder: Path) -> list[str]:
        """The bytes go into one file of the folder; records say where each begins, and what is known of it."""
        records, start = [], 0
        with (folder / BLOB).open("wb") as file:
            for value in values:
                length = file.write(value.encoded)
                known = [value.digest, value.width, value.height, start, length, value.name, value.moves]
                records.append(json.dumps(known, ensure_ascii=False))
                start += length
        return records

    def read(self, records: Sequence[str], folder: Path) -> Sequence[Image]:
        """Pictures whose bytes stay in the file until they are asked for."""
        found = []
        for record in records:
            content, width, height, start, length, name, moves = json.loads(record)
            found.append(Image(content, width, height, Stored(str(folder / BLOB), start, length), name, moves))
        return found

    def missing(self, keys: Mapping[str, Any]) -> list[str]:
        """Whether columns are named, and the limit is a number."""
        wrong = [f"`{key}` is missing: name the column" for key in ("image", "label") if not keys.get(key)]
        limit = keys.get("max_pixels", 1)
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            wrong.append(f"`max_pixels` is a whole number of pixels, not {limit!r}")
        return wrong

    def rows(
        self, table: Table, keys: Mapping[str, Any], labels: Sequence[str | None], problems: list[str]
    ) -> Read | None:
        """Each row's picture, decoded once, in threads, for its identity and its faults; the pixels are not kept."""
        column, base = str(keys["image"]), _base(table)
        if not table.has(column, "image", problems):
            return None
        limit = keys.get("max_pixels") or MAX_PIXELS

        def made(numbered: tuple[int, Any]) -> Image | str:
            row, cell = numbered
            name = _name(cell)
            try:
                source = encoded(cell, base)
                if source is None:
                    return f"{table.name}: column {column!r} holds no image in {table.where([row])}"
                return Image.of(source, name, limit)
            except NotAPictureError as error:
                where = table.where([row])
                file = str(base / name) if name and table.unit == "image" else f"{table.name}, {where}"
                return f"{file}: {name if name and table.unit != 'image' else ''} {error}".replace(":  ", ": ")
            except OutgrowError as error:
                return f"{table.name}, {table.where([row])}: {error}"

        found = list(in_threads(made, enumerate(table.columns[column])))
        wrong = [one for one in found if isinstance(one, str)]
        problems += wrong[:SHOWN]
        if len(wrong) > SHOWN:
            problems.append(f"{table.name}: {len(wrong) - SHOWN} more images cannot be read")
        return None if wrong else Read([one for one in found if isinstance(one, Image)])


def _base(table: Table) -> Path:
    """Where the paths of a table begin."""
    return Path(table.name) if Path(table.name).is_dir() else Path(table.name).parent


def _name(cell: Any) -> str:
    """What people call the picture of a cell: its path's last two parts."""
    if isinstance(cell, dict):
        cell = cell.get("path")
    return "/".join(Path(cell).parts[-2:]) if isinstance(cell, str) and is_path(cell) else ""


def _png(pixels: NDArray[np.uint8]) -> bytes:
    import PIL.Image

    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise NotAPictureError(f"is an array {pixels.dtype} {list(pixels.shape)}, not uint8 [height, width, 3]")
    made = io.BytesIO()
    PIL.Image.fromarray(pixels).save(made, "PNG")
    return made.getvalue()
