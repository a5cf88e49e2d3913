"""A model of frozen features and its head as a `sentence-transformers` folder, written file by file, and read back.

`SentenceTransformer(folder).encode(texts)` gives the head's logits there. The module names are those that every version
since 3.2 knows, so that the folder asks for no particular one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.models.checkpoints.weight_files import quiet
from outgrow.models.contract import FeatureModel, Location
from outgrow.models.heads import static
from outgrow.models.heads.probe import Probe
from outgrow.models.heads.solver import Head
from outgrow.models.heads.static import Static

TABLE = "0_StaticEmbedding"
DENSE = "Dense"


def write(folder: Path, model: FeatureModel, location: Location, head: Head, norm: float) -> dict[str, Any]:
    """Write weights, tokenizer and head into an empty folder; how the texts are read, for `read`.

    Raises UsageError for a model that is neither a probe nor static embeddings.
    """
    reading: dict[str, Any] = {}
    if isinstance(model, Static):
        modules = _write_static(folder, location)
    elif isinstance(model, Probe):
        modules, reading = _write_probe(folder, model, location)
    else:
        raise UsageError(f"{location.name}: a student of this kind cannot be saved: take static, probe or finetune")
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


def read(folder: Path, kind: str, reading: Mapping[str, Any]) -> tuple[FeatureModel, Location, Head, float]:
    """What `write` wrote, for `FeatureModel.reader` and `heads.predict`. Raises OutgrowError where files are missing."""
    from safetensors.numpy import load_file

    options = dict(reading)
    norm = float(options.pop("norm"))
    (dense,) = sorted(folder.glob(f"*_{DENSE}"))[-1:] or [folder / f"1_{DENSE}"]
    try:
        tensors = load_file(dense / "model.safetensors")
        # Stored for features of length 1; a power of two comes back to the bit.
        head = Head(np.ascontiguousarray(tensors["linear.weight"].T) / np.float32(norm), tensors["linear.bias"])
    except Exception as error:  # no file, safetensors' own errors, no such tensor
        raise OutgrowError(f"{dense}: the head cannot be read ({error}): copy the student's folder again") from error
    path = folder / TABLE if kind == "static" else folder
    model: FeatureModel = (Static if kind == "static" else Probe)(checkpoint=str(folder), **options)
    return model, Location(str(folder), str(path), None, None, "", 0), head, norm


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


Modules = list[tuple[str, str, dict[str, Any] | None]]  # path, name, config


def _write_static(folder: Path, location: Location) -> Modules:
    from safetensors.numpy import save_file

    tokenizer, table = static.load(location)
    (folder / TABLE).mkdir()
    save_file({"embedding.weight": np.ascontiguousarray(table)}, folder / TABLE / "model.safetensors")
    tokenizer.save(str(folder / TABLE / "tokenizer.json"))
    return [(TABLE, "StaticEmbedding", None)]


def _write_probe(folder: Path, model: Probe, location: Location) -> tuple[Modules, dict[str, Any]]:
    opened = model.open(location)
    tokenizer, body = opened.tokenizer, opened.model
    layers, width = body.config.get_text_config().num_hidden_layers, body.config.get_text_config().hidden_size
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # any will do: the mask hides it
    tokenizer.padding_side = "right"  # as here: padded on the left, the first word is not in the first place
    tokenizer.model_max_length = opened.limit
    body.config.output_hidden_states = opened.layer < layers
    with quiet():
        body.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": opened.limit, "do_lower_case": False})
    modules: Modules = [("", "Transformer", None)]
    if opened.layer < layers:
        modules.append(_one_layer(folder, opened.layer, layers, width))
    pooling = {
        "word_embedding_dimension": width,
        "pooling_mode_mean_tokens": opened.pooling == "mean",
        "pooling_mode_lasttoken": opened.pooling == "last",
    }
    (folder / f"{len(modules)}_Pooling").mkdir()
    modules.append((f"{len(modules)}_Pooling", "Pooling", pooling))
    return modules, {"layer": opened.layer, "pooling": opened.pooling, "max_length": opened.limit}


def _one_layer(folder: Path, layer: int, layers: int, width: int) -> tuple[str, str, dict[str, Any]]:
    """The module for a layer that is not the last: a mean over the layers from there on, all its weight on the first."""
    from safetensors.numpy import save_file

    name = "WeightedLayerPooling"
    (folder / f"1_{name}").mkdir()
    weights = np.zeros(layers + 1 - layer, np.float32)
    weights[0] = 1
    save_file({"layer_weights": weights}, folder / f"1_{name}" / "model.safetensors")
    config = {"word_embedding_dimension": width, "layer_start": layer, "num_hidden_layers": layers}
    return f"1_{name}", name, config


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
