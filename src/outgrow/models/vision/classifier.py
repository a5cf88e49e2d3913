"""Image classifiers of transformers: opened with a head for given classes, which is a linear layer that can be replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files.json_file import parse_json
from outgrow.models.checkpoints.loading import quiet_load, read_config, read_weights
from outgrow.models.checkpoints.weight_files import quiet
from outgrow.models.contract import LinearHead

# Processors that transformers has for torchvision alone; with Pillow, ViT's does the same: resize, rescale, normalise.
LIKE_VIT = frozenset({"DINOv3ViTImageProcessor"})
HEAD_ONLY = ("0", "1")  # classes where nobody asks for them


@dataclass(frozen=True)
class ImageClassifier:
    """An image classifier on the CPU, its Pillow processor, and the name of the linear layer that is its head."""

    model: Any
    processor: Any
    head: str

    @property
    def linear(self) -> Any:
        """The head: `logits = linear(what it reads)`."""
        return self.model.get_submodule(self.head)

    def set_head(self, head: LinearHead) -> None:
        """Give it a head that was learned on what it reads."""
        import torch

        with torch.no_grad():
            self.linear.weight.copy_(torch.from_numpy(head.weight.T.copy()))
            self.linear.bias.copy_(torch.from_numpy(head.bias.copy()))

    def save(self, folder: Path) -> None:
        """Weights (safetensors), config and processor, as `pipeline("image-classification")` loads them."""
        with quiet():
            self.model.save_pretrained(folder)
            self.processor.save_pretrained(folder)


def read_processor(where: str, folder: Path, config: Any) -> Any:
    """The checkpoint's Pillow processor. Raises UsageError where a model of its type reads no pictures."""
    from transformers.models.auto import image_processing_auto

    auto: Any = image_processing_auto
    declared = _declared(folder)
    if not declared and config.model_type not in auto.IMAGE_PROCESSOR_MAPPING_NAMES:
        raise UsageError(
            f"{where}: a {config.model_type!r} model reads no pictures: name a checkpoint of the ViT, DINOv2, ResNet, "
            "ConvNeXt, CLIP, EfficientNet or a like family"
        )
    if declared in LIKE_VIT:
        from transformers import ViTImageProcessorPil

        return ViTImageProcessorPil.from_pretrained(folder, local_files_only=True)
    return auto.AutoImageProcessor.from_pretrained(
        folder, backend="pil", trust_remote_code=False, local_files_only=True
    )


def _declared(folder: Path) -> str:
    """The processor that the checkpoint names, which its model's type need not be known for; nothing where it names none."""
    path = folder / "preprocessor_config.json"
    content = parse_json(path.read_bytes()) if path.is_file() else {}
    name = content.get("image_processor_type") if isinstance(content, dict) else None
    return str(name or "").removesuffix("Fast")


def open_classifier(where: str, folder: Path, classes: Sequence[str] | None = HEAD_ONLY) -> ImageClassifier:
    """The checkpoint's body in float32 under a new head for `classes`; None: with the head that it has.

    A new head is drawn from torch's global generator. Raises UsageError on a checkpoint that reads no pictures or whose
    family has no image classifier with a linear head in transformers, OutgrowError on weights that cannot be loaded.
    """
    with quiet_load(where, folder, "model of pictures"):
        config = read_config(folder)
        processor = read_processor(where, folder, config)
        from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

        if config.model_type not in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES:
            raise UsageError(
                f"{where}: transformers has no image classifier for a {config.model_type!r} model, which finetuned and kept "
                "students are; `probe:` reads its features in `outgrow run`"
            )
        if classes is not None:
            config.id2label = dict(enumerate(classes))
            config.label2id = {name: number for number, name in enumerate(classes)}
            config.problem_type = "single_label_classification"
        outputs = len(config.id2label)
        model = read_weights(
            where,
            folder,
            "AutoModelForImageClassification",
            config,
            lambda model, name: classes is not None and _of_head(name, head_of(where, model, outputs)),
            ignore_mismatched_sizes=classes is not None,
        )
    return ImageClassifier(model, processor, head_of(where, model, outputs))


def head_of(where: str, model: Any, outputs: int) -> str:
    """The name of the linear layer that gives the logits."""
    from torch import nn

    found: list[str] = [
        name for name, part in model.named_modules() if isinstance(part, nn.Linear) and part.out_features == outputs
    ]
    if not found:
        raise UsageError(f"{where}: the image classifier of a {model.config.model_type!r} model has no linear head")
    return found[-1]


def _of_head(name: str, head: str) -> bool:
    return name.startswith(f"{head}.")


def open_head(folder: Path, head: str) -> LinearHead:
    """The head of a classifier that `ImageClassifier.save` wrote. Raises OutgrowError where it is not there."""
    import numpy as np
    from safetensors import safe_open

    try:
        with safe_open(folder / "model.safetensors", "numpy") as file:
            weight, bias = (np.asarray(file.get_tensor(f"{head}.{part}"), np.float32) for part in ("weight", "bias"))
    except Exception as error:  # no file, safetensors' own errors, no such tensor
        raise OutgrowError(f"{folder}: the head cannot be read ({error}): copy the student's folder again") from error
    return LinearHead(np.ascontiguousarray(weight.T), bias, None)
