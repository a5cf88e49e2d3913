"""`probe` on pictures: one vector per picture of a frozen backbone of transformers, by its own Pillow processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files.image_files import in_threads
from outgrow.core.inputs.image import Image
from outgrow.models.checkpoints.loading import quiet_load, read_config, read_weights
from outgrow.models.checkpoints.weight_files import folder_of
from outgrow.models.contract import Features, Location, Reader
from outgrow.models.vision.classifier import ImageClassifier, open_classifier, read_processor

BATCH = 32  # pictures at once: bounds what is decoded and computed


def picture_reader(
    location: Location, layer: int | str | None, pooling: str | None, device: str, precision: str
) -> Reader:
    """A function from pictures to features `[n, d]`, of a model that is loaded once.

    layer: of which the features are (None: the last, as the model normalises it). pooling: `cls`, the class token, by
    default where the model has one; `mean`, over patches or places, else; `own`: what the head of the family's image
    classifier in transformers reads. What the model's processor does to a picture is done. Raises UsageError on a
    checkpoint that reads no pictures or lacks the layer, OutgrowError on weights that cannot be loaded or give values
    that are not numbers.
    """
    import torch

    where, folder = f"probe:{location.name}", folder_of(location)
    if pooling == "own":
        if layer is not None:
            raise UsageError(f"{where}: `pooling: own` is of the last layer: leave `layer` out")
        classifier = open_classifier(where, folder)
        model, processor = classifier.model.eval(), classifier.processor
        vectors = _read_by(classifier, where)
    else:
        model, processor = _opened(where, folder)
        vectors = _pooled(model, layer, pooling, where)
    model.to(device, torch.bfloat16 if precision == "bf16" else torch.float32)

    def read(images: Sequence[Image], progress: Callable[[int, int], None]) -> Features:
        found = []
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                values = pixel_values(processor, images[start : start + BATCH])
                found.append(vectors(values.to(device, model.dtype)).float().cpu().numpy())
                progress(min(start + BATCH, len(images)), len(images))
        result = np.concatenate(found)
        if not np.isfinite(result).all():
            raise OutgrowError(f"{where}: some pictures get values that are not numbers: its weights are broken")
        return Features(result, 0, 0, 0.0)

    return read


def pixel_values(processor: Any, images: Sequence[Image]) -> Any:
    """What a processor makes of pictures, `[n, 3, height, width]`, decoded in threads."""
    return processor(images=list(in_threads(lambda image: image.rgb(), images)), return_tensors="pt")["pixel_values"]


def _read_by(classifier: ImageClassifier, where: str) -> Callable[[Any], Any]:
    """From pixels to what the head reads."""

    def read(values: Any) -> Any:
        found: list[Any] = []
        hook = classifier.linear.register_forward_pre_hook(lambda head, given: found.append(given[0]))
        try:
            classifier.model(pixel_values=values)
        finally:
            hook.remove()
        if found[-1].ndim != 2:
            raise UsageError(f"{where}: the head of its image classifier in transformers does not read one vector")
        return found[-1]

    return read


def _pooled(model: Any, layer: int | str | None, pooling: str | None, where: str) -> Callable[[Any], Any]:
    """From pixels to one vector of a layer. Raises UsageError on a layer or pooling that the model lacks."""
    if isinstance(layer, str):
        raise UsageError(
            f"{where}: `layer: {layer}` is for texts: of a backbone of pictures, give the number of a layer"
        )
    leading = _leading_tokens(model)
    if pooling == "last" or (pooling == "cls" and not leading):
        has = "`mean` or `cls`" if leading else "`mean`"
        raise UsageError(f"{where}: pooling is {has} for these pictures' features, not `{pooling}`")
    by_class = pooling == "cls" or (pooling is None and leading > 0)

    def read(values: Any) -> Any:
        answer = model(pixel_values=values, output_hidden_states=layer is not None)
        states = answer.last_hidden_state if layer is None else _layer(answer.hidden_states, layer, where)
        if states.ndim == 4:  # of a convolutional network, [batch, channels, height, width]: places as tokens
            states = states.flatten(2).transpose(1, 2)
        return states[:, 0] if by_class else states[:, leading:].mean(1)

    return read


def _opened(where: str, folder: Path) -> tuple[Any, Any]:
    """The backbone (of a model of pictures and texts, the part that reads pictures) and its processor."""
    with quiet_load(where, folder, "model of pictures"):
        config = read_config(folder)
        processor = read_processor(where, folder, config)
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
