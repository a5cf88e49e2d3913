"""`probe` on pictures: one vector per picture of a frozen backbone of transformers, by its own Pillow processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files.image_files import in_threads
from outgrow.core.image import Image
from outgrow.models.checkpoints.loading import read_config, read_weights, told
from outgrow.models.checkpoints.weight_files import folder_of
from outgrow.models.contract import Features, Location

BATCH = 32  # pictures at once: bounds what is decoded and computed


def picture_features(
    images: Sequence[Image],
    location: Location,
    layer: int | str | None,
    pooling: str | None,
    device: str,
    precision: str,
    progress: Callable[[int, int], None],
) -> Features:
    """Features `[n, d]` of `images`: of a layer (None: the last, as the model normalises it), by a pooling.

    pooling: `cls`, the class token, by default where the model has one; `mean`, over patches or places, else. What the
    model's processor does to a picture is done. Raises UsageError on a checkpoint that reads no pictures or lacks the
    layer, OutgrowError on weights that cannot be loaded or give values that are not numbers.
    """
    import torch

    where = f"probe:{location.name}"
    if isinstance(layer, str):
        raise UsageError(
            f"{where}: `layer: {layer}` is for texts: of a backbone of pictures, give the number of a layer"
        )
    model, processor = _opened(where, folder_of(location))
    model.to(device, torch.bfloat16 if precision == "bf16" else torch.float32)
    leading = _leading_tokens(model)
    if pooling == "last" or (pooling == "cls" and not leading):
        has = "`mean` or `cls`" if leading else "`mean`"
        raise UsageError(f"{where}: pooling is {has} for these pictures' features, not `{pooling}`")
    by_class = pooling == "cls" or (pooling is None and leading > 0)
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            pictures = list(in_threads(lambda image: image.rgb(), images[start : start + BATCH]))
            values = processor(images=pictures, return_tensors="pt")["pixel_values"]
            answer = model(pixel_values=values.to(device, model.dtype), output_hidden_states=layer is not None)
            states = answer.last_hidden_state if layer is None else _layer(answer.hidden_states, layer, where)
            if states.ndim == 4:  # of a convolutional network, [batch, channels, height, width]: places as tokens
                states = states.flatten(2).transpose(1, 2)
            vectors = states[:, 0] if by_class else states[:, leading:].mean(1)
            found.append(vectors.float().cpu().numpy())
            progress(min(start + BATCH, len(images)), len(images))
    result = np.concatenate(found)
    if not np.isfinite(result).all():
        raise OutgrowError(f"{where}: some pictures get values that are not numbers: its weights are broken")
    return Features(result, 0, 0, 0.0)


def _opened(where: str, folder: Path) -> tuple[Any, Any]:
    """The backbone (of a model of pictures and texts, the part that reads pictures) and its processor."""
    from transformers.models.auto import image_processing_auto

    auto: Any = image_processing_auto
    with told(where, folder, "model of pictures"):
        config = read_config(folder)
        if config.model_type not in auto.IMAGE_PROCESSOR_MAPPING_NAMES:
            raise UsageError(
                f"{where}: a {config.model_type!r} model reads no pictures: name a checkpoint of the ViT, DINOv2, ResNet, "
                "ConvNeXt, CLIP, EfficientNet or a like family"
            )
        processor = auto.AutoImageProcessor.from_pretrained(
            folder, backend="pil", trust_remote_code=False, local_files_only=True
        )
        model = read_weights(where, folder, "AutoModel", config, lambda model, name: "pooler" in name).eval()
    return getattr(model, "vision_model", model), processor


def _leading_tokens(model: Any) -> int:
    """How many tokens come before the patches: the class token, and registers where there are some; 0 without one."""
    names = [name for name, _ in model.named_parameters()]
    if not any(name.endswith(("cls_token", "class_embedding")) for name in names):
        return 0
    return 1 + int(getattr(model.config, "num_register_tokens", 0) or 0)


def _layer(states: Sequence[Any], layer: int, where: str) -> Any:
    """One of the hidden states, 0 the embeddings."""
    last = len(states) - 1
    if not -last - 1 <= layer <= last:
        raise UsageError(
            f"{where}: there is no layer {layer}: the model has {last} layers, so give 0 (the embeddings) to {last}, "
            f"or -1 (the last) to {-last - 1}"
        )
    return states[layer]
