"""Checkpoints opened by transformers' Auto classes: float32, from safetensors only, whole, or a sentence that says why not."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.models.checkpoints.weight_files import quiet


@contextmanager
def quiet_load(where: str, folder: Path, what: str = "text model") -> Iterator[None]:
    """transformers' own words off, and any error of its as one sentence about the checkpoint."""
    try:
        with quiet():
            yield
    except OutgrowError:
        raise
    except Exception as error:
        raise OutgrowError(_reason(where, folder, error, what)) from error


def read_config(folder: Path) -> Any:
    """What the checkpoint's config.json says."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def read_tokenizer(folder: Path) -> Any:
    """The checkpoint's tokenizer, which cuts a long text at its end."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    tokenizer.truncation_side = "right"
    return tokenizer


def read_weights(
    where: str,
    folder: Path,
    auto: str,
    config: Any,
    spare: Callable[[Any, str], bool] = lambda model, name: False,
    **options: Any,
) -> Any:
    """The model of one of transformers' Auto classes, on the CPU. spare: whether a weight may be absent from the file.

    Raises OutgrowError where another is: transformers fills what a file lacks with random numbers and only warns.
    """
    import torch
    import transformers

    model, report = getattr(transformers, auto).from_pretrained(
        folder,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
        **options,
    )
    absent = {str(key) for key in report["missing_keys"]} | {str(key[0]) for key in report["mismatched_keys"]}
    lost = {name for name in absent if not spare(model, name)}
    if lost:
        raise OutgrowError(
            f"{where}: the weights in {folder} do not fit its config.json: {len(lost)} are missing or of another "
            f"shape, for one {min(lost)}: copy or save the checkpoint again"
        )
    model.config.use_cache = False
    return model


def random_weights(auto: str, config: Any) -> Any:
    """A model of this config as it is before pretraining, in float32 on the CPU; always the same one."""
    import torch
    import transformers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2312)
        model = getattr(transformers, auto).from_config(config, dtype=torch.float32, trust_remote_code=False)
    model.config.use_cache = False
    return model.eval()


def is_causal(config: Any, where: str) -> bool:
    """Whether a text model reads from left to right only. Raises UsageError on what is not a text model."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind = config.model_type
    known = kind in {*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *MODEL_FOR_MASKED_LM_MAPPING_NAMES}
    if not known or getattr(config, "is_encoder_decoder", False):
        raise UsageError(
            f"{where}: a {kind!r} model is neither a text encoder nor a causal language model: "
            "name a checkpoint of the BERT, MPNet, GPT-2, Llama, Qwen, Pythia or a like family"
        )
    return kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or bool(getattr(config, "is_decoder", False))


def blocks(model: Any) -> Any:
    """The model's blocks, one a layer; None where they share their weights, as ALBERT's."""
    from torch.nn import ModuleList

    layers = model.config.get_text_config().num_hidden_layers
    return next((part for part in model.modules() if isinstance(part, ModuleList) and len(part) == layers), None)


def positions(model: Any) -> int | None:
    """How many tokens the position embeddings reach; None where the config does not say."""
    found: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    for name, module in model.named_modules():
        # RoBERTa's family counts positions from behind the padding id, so the first ones are never used.
        if name.endswith("position_embeddings") and found and getattr(module, "padding_idx", None) is not None:
            return found - int(module.padding_idx) - 1
    return found


def _reason(where: str, folder: Path, error: Exception, what: str) -> str:
    """Why a checkpoint could not be loaded, in a sentence."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    if any("torchvision" in str(link) for link in chain) and importlib.util.find_spec("torchvision"):
        return (
            f"{where}: transformers cannot be imported here, since the installed torchvision does not fit the "
            "installed torch: pip uninstall torchvision (nothing here needs it)"
        )
    text = " ".join(str(error).split())
    short = text if len(text) <= 300 else text[:300] + " …"
    reason = (
        f'transformers says "{short.removesuffix(".")}"' if short else f"transformers raises {type(error).__name__}"
    )
    return f"{where}: {folder} cannot be loaded as a {what}; {reason}: copy or save the checkpoint again"
