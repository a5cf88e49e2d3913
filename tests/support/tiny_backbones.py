"""Tiny random backbones of pictures, of several families, saved as transformers does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

SIZES = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
STAGES = {"hidden_sizes": [8, 12, 16, 16], "depths": [1, 1, 1, 1]}
PATCHES = {"image_size": 32, "patch_size": 8}


def backbone(family: str, folder: Path) -> Path:
    torch.manual_seed(0)
    size = {"height": 32, "width": 32}
    processor: Any = hf.ViTImageProcessorPil(size=size)
    config: Any
    match family:
        case "vit":
            config = hf.ViTConfig(**SIZES, **PATCHES)
        case "dinov2":
            config = hf.Dinov2Config(**SIZES, **PATCHES)
            processor = hf.BitImageProcessorPil(size={"shortest_edge": 32}, crop_size=size)
        case "clip":
            config = hf.CLIPConfig(
                vision_config={**SIZES, **PATCHES}, text_config={**SIZES, "vocab_size": 40}, projection_dim=8
            )
            processor = hf.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=size)
        case "resnet":
            config = hf.ResNetConfig(embedding_size=8, layer_type="basic", **STAGES)
        case _:
            config = hf.ConvNextConfig(num_stages=4, **STAGES)
    hf.AutoModel.from_config(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
