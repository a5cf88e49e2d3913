"""A finetuned model as a folder: kept for others to load, and read back to predict texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.models.checkpoints.device import own_randomness
from outgrow.models.checkpoints.tokens import read_texts
from outgrow.models.contract import Location
from outgrow.models.finetune.classifier import load, predict, save
from outgrow.models.finetune.learning_curve import Progress, Watch
from outgrow.models.finetune.options import Finetune
from outgrow.models.finetune.reading import read_inputs
from outgrow.models.finetune.train import Finetuned, Lesson, train


def keep(finetuned: Finetuned, options: Finetune, limit: int, folder: Path) -> None:
    """Write the model into an empty folder, as transformers' pipeline of texts, or of images, loads it.

    The folder is for `predict_texts` too. Adapters are merged into the weights.
    """
    loaded = finetuned.loaded
    if not loaded.pictures:
        loaded.tokenizer.model_max_length = limit
    facts = {"kind": "finetune", **options.reading(), "precision": options.precision}
    save(loaded, folder, facts | ({"pictures": True} if loaded.pictures else {}))


def train_texts(
    location: Location,
    options: Finetune,
    inputs: Sequence[str],
    classes: Sequence[str],
    lesson: Lesson,
    folder: Path,
    *,
    watch: Watch | None = None,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> Finetuned:
    """`train` on texts (the lesson's rows are positions among them), with the model kept in `folder`, which is empty."""
    tokens = read_texts(location, inputs, **options.reading())
    made = train(location, options, tokens, classes, lesson, watch=watch, device=device, progress=progress)
    keep(made, options, tokens.limit, folder)
    return made


def reader(
    folder: Path, device: str, *, scores: bool = False
) -> Callable[[Sequence[Any], Progress], NDArray[np.float32]]:
    """A function from inputs to class probabilities `[n, classes]`, of a folder that `keep` wrote; loads it once.

    scores: of a model that scores candidates, to their scores `[n]`. Raises OutgrowError where the folder is damaged.
    """
    try:
        facts = json.loads((folder / "outgrow.json").read_text())
        reading = {"max_length": facts["max_length"], "chat_template": facts["chat_template"]}
        precision, pictures = facts["precision"], bool(facts.get("pictures"))
    except (OSError, ValueError, KeyError) as error:
        raise OutgrowError(f"{folder}: is not a finetuned student of outgrow: {error}") from error
    options = Finetune(checkpoint=str(folder), precision=precision, **reading)
    location = Location(str(folder), str(folder), None, None, "", 0)
    with own_randomness(device):
        loaded = load(location, options, (), fresh_head=False, pictures=pictures)
    loaded.module.to(device)
    loaded.module.eval()

    def read(inputs: Sequence[Any], progress: Progress = lambda done, total: None) -> NDArray[np.float32]:
        tokens = read_inputs(location, inputs, **reading)
        found = predict(loaded, tokens, np.arange(len(inputs)), options, progress, scores=scores)
        return found[:, 0] if scores else found

    return read


def predict_texts(
    folder: Path, inputs: Sequence[str], device: str = "cpu", progress: Progress = lambda done, total: None
) -> NDArray[np.float32]:
    """Class probabilities `[n, classes]` of texts, by a folder that `keep` wrote."""
    return reader(folder, device)(inputs, progress)
