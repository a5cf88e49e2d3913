"""A finetuned model's learned weights beside its checkpoint: enough to ask it about further rows, to the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from outgrow.core.errors import OutgrowError
from outgrow.models.checkpoints.device import own_randomness
from outgrow.models.contract import Location
from outgrow.models.finetune.adapters import choose_learning
from outgrow.models.finetune.classifier import Loaded, load
from outgrow.models.finetune.options import Finetune
from outgrow.models.finetune.train import Finetuned


def leave(finetuned: Finetuned, path: Path) -> None:
    """Write the weights that learned: of adapters, a small part of the model."""
    from safetensors.torch import save_file

    learned = finetuned.loaded.module.named_parameters()
    save_file({name: value.detach().cpu().contiguous() for name, value in learned if value.requires_grad}, path)


def taken_up(
    location: Location, options: Finetune, classes: Sequence[str], path: Path, device: str, *, pictures: bool = False
) -> Loaded:
    """The checkpoint with the weights that `leave` wrote. Raises OutgrowError where they do not fit it."""
    import torch
    from safetensors.torch import load_file

    with own_randomness(device):
        loaded = load(location, options, classes, pictures=pictures)
    choose_learning(loaded.module, options)
    learned = {name: value for name, value in loaded.module.named_parameters() if value.requires_grad}
    left = load_file(path)
    if left.keys() != learned.keys() or any(left[name].shape != value.shape for name, value in learned.items()):
        raise OutgrowError(f"finetune:{location.name}: the weights of its training do not fit the checkpoint")
    with torch.no_grad():
        for name, value in learned.items():
            value.copy_(left[name])
    loaded.module.to(device if device != "auto" else "cpu")
    return loaded
