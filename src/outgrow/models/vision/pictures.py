"""Pictures as a finetuned classifier reads them: decoded batch by batch, cropped and flipped while it learns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Ints
from outgrow.core.inputs.image import Image
from outgrow.models.checkpoints.loading import quiet_load, read_config
from outgrow.models.checkpoints.weight_files import folder_of
from outgrow.models.contract import Location
from outgrow.models.vision.backbone import pixel_values
from outgrow.models.vision.classifier import open_classifier, read_processor

if TYPE_CHECKING:
    from torch import Tensor

PATCH = 16 * 16  # pixels that count as much as a token: those of a patch of most models
SHIFT = 8  # a picture is moved by up to this part of its side


@dataclass(frozen=True)
class Pictures:
    """Pictures and a checkpoint's processor. step: (seed, step of the training) that decides crops and flips; None: none."""

    pictures: ClassVar[bool] = True

    images: Sequence[Image]
    processor: Any
    patches: int  # tokens that a picture counts as
    step: tuple[int, int] | None = None

    @classmethod
    def open(cls, location: Location, images: Sequence[Image]) -> Pictures:
        """Pictures for a checkpoint. Raises UsageError on one that reads none."""
        where, folder = f"finetune:{location.name}", folder_of(location)
        with quiet_load(where, folder, "model of pictures"):
            processor = read_processor(where, folder, read_config(folder))
            sides = pixel_values(processor, images[:1]).shape[2:]
        return cls(images, processor, max(1, int(np.prod(sides)) // PATCH))

    @property
    def limit(self) -> int:
        """Nothing is cut off."""
        return self.patches

    @property
    def lengths(self) -> Ints:
        """What each costs, in tokens, `[n]`."""
        return np.full(len(self.images), self.patches, dtype=np.int64)

    def at_step(self, seed: int, step: int) -> Pictures:
        """As they are seen in a step of a training: whatever the batch is cut into, and after a kill, alike."""
        return replace(self, step=(seed, step))

    def logits(self, module: Any, rows: Ints, filler: int, device: Any) -> Any:
        """What `module(pixels)` gives for the pictures at `rows`: `[rows, classes]`."""
        values = pixel_values(self.processor, [self.images[row] for row in rows.tolist()])
        if self.step is not None:
            values = augmented(values, [(*self.step, row) for row in rows.tolist()])
        return module(values.to(device))

    def width(self, outputs: int) -> int:
        """The classes of a row, of a module with that many outputs."""
        return outputs

    def save(self, folder: Path) -> None:
        """Write `facts.json` alone: the pixels are in the pool."""
        facts = {"truncated": 0, "limit": self.patches, "tokens": self.patches * len(self.images)}
        (folder / "facts.json").write_text(json.dumps(facts))


def augmented(values: Tensor, seeds: Sequence[tuple[int, ...]]) -> Tensor:
    """Pictures `[n, 3, height, width]` shifted by up to an eighth, edges mirrored, and every second one flipped, by seeds."""
    import torch

    height, width = values.shape[2:]
    top, left = max(1, height // SHIFT), max(1, width // SHIFT)
    wide = torch.nn.functional.pad(values, (left, left, top, top), mode="reflect")
    found = []
    for one, seed in zip(wide, seeds, strict=True):
        down, right, flip = np.random.default_rng(seed).integers(0, [2 * top + 1, 2 * left + 1, 2]).tolist()
        cropped = one[:, down : down + height, right : right + width]
        found.append(cropped.flip(-1) if flip else cropped)
    return torch.stack(found)


@cache
def module_class() -> Any:
    """The module's class, made where torch is needed first."""
    from torch import nn

    class PictureClassifier(nn.Module):
        """transformers' image classifier: pixels -> logits.

        Batch normalisation keeps the statistics of the checkpoint: those of a batch would make a picture's gradient a
        matter of the parts that the batch is cut into.
        """

        pooling = "own"

        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model
            self.config = model.config

        def train(self, mode: bool = True) -> Any:
            super().train(mode)
            for part in self.modules():
                if isinstance(part, nn.modules.batchnorm._BatchNorm):
                    part.eval()
            return self

        def forward(self, pixels: Any) -> Any:
            return self.model(pixel_values=pixels).logits

    return PictureClassifier


def open_module(location: Location, classes: Sequence[str], *, fresh_head: bool) -> tuple[Any, Any]:
    """The module on the CPU, its head drawn from torch's global generator unless it keeps its own, and its processor.

    Raises as `open_classifier`, and UsageError for a student of less than two classes.
    """
    from torch import nn

    where = f"finetune:{location.name}"
    if fresh_head and len(classes) < 2:
        raise UsageError(f"{where}: a model of pictures is trained for classes, not for one score")
    classifier = open_classifier(where, folder_of(location), classes if fresh_head else None)
    if fresh_head:
        nn.init.normal_(classifier.linear.weight, std=0.02)
        nn.init.zeros_(classifier.linear.bias)
    return module_class()(classifier.model), classifier.processor
