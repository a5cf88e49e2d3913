"""Small finetunings: a lesson, options, and what a training leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tiny_models as tiny

from outgrow.methods.contract import Method
from outgrow.methods.losses import Naive
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.tokens import Tokens, read_texts
from outgrow.models.finetune.options import Finetune
from outgrow.models.finetune.train import Finetuned, Lesson, probabilities, train

CLASSES = ("bad", "fine", "good")


TEXTS = tiny.TEXTS


NUMBERS = np.arange(len(TEXTS))


def soft(classes: int, rows: int = len(TEXTS)) -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.ones(classes), size=rows).astype(np.float32)


def options(**changes: Any) -> Finetune:
    return Finetune(**{"checkpoint": "x", "epochs": 2, "lr": 1e-3, "batch": 8, **changes})


def learn(
    folder: Path, asked: Finetune, method: Method | None = None, *, classes: int = 3, seed: int = 0, **more: Any
) -> tuple[Finetuned, Tokens]:
    location = resolve(str(folder), "finetune")
    tokens = read_texts(location, TEXTS, **asked.reading())
    lesson = Lesson(NUMBERS, soft(classes), method or Naive(), seed)
    return train(location, asked, tokens, CLASSES[:classes], lesson, **more), tokens


def learned(folder: Path, asked: Finetune, method: Method | None = None, **more: Any) -> np.ndarray:
    """Bytes-exact predictions on all texts after training."""
    found, tokens = learn(folder, asked, method, **more)
    return probabilities(found, tokens, NUMBERS, asked)


def weights(found: Finetuned) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy().copy() for name, value in found.loaded.module.named_parameters()}
