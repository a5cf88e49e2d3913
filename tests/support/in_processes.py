"""Finetunings by one process, or by several that torchrun starts: `python in_processes.py checkpoints out.json`.

Each case gives its losses step by step, its learning curve, and predictions: as it ended, and as its left weights give them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import finetuning
import numpy as np
import torch

from outgrow.methods.losses import Confidence, Naive
from outgrow.models.checkpoints import group
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.tokens import read_texts
from outgrow.models.finetune import train as trainings
from outgrow.models.finetune.classifier import predict
from outgrow.models.finetune.learning_curve import Curve, Watch
from outgrow.models.finetune.weights import gathered, leave, taken_up

ROWS = finetuning.NUMBERS
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "whole": ("gpt2", {}, {"method": Confidence()}),
    "parts": ("bert", {"tokens": 30, "batch": 4}, {}),  # many parts, not as many in each process
    "lora": ("llama", {"lora": {"r": 4}, "precision": "bf16"}, {}),
    "biases": ("bert", {"bitfit": True, "checkpointing": True, "pooling": "mean"}, {}),
    "stops": ("bert", {"early_stop": 2, "lr": 0.02, "epochs": 6}, {"stops": True}),
    "head": ("bert", {}, {"head_first": trainings.HeadFirst(2, 0.01)}),
}


def case(name: str, checkpoints: Path, out: Path) -> dict[str, Any]:
    family, changes, how = CASES[name]
    how = dict(how)
    location = resolve(str(checkpoints / family), "finetune")
    asked = finetuning.options(batch=changes.pop("batch", 8), **changes)
    tokens = read_texts(location, finetuning.TEXTS, **asked.reading())
    lesson = trainings.Lesson(ROWS, finetuning.soft(2), how.pop("method", Naive()), 0)
    watch = Watch(ROWS, np.array([str(row) for row in ROWS]), np.arange(len(ROWS)) % 2)
    if how.pop("stops", False):
        watch = Watch(watch.rows, watch.ids, watch.truth, None, ROWS, finetuning.soft(2)[::-1])
    losses: list[float] = []
    step = Curve.step

    def noted(self: Curve, done: int, total: int) -> bool:
        losses.append(float(self.losses[-1]))
        return step(self, done, total)

    Curve.step = noted  # type: ignore[method-assign]
    try:
        made = trainings.train(location, asked, tokens, ("a", "b"), lesson, watch=watch, **how)
    finally:
        Curve.step = step  # type: ignore[method-assign]
    ended = trainings.probabilities(made, tokens, ROWS, asked)
    weights = out.with_name(f"{out.stem}-{name}.safetensors")
    leave(made, weights)
    if group.size() > 1:
        torch.distributed.barrier()
    left = predict(taken_up(location, asked, ("a", "b"), weights, "cpu"), tokens, ROWS, asked)
    one = gathered(made, location, asked, ("a", "b"), weights.with_suffix(".scratch"))
    sizes = [sum(value.numel() for value in part) for part in (_held(made), _held(one))]
    return {
        "losses": losses,
        "curve": made.curve,
        "taken_at": made.taken_at,
        "ended": ended.tolist(),
        "left": left.tolist(),
        "held": sizes,
    }


def _held(made: trainings.Finetuned) -> list[torch.Tensor]:
    from outgrow.models.finetune.shards import own

    return [own(value) for value in made.loaded.module.parameters()]


if __name__ == "__main__":
    torch.set_num_threads(1)
    if "RANK" in os.environ:
        torch.distributed.init_process_group("gloo")
        for variable in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
            os.environ.pop(variable)
    found = {name: case(name, Path(sys.argv[1]), Path(sys.argv[2])) for name in CASES}
    if group.rank() == 0:
        Path(sys.argv[2]).write_text(json.dumps(found))
