"""Large real models, where they are installed: found, unpacked, converted, and read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from outgrow.core.errors import UsageError
from outgrow.models.checkpoints import weight_files as weights
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.heads.probe import Probe


def large(name: str) -> Path:
    """The folder of a large installed model. Skips, and says so, where it is not installed."""
    try:
        return weights.folder_of(resolve(name, "probe"))
    except UsageError as error:
        pytest.skip(f"not tested here: {error}")


def read(name: str, texts: list[str], layer: int | None = None) -> np.ndarray:
    location = resolve(name, "probe")
    return Probe(checkpoint=name, layer=layer).features(texts, location, "cpu", lambda done, total: None).values


@pytest.mark.slow
def test_mpnet_in_five_packages_is_unpacked_and_knows_what_is_alike() -> None:
    folder = large("mpnet")
    assert json.loads((folder / "config.json").read_text())["model_type"] == "mpnet"
    values = read("mpnet", ["a triumph from start to end", "the oven is broken", "a great success, all the way"])
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    assert values.shape == (3, 768)
    assert unit[0] @ unit[2] > 2 * abs(unit[0] @ unit[1])


@pytest.mark.slow
def test_smollm2_is_converted_once_and_still_speaks(capfd: pytest.CaptureFixture[str]) -> None:
    folder = large("smollm2")
    assert capfd.readouterr().err == ""
    texts = ["The capital of France is", "The opposite of hot is"]
    made = (folder / "model.safetensors").stat().st_mtime_ns
    last = read("smollm2", texts, layer=-1)
    assert (folder / "model.safetensors").stat().st_mtime_ns == made
    table = load_file(folder / "model.safetensors")["embed_tokens.weight"]
    words = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # The embeddings are tied: the last token's last state, times the table, scores the next word.
    said = [words.decode([int(token)]).strip() for token in (last @ table.T).argmax(axis=1)]
    assert said == ["Paris", "cold"]
    assert read("smollm2", texts).shape == (2, 576)
