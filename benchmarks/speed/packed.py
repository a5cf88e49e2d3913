"""A checkpoint in a quarter of its size, for a machine that files are carried to: int8 rows with a scale each.

    python benchmarks/speed/packed.py CHECKPOINT FOLDER

Speed does not depend on what the weights are, and features of the unpacked model are near the original's.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
PACKED = "int8.safetensors"


def pack(source: Path, folder: Path) -> None:
    """Write the checkpoint at `source` into `folder`, its matrices as int8."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if (source / name).exists():
            shutil.copy(source / name, folder / name)
    packed = {}
    for name, value in load_file(source / "model.safetensors").items():
        if value.dim() == 2:
            scale = value.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127
            packed[name], packed[f"{name}:scale"] = (value / scale).round().to(torch.int8), scale
        else:
            packed[name] = value
    save_file(packed, folder / PACKED)


def unpack(folder: Path, target: Path) -> Path:
    """The folder itself where it holds a whole checkpoint; else `target`, into which one is written."""
    if not (folder / PACKED).exists():
        return folder
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns(PACKED))
    packed = load_file(folder / PACKED)
    whole = {
        name: value.float() * packed[f"{name}:scale"] if f"{name}:scale" in packed else value
        for name, value in packed.items()
        if not name.endswith(":scale")
    }
    save_file(whole, target / "model.safetensors", {"format": "pt"})
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    pack(asked.source, asked.folder)
