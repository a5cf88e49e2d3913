"""A temperature folded into the last layer of a finetuned model that is kept, so that every library that loads it has it."""

from __future__ import annotations

import json
from pathlib import Path

# Last layers of transformers' classifiers of texts and images.
LAST = ("classifier", "classifier.out_proj", "classifier.1", "score", "logits_proj")


def last_layer(folder: Path) -> tuple[Path, str] | None:
    """The file of weights and the name of the layer that gives one logit a class; None where it is not known."""
    from safetensors import safe_open

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    classes = len(config.get("id2label") or {0: "", 1: ""})
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as tensors:
            there = set(tensors.keys())
            for layer in LAST:
                name = f"{layer}.weight"
                if name in there and tensors.get_slice(name).get_shape()[0] == classes:
                    return path, layer
    return None


def divide_logits(folder: Path, temperature: float) -> None:
    """Divide the weight and the bias of the last layer in a folder by a temperature."""
    from safetensors.torch import load_file, save_file

    found = last_layer(folder)
    assert found is not None  # who asks has looked
    path, layer = found
    tensors = load_file(path)
    for name in (f"{layer}.weight", f"{layer}.bias"):
        if name in tensors:
            tensors[name] = tensors[name] / temperature
    save_file(tensors, path, metadata={"format": "pt"})
