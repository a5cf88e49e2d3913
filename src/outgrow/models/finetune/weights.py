"""A finetuned model's learned weights beside its checkpoint: enough to ask it about further rows, to the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from outgrow.core import group
from outgrow.core.errors import OutgrowError
from outgrow.models.checkpoints.device import own_randomness
from outgrow.models.contract import Location
from outgrow.models.finetune.adapters import choose_learning, learning
from outgrow.models.finetune.classifier import Loaded, load
from outgrow.models.finetune.options import Finetune
from outgrow.models.finetune.shards import place, whole
from outgrow.models.finetune.train import Finetuned


def leave(finetuned: Finetuned, path: Path) -> None:
    """Write the weights that learned: of adapters, a small part of the model. Of several processes the first one writes."""
    from safetensors.torch import save_file

    learned = {}
    for name, value in learning(finetuned.loaded.module):
        weight = whole(value.detach())
        if group.rank() == 0:
            learned[name] = weight.cpu().contiguous()
    if group.rank() == 0:
        save_file(learned, path)


def gathered(
    finetuned: Finetuned, location: Location, options: Finetune, classes: Sequence[str], scratch: Path
) -> Finetuned:
    """A model that several processes hold in shards as one model on the CPU, in the first of them; another as it is.

    In the other processes it stays as it is. scratch: a path that is free.
    """
    if group.size() == 1:
        return finetuned
    leave(finetuned, scratch)
    if group.rank() > 0:
        return finetuned
    loaded = _taken_up(location, options, classes, scratch, finetuned.loaded.pictures)
    scratch.unlink()
    return replace(finetuned, loaded=loaded)


def taken_up(
    location: Location, options: Finetune, classes: Sequence[str], path: Path, device: str, *, pictures: bool = False
) -> Loaded:
    """The checkpoint with the weights that `leave` wrote. Raises OutgrowError where they do not fit it."""
    with own_randomness(device):

        def ready() -> Loaded:
            loaded = _taken_up(location, options, classes, path, pictures)
            place(loaded.module, device)
            return loaded

        return group.in_turn(ready)


def _taken_up(location: Location, options: Finetune, classes: Sequence[str], path: Path, pictures: bool) -> Loaded:
    import torch
    from safetensors.torch import load_file

    loaded = load(location, options, classes, pictures=pictures)
    choose_learning(loaded.module, options)
    learned = dict(learning(loaded.module))
    left = load_file(path)
    if left.keys() != learned.keys() or any(left[name].shape != value.shape for name, value in learned.items()):
        raise OutgrowError(f"finetune:{location.name}: the weights of its training do not fit the checkpoint")
    with torch.no_grad():
        for name, value in learned.items():
            value.copy_(left[name])
    return loaded
