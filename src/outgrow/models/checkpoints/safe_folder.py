"""What a checkpoint folder must be before anything of it is loaded: safetensors alone, all of them there and in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.core.files.json_file import NotJsonError, parse_json

POINTER = b"version https://git-lfs.github.com/spec/"  # how a Git LFS pointer begins
LARGEST_CONFIG = 50_000_000  # bytes; the largest index of a public model has under 10 MB
_COUNTS = {  # of config.json, with the most that any published text model comes near
    "num_hidden_layers": 1_000,
    "n_layer": 1_000,
    "num_layers": 1_000,
    "hidden_size": 200_000,
    "n_embd": 200_000,
    "d_model": 200_000,
    "intermediate_size": 1_000_000,
    "vocab_size": 10_000_000,
    "max_position_embeddings": 100_000_000,
    "num_attention_heads": 10_000,
}
_LEAST = {"max_position_embeddings": 0, "num_hidden_layers": 0, "n_layer": 0, "num_layers": 0}  # of the others 1


def check_folder(folder: Path) -> None:
    """Raise OutgrowError on a folder whose loading would read a pickle, a file outside it, or a part that is not there.

    transformers follows what an index of shards names, wherever that leads and whatever it is: so nothing is loaded
    before the index is known to name plain safetensors files of the folder itself, which its fingerprint covers.
    """
    _refuse_pointers(folder)
    config = read_object(folder / "config.json") if (folder / "config.json").is_file() else {}
    if "base_model_name_or_path" not in config and (folder / "adapter_config.json").is_file():
        raise OutgrowError(
            f"{folder}: is a PEFT adapter{_base(folder)}, not a whole model: merge it "
            "(`PeftModel.from_pretrained(base, folder).merge_and_unload().save_pretrained(new_folder)`), save the "
            "tokenizer there too, and name that folder"
        )
    _check_sizes(folder / "config.json", config)
    for name in ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"):
        if (folder / name).is_file():
            read_object(folder / name)
    own = config.get("transformers_weights")
    if own is not None:
        _check_name(folder / "config.json", own, (".safetensors", ".safetensors.index.json"))
    for index in sorted(folder.glob("*.index.json")):
        _check_index(index)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a checkpoint's file. Raises OutgrowError where it is none."""
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise OutgrowError(f"{path}: is larger than {LARGEST_CONFIG // 10**6} MB: copy the checkpoint again")
        content = parse_json(path.read_bytes())
    except (OSError, NotJsonError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutgrowError(f"{path}: cannot be read as JSON ({reason}): copy the checkpoint again") from error
    if not isinstance(content, dict):
        raise OutgrowError(f"{path}: is not a JSON object with named values: copy the checkpoint again")
    return content


def _refuse_pointers(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.stat().st_size < 1024:
            with path.open("rb") as file:
                if file.read(len(POINTER)) == POINTER:
                    raise OutgrowError(
                        f"{path}: is a Git LFS pointer, not the file itself: run `git lfs pull` in {folder}, or "
                        "download the file"
                    )


def _check_index(index: Path) -> None:
    shards = read_object(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise OutgrowError(f"{index}: has no weight_map that names the shards: copy the checkpoint again")
    for name in sorted({shard if isinstance(shard, str) else json.dumps(shard) for shard in shards.values()}):
        _check_name(index, name, (".safetensors",))
        if not (index.parent / name).is_file():
            raise OutgrowError(f"{index}: names the shard {name}, which is not in the folder: copy it there")


def _check_name(where: Path, name: Any, endings: tuple[str, ...]) -> None:
    plain = isinstance(name, str) and not name.startswith(".") and "/" not in name and "\\" not in name
    if not plain:
        raise OutgrowError(f"{where}: names {name!r}, which is not a file of the folder itself: only those are read")
    if not str(name).endswith(endings):
        raise OutgrowError(
            f"{where}: names {name!r}, and only safetensors are loaded, never pickles: save the model again with "
            "model.save_pretrained(folder)"
        )


def _check_sizes(path: Path, config: dict[str, Any]) -> None:
    """Refuse sizes that no model has, before memory is taken for them."""
    for name, most in _COUNTS.items():
        value = config.get(name)
        if isinstance(value, str | bool | float) or (
            isinstance(value, int) and not _LEAST.get(name, 1) <= value <= most
        ):
            raise OutgrowError(f"{path}: says {name} {value!r}, which no model has: copy the checkpoint again")
    for name in ("model_type", "architectures"):
        value = config.get(name)
        listed = value if isinstance(value, list) else [value]
        if value is not None and not all(isinstance(one, str) for one in listed):
            raise OutgrowError(f"{path}: {name} is not text: copy the checkpoint again")


def _base(folder: Path) -> str:
    base = read_object(folder / "adapter_config.json").get("base_model_name_or_path")
    return f" of {base}" if isinstance(base, str) else ""
