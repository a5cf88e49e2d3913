"""`convnet`: a small residual network trained from scratch on small pictures, in under a minute of one core."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Examples, Floats, Ints, Labels
from outgrow.core.inputs.image import pixels_of
from outgrow.models.checkpoints.device import own_randomness
from outgrow.models.contract import Model

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

MIDDLE, DEVIATION = 0.45, 0.25  # see `pixels`
PREDICTED = 512  # pictures at once


class Convnet(Model):
    """A residual network of `width` channels from scratch: `side` pixels, crop and flip, AdamW, one cycle.

    Batch normalisation is left out for group normalisation, so that an example's prediction depends on no other.
    """

    reads = frozenset({"image"})

    side: Annotated[int, Field(ge=8, le=128)] = 32
    width: Annotated[int, Field(ge=8, le=256, multiple_of=8)] = 24
    epochs: Annotated[int, Field(ge=1, le=1000)] = 10
    batch: Annotated[int, Field(ge=1)] = 64
    lr: Annotated[float, Field(gt=0, le=1)] = 4e-3
    decay: Annotated[float, Field(ge=0, le=10)] = 0.05
    rows: Annotated[int, Field(ge=1)] | None = None  # as a supervisor: learn from the first `rows` of weak_train only

    @property
    def first_rows(self) -> int | None:
        """`rows`."""
        return self.rows

    def fit(self, examples: Examples, targets: Labels, objective: Any, seed: int) -> Fitted:
        """Learn `targets` by the method's loss; the seed decides weights, order, crops and flips.

        Raises OutgrowError where training diverges.
        """
        import torch

        if self.rows is not None:
            examples = Examples(examples.ids[: self.rows], examples.inputs[: self.rows])
        wanted = torch.from_numpy(targets.probabilities[: len(examples)].astype(np.float32))
        pictures = pixels_of(examples.inputs, self.side)
        random = np.random.default_rng(seed)
        batches = list(self._batches(len(examples), random))
        with own_randomness("cpu"):
            torch.manual_seed(seed)
            net = network(self.width, wanted.shape[1])
            optimizer = torch.optim.AdamW(net.parameters(), lr=self.lr, weight_decay=self.decay)
            for step, rows in enumerate(batches):
                done = step / len(batches)
                for group in optimizer.param_groups:
                    group["lr"] = self.lr * min(1.0, (done + 1e-3) / 0.2) * (1 + math.cos(math.pi * done)) / 2
                logits = net(standardised(augmented(pictures[rows], random)))
                loss = objective.loss(logits, wanted[rows], done, objective.statistic(logits.detach())).mean()
                if not torch.isfinite(loss):
                    raise OutgrowError(f"convnet: the loss is not finite after {step} steps: give a smaller `lr`")
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
        return Fitted(net.eval(), self.side)

    def _batches(self, n: int, random: np.random.Generator) -> Iterator[Ints]:
        """Rows of each step: all, in a new order each epoch, the last batch of it as large as what remains."""
        for _ in range(self.epochs):
            order = random.permutation(n)
            yield from (order[start : start + self.batch] for start in range(0, n, self.batch))


class Fitted:
    """A trained network."""

    def __init__(self, net: Module, side: int) -> None:
        self.net, self.side = net, side

    def predict(self, examples: Examples) -> Floats:
        """Probabilities `[n, classes]`, without crop or flip."""
        import torch

        found = []
        with torch.inference_mode():
            for start in range(0, len(examples), PREDICTED):
                pictures = pixels_of(examples.inputs[start : start + PREDICTED], self.side)
                found.append(self.net(standardised(pictures)).softmax(dim=1).numpy())
        probabilities: Floats = np.concatenate(found)
        return probabilities


def network(width: int, classes: int) -> Module:
    """Three stages, each half as large as the one before and twice as wide."""
    from torch import nn

    def block(into: int, out: int) -> list[Module]:
        return [nn.Conv2d(into, out, 3, padding=1, bias=False), nn.GroupNorm(8, out), nn.ReLU()]

    class Residual(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.inside = nn.Sequential(*block(channels, channels))

        def forward(self, values: Tensor) -> Tensor:
            result: Tensor = values + self.inside(values)
            return result

    stages: list[Module] = block(3, width)
    for channels in (width, 2 * width):
        stages += [nn.MaxPool2d(2), *block(channels, 2 * channels), Residual(2 * channels)]
    return nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, classes))


def augmented(pictures: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Pictures `[n, side, side, 3]` shifted by up to an eighth, edges mirrored, and every second one flipped."""
    n, side = pictures.shape[:2]
    pad = max(1, side // 8)
    wide = np.pad(pictures, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    found = np.empty_like(pictures)
    drawn = random.integers(0, [2 * pad + 1, 2 * pad + 1, 2], size=(n, 3))
    for row, (top, left, flip) in enumerate(drawn.tolist()):
        cropped = wide[row, top : top + side, left : left + side]
        found[row] = cropped[:, ::-1] if flip else cropped
    return found


def standardised(pictures: NDArray[np.uint8]) -> Tensor:
    """uint8 `[n, side, side, 3]` -> float32 `[n, 3, side, side]`."""
    import torch

    values = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float()
    return (values / 255 - MIDDLE) / DEVIATION
