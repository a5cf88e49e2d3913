"""Which of a model's weights learn: all, its biases, or adapters put in beside its linear layers; the head always."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from outgrow.models.finetune.options import Finetune


def choose_learning(module: Any, options: Finetune) -> Any:
    """Leave requires_grad on what the options train: everything, biases and head, or adapters (put in here) and head.

    With `precision: bf16`, the frozen matrices are held in bfloat16 from here on.
    """
    model = module.model
    if options.lora is not None:
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel

        names = linear_layers(model)
        config = LoraConfig(
            r=options.lora.r,
            lora_alpha=options.lora.alpha,
            lora_dropout=options.lora.dropout,
            target_modules=names,
            fan_in_fan_out=any("Conv1D" in type(model.get_submodule(name)).__name__ for name in names),
        )
        module.adapters = [LoraModel(model, config, "default")]  # in a list: no second way to the same weights
        for layer in model.modules():
            if hasattr(layer, "cast_input_dtype_enabled"):
                # Autocast casts where that is needed; peft would first make each layer's input float32.
                layer.cast_input_dtype_enabled = options.precision == "fp32"
    elif options.bitfit:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.endswith("bias"))
    for name, parameter in module.named_parameters():
        if not name.startswith(f"model.{body_name(model)}.") or (
            "pooler" in name and (options.lora is not None or options.bitfit)
        ):
            parameter.requires_grad_(True)
    if options.precision == "bf16":
        hold_in_bf16(module)
    return module


def learning(module: Any) -> Iterator[tuple[str, Any]]:
    """The weights that learn, by name."""
    return ((name, value) for name, value in module.named_parameters() if value.requires_grad)


def hold_in_bf16(module: Any) -> None:
    """Hold in bfloat16 what does not learn and is multiplied in that: frozen matrices and embeddings, norms aside."""
    import torch
    from transformers.pytorch_utils import Conv1D

    for layer in module.modules():
        if isinstance(layer, torch.nn.Linear | torch.nn.Embedding | Conv1D):
            for parameter in layer.parameters(recurse=False):
                if not parameter.requires_grad:
                    parameter.data = parameter.data.to(torch.bfloat16)


def body_name(model: Any) -> str:
    """The name of the pretrained body in a model with a head: not of all models the prefix that they state."""
    stated = str(model.base_model_prefix)
    return stated if hasattr(model, stated) else next(name for name, _ in model.named_children())


def body_size(module: Any) -> int:
    """Parameters that every token is multiplied with: the body's, its embeddings aside."""
    from torch.nn import Embedding

    body = module.model.get_submodule(body_name(module.model))
    tables = sum(layer.weight.numel() for layer in body.modules() if isinstance(layer, Embedding))
    return max(1, int(sum(parameter.numel() for parameter in body.parameters()) - tables))


def linear_layers(model: Any) -> list[str]:
    """Names of the body's linear layers, its pooler aside."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    prefix = body_name(model)
    return [
        f"{prefix}.{name}"
        for name, layer in model.get_submodule(prefix).named_modules()
        if isinstance(layer, Linear | Conv1D) and "pooler" not in name
    ]
