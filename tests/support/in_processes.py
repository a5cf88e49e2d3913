"""Finetunings by one process, or by several that torchrun starts: `python in_processes.py checkpoints out.json device`.

Each case gives its losses step by step, its learning curve, and predictions: as it ended, and as its left weights give them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import finetuning
import numpy as np
import tiny_models as tiny
import torch
from places import SRC, SUPPORT

from outgrow.core import group
from outgrow.core.errors import OutgrowError
from outgrow.methods.losses import Confidence, Naive
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.tokens import read_texts
from outgrow.models.finetune import train as trainings
from outgrow.models.finetune.classifier import predict
from outgrow.models.finetune.learning_curve import Curve, Watch
from outgrow.models.finetune.resume import Halfway
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


def by(processes: int, folder: Path, device: str = "cpu") -> dict[str, Any]:
    """What each case gives, made by that many processes."""
    for family in tiny.NOTHING_DROPPED:
        tiny.steady(family, folder / family)
    local = ["--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", str(processes)]
    launcher = ["-m", "torch.distributed.run", *local]
    out = folder / f"{processes}.json"
    command = [sys.executable, *(launcher if processes > 1 else []), __file__, str(folder), str(out), device]
    environment = {**os.environ, "PYTHONPATH": f"{SRC}:{SUPPORT}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def case(name: str, checkpoints: Path, out: Path, device: str) -> dict[str, Any]:
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
        made = trainings.train(location, asked, tokens, ("a", "b"), lesson, watch=watch, device=device, **how)
    finally:
        Curve.step = step  # type: ignore[method-assign]
    ended = trainings.probabilities(made, tokens, ROWS, asked)
    weights = out.with_name(f"{out.stem}-{name}.safetensors")
    leave(made, weights)
    if group.size() > 1:
        torch.distributed.barrier()
    left = predict(taken_up(location, asked, ("a", "b"), weights, device), tokens, ROWS, asked)
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


def stopped(out: Path, checkpoints: Path, device: str) -> dict[str, Any]:
    """A training of six epochs, once without a break, and once ended in the middle and taken up again."""
    location = resolve(str(checkpoints / "bert"), "finetune")
    asked = finetuning.options(epochs=6, early_stop=9, batch=8)
    tokens = read_texts(location, finetuning.TEXTS, **asked.reading())
    lesson = trainings.Lesson(ROWS, finetuning.soft(2), Naive(), 0)
    watch = Watch(ROWS, np.array([str(row) for row in ROWS]), None, None, ROWS, finetuning.soft(2)[::-1])
    mine = f"{out}.halfway.{group.rank()}"

    def train(end: int, halfway: bool) -> tuple[list[int], list[list[float]]]:
        steps: list[int] = []

        def progress(done: int, total: int) -> None:
            steps.append(done)
            if done == end:
                raise OutgrowError("ended in the middle")

        state = Halfway(Path(mine), 0.0, Path(f"{mine}.beside")) if halfway else None
        made = trainings.train(
            location, asked, tokens, ("a", "b"), lesson, watch=watch, device=device, progress=progress, halfway=state
        )
        return steps, trainings.probabilities(made, tokens, ROWS, asked).tolist()

    _, whole = train(0, halfway=False)
    with suppress(OutgrowError):
        train(11, halfway=True)
    steps, again = train(0, halfway=True)
    if group.rank() == 1:
        Path(mine).unlink()  # what one of them has alone is not taken up
    afresh, _ = train(0, halfway=True)
    return {"whole": whole, "again": again, "steps": steps, "afresh": afresh}


def main(checkpoints: str, out: str, device: str) -> None:
    torch.set_num_threads(1)
    if "RANK" in os.environ:
        device = group.join(device)
    found = {name: case(name, Path(checkpoints), Path(out), device) for name in CASES}
    found["stopped"] = stopped(Path(out), Path(checkpoints), device)
    if group.rank() == 0:
        Path(out).write_text(json.dumps(found))
    if group.size() > 1:
        os._exit(0)  # see `outgrow.execution.executors.rank`


if __name__ == "__main__":
    main(*sys.argv[1:])
