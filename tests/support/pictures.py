"""Small pictures made up for tests: warm and cold noise, which any model tells apart more or less well."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image


def noise(seed: int, side: int = 16, shift: float = 0.0) -> np.ndarray:
    """Noise `[side, side, 3]` in which red is brighter by `shift` and blue darker by it."""
    values = np.random.default_rng(seed).normal(128, 50, size=(side, side, 3))
    values += np.array([shift, 0, -shift])
    return values.clip(0, 255).astype(np.uint8)


def saved(pixels: np.ndarray | Any, kind: str = "PNG", **options: Any) -> bytes:
    """A picture's bytes as a file of this kind."""
    picture = PIL.Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def class_folder(folder: Path, rows: int = 40, shift: float = 6.0, side: int = 16, first: int = 0) -> Path:
    """`rows` pictures of each of the classes cold and warm, a folder a class."""
    for label, sign in (("cold", -1), ("warm", 1)):
        (folder / label).mkdir(parents=True)
        for row in range(rows):
            seed = first + 2 * row + (sign > 0)
            (folder / label / f"{seed:04d}.png").write_bytes(saved(noise(seed, side, sign * shift)))
    return folder
