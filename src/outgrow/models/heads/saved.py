"""A model of frozen features and its head as a `sentence-transformers` folder, written file by file, and read back.

`SentenceTransformer(folder).encode(texts)` gives the head's logits there. The module names are those that every version
since 3.2 knows, so that the folder asks for no particular one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import OutgrowError
from outgrow.models.contract import FeatureModel, LinearHead, Location
from outgrow.models.heads.solver import Head

DENSE = "Dense"
WHOLE = "whole"


def write(
    folder: Path, model: FeatureModel, location: Location, head: Head, norm: float | None, classes: Sequence[str]
) -> dict[str, Any]:
    """Write what gives the features, and the head, into an empty folder; how inputs are read, for `read`.

    A model that is `whole` writes both in its own way.
    """
    if model.whole:
        return {WHOLE: model.write_whole(folder, location, LinearHead(head.weight, head.bias, norm, classes))}
    assert norm is not None  # only what is kept whole may be linear in its features
    modules, reading = model.write_body(folder, location)
    modules.append((f"{len(modules)}_Normalize", "Normalize", None))
    modules.append((f"{len(modules)}_{DENSE}", DENSE, None))
    (folder / modules[-2][0]).mkdir()  # unit length is all it does
    _write_head(folder / modules[-1][0], head, norm)
    entries = []
    for number, (path, name, config) in enumerate(modules):
        if config is not None:
            _write_json(folder / path / "config.json", config)
        entries.append(
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{name}"}
        )
    _write_json(folder / "modules.json", entries)
    _write_json(folder / "config_sentence_transformers.json", {"model_type": "SentenceTransformer"})
    return {**reading, "norm": norm}


def read(
    folder: Path, kind: type[FeatureModel], reading: Mapping[str, Any]
) -> tuple[FeatureModel, Location, Head, float | None]:
    """What `write` wrote of a model of this kind, for `FeatureModel.reader` and `heads.predict`.

    Raises OutgrowError where files are missing.
    """
    from safetensors.numpy import load_file

    if WHOLE in reading:
        model, location, own = kind.open_whole(folder, reading[WHOLE])
        return model, location, Head(own.weight, own.bias), own.norm
    options = dict(reading)
    norm = float(options.pop("norm"))
    (dense,) = sorted(folder.glob(f"*_{DENSE}"))[-1:] or [folder / f"1_{DENSE}"]
    try:
        tensors = load_file(dense / "model.safetensors")
        # Stored for features of length 1; a power of two comes back to the bit.
        head = Head(np.ascontiguousarray(tensors["linear.weight"].T) / np.float32(norm), tensors["linear.bias"])
        if not (np.isfinite(norm) and norm > 0 and np.isfinite(head.weight).all() and np.isfinite(head.bias).all()):
            raise ValueError("it holds values that are not finite numbers")
    except Exception as error:  # no file, safetensors' own errors, no such tensor
        raise OutgrowError(f"{dense}: the head cannot be read ({error}): copy the student's folder again") from error
    model, location = kind.open_body(folder, options)
    return model, location, head, norm


def _write_head(folder: Path, head: Head, norm: float) -> None:
    from safetensors.numpy import save_file

    folder.mkdir()
    weight = np.ascontiguousarray(head.weight.T * np.float32(norm))
    save_file({"linear.weight": weight, "linear.bias": head.bias}, folder / "model.safetensors")
    config = {
        "in_features": weight.shape[1],
        "out_features": weight.shape[0],
        "bias": True,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    _write_json(folder / "config.json", config)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
