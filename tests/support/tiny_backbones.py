"""Tiny random backbones of pictures, of several families, saved as transformers does."""

from __future__ import annotations

import json
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
        case "dinov2 with registers":
            config = hf.Dinov2WithRegistersConfig(**SIZES, **PATCHES, num_register_tokens=2)
            processor = hf.BitImageProcessorPil(size={"shortest_edge": 32}, crop_size=size)
        case "clip's part for pictures":
            config = hf.CLIPVisionConfig(**SIZES, **PATCHES)
            processor = hf.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=size)
        case "dinov3":
            config = hf.DINOv3ViTConfig(**SIZES, **PATCHES, num_register_tokens=4)
            processor.image_mean, processor.image_std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        case "dinov3 convnext":
            config = hf.DINOv3ConvNextConfig(**STAGES)
        case "resnet":
            config = hf.ResNetConfig(embedding_size=8, layer_type="basic", **STAGES)
        case _:
            config = hf.ConvNextConfig(num_stages=4, **STAGES)
    hf.AutoModel.from_config(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    if family.startswith("dinov3"):  # as the hub's checkpoints name it
        written = json.loads((folder / "preprocessor_config.json").read_text())
        written["image_processor_type"] = "DINOv3ViTImageProcessorFast"
        (folder / "preprocessor_config.json").write_text(json.dumps(written))
    return folder
