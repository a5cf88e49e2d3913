"""The input type `image`: what a picture is, how it is read, and what cannot be read."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pictures import class_folder, noise, saved

from outgrow import UsageError
from outgrow.core.files.image_files import NotAPictureError, in_threads
from outgrow.core.inputs.image import Image, ImageType
from outgrow.core.inputs.input_type import type_with_columns
from outgrow.core.pool import Pool
from outgrow.tasks.files import file_task
from outgrow.tasks.pool import build_pool

KIND = ImageType()
RED = np.full((8, 6, 3), (200, 30, 20), dtype=np.uint8)


def read(path: Path, **keys: Any) -> Any:
    return file_task(path, **{"inputs": KIND, "image": "image", "label": "label", **keys})


def faults(path: Path, **keys: Any) -> tuple[str, ...]:
    with pytest.raises(UsageError) as error:
        read(path, **keys)
    return error.value.problems


def test_a_picture_is_its_pixels_whatever_file_they_are_in() -> None:
    plain = Image.of(saved(RED))
    assert Image.of(saved(RED, compress_level=0), "other.png") == plain
    assert Image.of(saved(RED, "BMP")) == plain
    assert Image.of(RED) == plain
    assert Image.of(saved(RED, "JPEG", quality=30)) != plain
    assert Image.of(np.ascontiguousarray(RED.transpose(1, 0, 2))) != plain  # the same bytes in another shape
    assert KIND.id(plain) == KIND.id(Image.of(saved(RED, "BMP")))


def test_every_mode_becomes_the_same_rgb() -> None:
    grey = np.tile(np.arange(0, 240, 10, dtype=np.uint8), (4, 1))
    expected = np.repeat(grey[:, :, None], 3, axis=2)
    deep = (grey.astype(np.uint16) << 8) | 37
    modes = {
        "L": PIL.Image.fromarray(grey),
        "P": PIL.Image.fromarray(grey).convert("P"),
        "16 bit": PIL.Image.fromarray(deep),
        "RGBA": PIL.Image.fromarray(expected).convert("RGBA"),
        "LA": PIL.Image.fromarray(grey).convert("LA"),
    }
    for name, picture in modes.items():
        found = Image.of(saved(picture)).rgb()
        assert found.mode == "RGB", name
        assert (np.asarray(found) == expected).all(), name
    ink = Image.of(saved(PIL.Image.fromarray(expected).convert("CMYK"), "TIFF"))
    assert (np.asarray(ink.rgb()) == expected).all()
    black_or_white = PIL.Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).convert("1")
    assert np.asarray(Image.of(saved(black_or_white)).rgb()).tolist() == [[[0] * 3, [255] * 3]]


def test_what_is_transparent_is_white() -> None:
    clear = PIL.Image.fromarray(np.dstack([RED, np.array([[0] * 6] * 4 + [[255] * 6] * 4, dtype=np.uint8)]))
    found = np.asarray(Image.of(saved(clear)).rgb())
    assert (found[:4] == 255).all()
    assert (found[4:] == RED[4:]).all()
    palette = PIL.Image.fromarray(np.zeros((2, 2), dtype=np.uint8)).convert("P")
    assert (np.asarray(Image.of(saved(palette, transparency=0)).rgb()) == 255).all()


def test_a_photograph_stands_upright_as_its_exif_says() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned = Image.of(saved(np.rot90(noise(1, 8)[:, :6]), exif=exif))
    assert turned == Image.of(np.ascontiguousarray(noise(1, 8)[:, :6]))
    assert (turned.width, turned.height) == (6, 8)


def test_the_first_frame_of_an_animation_counts_and_a_note_says_so(tmp_path: Path) -> None:
    class_folder(tmp_path, rows=4)
    frames = [PIL.Image.fromarray(noise(seed)) for seed in (90, 91)]
    moving = io.BytesIO()
    frames[0].save(moving, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    (tmp_path / "warm" / "a.webp").write_bytes(moving.getvalue())
    raw = read(tmp_path)
    assert Image.of(noise(90)) in raw.inputs
    pool = build_pool(raw, test_rows=2, balance=False)
    assert "1 image is an animation (warm/a.webp): the first frame counts" in pool.notes


def test_a_folder_a_parquet_struct_paths_and_base64_are_the_same_task(tmp_path: Path) -> None:
    folder = class_folder(tmp_path / "pictures", rows=5)
    files = sorted(folder.glob("*/*.png"))
    data, labels = [file.read_bytes() for file in files], [file.parent.name for file in files]
    cells = [{"bytes": one, "path": file.name} for one, file in zip(data, files, strict=True)]
    pq.write_table(pa.table({"image": cells, "label": labels}), tmp_path / "hub.parquet")
    pq.write_table(pa.table({"image": data, "label": labels}), tmp_path / "bytes.parquet")
    paths = [f"pictures/{file.parent.name}/{file.name}" for file in files]
    (tmp_path / "paths.csv").write_text("\n".join(["image,label", *map(",".join, zip(paths, labels, strict=True))]))
    lines = [
        json.dumps({"image": base64.b64encode(one).decode(), "label": label})
        for one, label in zip(data, labels, strict=True)
    ]
    (tmp_path / "lines.jsonl").write_text("\n".join(lines))
    whole = read(folder)
    assert len(whole.inputs) == 10
    assert whole.classes == ("cold", "warm")
    for name in ("hub.parquet", "bytes.parquet", "paths.csv", "lines.jsonl"):
        again = read(tmp_path / name)
        assert list(again.inputs) == list(whole.inputs), name
        assert list(again.labels) == list(whole.labels), name


def test_a_pool_keeps_the_bytes_in_one_file_and_reads_them_when_asked(tmp_path: Path) -> None:
    pool = build_pool(read(class_folder(tmp_path / "pictures", rows=6)), test_rows=4, balance=False)
    (tmp_path / "pool").mkdir()
    pool.save(tmp_path / "pool")
    again = Pool.load(tmp_path / "pool")
    assert again.input_type.name == "image"
    assert list(again.inputs) == list(pool.inputs)
    for one, other in zip(again.inputs, pool.inputs, strict=True):
        assert not isinstance(one.source, bytes)
        assert one.encoded == other.encoded
        assert one.name == other.name
    assert KIND.value(KIND.record(pool.inputs[0])) == pool.inputs[0]


def test_fingerprints_follow_the_pictures_not_the_table_alone(tmp_path: Path) -> None:
    folder = class_folder(tmp_path / "pictures", rows=2)
    table = tmp_path / "paths.csv"
    table.write_text("image,label\n" + "".join(f"{p.relative_to(tmp_path)},x\n" for p in sorted(folder.glob("*/*"))))
    keys = {"image": "image"}

    def both() -> list[str]:
        return [KIND.fingerprint(folder, keys), KIND.fingerprint(table, keys)]

    before = both()
    assert both() == before
    next(folder.glob("*/*")).write_bytes(saved(noise(77)))
    changed = both()
    assert all(one != other for one, other in zip(before, changed, strict=True))
    (folder / "warm" / "note.txt").write_text("no picture")
    assert both() == changed


WHOLE = saved(noise(3, 32))
BROKEN = {
    "cut.png": (WHOLE[:-900], "is cut off: its picture ends early; copy it again"),
    "cut.jpg": (saved(noise(3, 64), "JPEG")[:1500], "is cut off: its picture ends early; copy it again"),
    "drawing.png": (
        b'<?xml version="1.0"?>\n<svg xmlns="x"/>',
        "is an SVG drawing, which has no pixels; save it as PNG",
    ),
    "text.png": (b"a picture of a cat", "is a text file, not a picture"),
    "empty.png": (b"", "is empty (0 bytes); copy it again"),
    "head.png": (WHOLE[:12], "is damaged or cut off; copy it again"),
    "other.png": (bytes(range(128, 256)) * 20, "is not a picture of a kind that is read here"),
    "lfs.png": (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer, not the file itself"),
    "float.tiff": (saved(PIL.Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"), "holds floating-point pixels"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_picture_is_one_sentence_with_its_name(tmp_path: Path, name: str) -> None:
    data, reason = BROKEN[name]
    class_folder(tmp_path, rows=2)
    (tmp_path / "warm" / name).write_bytes(data)
    (problem,) = faults(tmp_path)
    assert problem.startswith(f"{tmp_path / 'warm' / name}: {reason}")
    (tmp_path / "t.csv").write_text(f"image,label\ncold/0000.png,cold\nwarm/0001.png,warm\nwarm/{name},warm\n")
    (problem,) = faults(tmp_path / "t.csv")
    assert problem.startswith(f"{tmp_path / 't.csv'}, line 4: warm/{name} {reason}")


def test_damage_inside_a_picture_is_found(tmp_path: Path) -> None:
    broken = bytearray(WHOLE)
    broken[len(broken) // 2] ^= 0xFF
    with pytest.raises(NotAPictureError, match="is damaged"):
        Image.of(bytes(broken))


def test_more_pixels_than_the_limit_are_refused_unless_it_is_raised(tmp_path: Path) -> None:
    class_folder(tmp_path, rows=2)
    (tmp_path / "warm" / "big.png").write_bytes(saved(np.zeros((40, 50, 3), np.uint8)))
    (problem,) = faults(tmp_path, max_pixels=1999)
    assert problem == (
        f"{tmp_path / 'warm' / 'big.png'}: has 50 x 40 pixels, more than 1,999: make it smaller, or raise `max_pixels`"
    )
    assert len(read(tmp_path, max_pixels=2000).inputs) == 5
    assert PIL.Image.MAX_IMAGE_PIXELS is not None  # other code keeps its own limit
    bomb = PIL.Image.new("1", (20_000, 20_000))  # past Pillow's own limit, where it would raise or warn
    with pytest.raises(NotAPictureError, match=r"has 20,000 x 20,000 pixels, more than 100,000,000"):
        Image.of(saved(bomb))


def test_what_is_wrong_with_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "readme.txt").write_text("x")
    assert faults(tmp_path / "none") == (
        f"{tmp_path / 'none'}: holds no picture; it needs one folder per class with pictures in them",
    )
    whole = class_folder(tmp_path / "whole", rows=2)
    (whole / "tepid").mkdir()
    (whole / "stray.jpg").write_bytes(b"")
    assert faults(whole) == (
        f"{whole / 'stray.jpg'}: has no class: put each picture into its class's folder, or give a table with labels",
        f"{whole / 'tepid'}: holds no picture; fill it or remove it",
    )
    (whole / "tepid").rmdir()
    (whole / "stray.jpg").unlink()
    test = class_folder(tmp_path / "test", rows=2, first=50)
    (test / "warm").rename(test / "wram")
    (problem,) = faults(whole, test=test)
    assert problem == f"{test}: 'wram' is not a class of {whole}; did you mean \"warm\"?"

    assert faults(whole, image="picture") == (f"{whole}: has no column 'picture' for image; there is image, label",)
    assert (
        KIND.fingerprint(whole, {"image": "picture"}) == "unreadable"
    )  # and not an error of reading a folder as a file

    def refuse(place: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert faults(whole) == (f"{whole}: cannot be read: Permission denied",)


def test_a_picture_in_two_classes_is_left_out_by_name_and_a_copy_is_merged(tmp_path: Path) -> None:
    folder = class_folder(tmp_path, rows=5)
    (folder / "cold" / "twin.bmp").write_bytes(saved(noise(99), "BMP"))
    (folder / "warm" / "twin.png").write_bytes(saved(noise(99)))
    (folder / "warm" / "copy.png").write_bytes((folder / "warm" / "0001.png").read_bytes())
    pool = build_pool(read(folder), test_rows=2, balance=False)
    assert len(pool) == 10
    assert "1 exact duplicate was merged" in pool.notes
    assert (
        "1 image was left out for contradicting labels (2 rows, such as cold/twin.bmp and warm/twin.png)" in pool.notes
    )


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("gone.png", "t.jsonl, line 3: {base}/gone.png: cannot be read: No such file or directory"),
        (None, "t.jsonl: column 'image' holds no image in line 3"),
        (7, "t.jsonl, line 3: is of type int: a picture is a path, or bytes"),
    ],
)
def test_a_cell_without_a_picture_is_named_by_its_line(tmp_path: Path, cell: Any, sentence: str) -> None:
    good = [base64.b64encode(saved(noise(seed, 24))).decode() for seed in (1, 2)]
    lines = [json.dumps({"image": one, "label": label}) for one, label in zip([*good, cell], "aba", strict=True)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    (problem,) = faults(tmp_path / "t.jsonl")
    assert problem == f"{tmp_path}/{sentence.format(base=tmp_path)}"


def test_threads_keep_the_order_and_hold_few_answers() -> None:
    taken: list[int] = []

    def items() -> Any:
        for item in range(1000):
            taken.append(item)
            yield item

    answers = in_threads(lambda item: item * 2, items())
    assert next(answers) == 0
    assert len(taken) <= 70
    assert list(answers) == [2 * item for item in range(1, 1000)]


def test_a_preview_is_a_small_jpeg_with_the_name() -> None:
    shown = KIND.preview(Image.of(saved(noise(1, 300)), "warm/a.png"))
    assert isinstance(shown, dict)
    assert shown["text"] == "warm/a.png (300 x 300)"
    head, data = shown["image"].split(",")
    assert head == "data:image/jpeg;base64"
    assert PIL.Image.open(io.BytesIO(base64.b64decode(data))).size == (96, 96)
    assert len(shown["image"]) < 12_000  # noise is the worst case


def test_the_keys_of_an_entry_say_its_type() -> None:
    assert type_with_columns({"images": "x"}) == "image"
    assert type_with_columns({"image": "x"}) == "image"
    assert KIND.missing({"image": "a", "label": None}) == ["`label` is missing: name the column"]
    assert KIND.missing({"image": "a", "label": "b", "max_pixels": True}) == [
        "`max_pixels` is a whole number of pixels, not True"
    ]
