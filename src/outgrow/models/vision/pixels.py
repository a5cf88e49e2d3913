"""`pixels`: a linear head on a picture's own pixels, made small. The weakest there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from outgrow.core.errors import UsageError
from outgrow.core.identity import digest
from outgrow.core.inputs.image import Image, pixels_of
from outgrow.models.contract import FeatureModel, Features, Location

MIDDLE, DEVIATION = 0.45, 0.25  # of the pixels of photographs between 0 and 1, over ImageNet's three channels
LARGEST = 64  # side: 12,288 features
CHUNK = 1024  # pictures at once


class Pixels(FeatureModel):
    """A linear head on raw pixels: `pixels:8` scales the middle square to 8 x 8, standardised by fixed numbers."""

    reads = frozenset({"image"})
    form = None

    checkpoint: Annotated[str, Field(min_length=1)] = "16"

    @classmethod
    def locate(cls, checkpoint: str) -> Location:
        """Nothing on this machine: the side says all. Raises UsageError where it is not a number from 1 to 64."""
        side = int(checkpoint) if checkpoint.isascii() and checkpoint.isdecimal() and len(checkpoint) < 4 else 0
        if not 1 <= side <= LARGEST:
            raise UsageError(f"pixels:{checkpoint}: write the side in pixels, 1 to {LARGEST}, as in pixels:16")
        return Location(checkpoint, None, None, None, digest({"pixels": side, "standardised": 1}), 0)

    def features(
        self, inputs: Sequence[Image], location: Location, device: str, progress: Callable[[int, int], None]
    ) -> Features:
        """Standardised pixels `[n, side * side * 3]` of `inputs`."""
        side = int(location.name)
        values = np.zeros((len(inputs), side * side * 3), dtype=np.float32)
        for start in range(0, len(inputs), CHUNK):
            part = pixels_of(inputs[start : start + CHUNK], side).reshape(-1, side * side * 3)
            values[start : start + len(part)] = (part / np.float32(255) - MIDDLE) / DEVIATION
            progress(start + len(part), len(inputs))
        return Features(values, 0, 0, 0.0)
