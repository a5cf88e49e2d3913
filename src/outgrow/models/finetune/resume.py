"""A training's state on the disk, now and then: one that was killed goes on from there, and ends with the same bits."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outgrow.core import group
from outgrow.core.files import disk
from outgrow.models.finetune.shards import like, own

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class State:
    """How far a training is: steps done, JSON values, and tensors by name."""

    step: int
    facts: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


@dataclass
class Halfway:
    """One training's file, which is written when `every` seconds have passed since the last time.

    Each of several processes has one of its own, and all are replaced together.
    """

    file: Path
    every: float
    beside: Path  # the name it has while it is written, on the same disk
    last: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Whether the state is to be written now."""
        return time.monotonic() - self.last >= self.every

    def write(self, state: State) -> None:
        """Replace the file, whole or not at all."""
        from safetensors.torch import save_file

        tensors = {name: value.detach().cpu().contiguous() for name, value in state.tensors.items()}
        words = json.dumps({"step": state.step, "facts": state.facts})
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_file(tensors, self.beside, {"state": words, "sha256": _digest(words, tensors)})
            disk.flush(self.beside)
            group.meet()
            os.replace(self.beside, self.file)
        finally:
            self.beside.unlink(missing_ok=True)
        self.last = time.monotonic()

    def read(self) -> State | None:
        """What was written last; None if nothing was, or it is damaged: the training then begins at its beginning."""
        from safetensors import safe_open

        try:
            with safe_open(self.file, "pt") as kept:
                known = kept.metadata()
                tensors = {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118 - it is not a mapping
            if known["sha256"] != _digest(known["state"], tensors):
                return None
            words = json.loads(known["state"])
            return State(words["step"], words["facts"], tensors)
        except Exception:  # no file, safetensors' own errors, another version's content
            return None


def optimizer_tensors(optimizer: Any) -> dict[str, Tensor]:
    """What an optimizer remembers of each weight. Rates and the like are not part of it: the schedule knows them."""
    state = optimizer.state_dict()["state"]
    return {f"optimizer.{place}.{name}": own(value) for place, of in state.items() for name, value in of.items()}


def set_optimizer(optimizer: Any, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    weights = [weight for of in optimizer.param_groups for weight in of["params"]]
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        if part == "optimizer":
            place, _, what = rest.partition(".")
            state.setdefault(int(place), {})[what] = like(weights[int(place)], value)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _digest(words: str, tensors: Mapping[str, Tensor]) -> str:
    import torch

    sha = hashlib.sha256(words.encode())
    for name in sorted(tensors):
        sha.update(name.encode())
        sha.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()
