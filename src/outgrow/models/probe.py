"""`probe`: frozen hidden states of a pretrained encoder or causal language model, one vector a text."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from outgrow.core import Ints, OutgrowError, UsageError
from outgrow.models.contract import FeatureModel, Features, Location, Reader
from outgrow.models.weights import folder_of, quiet

if TYPE_CHECKING:
    import torch

TOKENS = 4096  # padded tokens a batch: enough to fill a CPU's caches, small enough that activations stay modest
SLACK = 20  # a batch may be padded by less than one token in so many real ones: under 5%
LONGEST = 512  # tokens read of a text unless asked for more: attention grows with the square


class Probe(FeatureModel):
    """A frozen transformer through transformers' Auto classes, in float32, from safetensors only.

    Linear probes as in Burns et al. (arXiv 2312.09390), on a layer and by a pooling of one's choice.
    """

    layer: int | None = None  # index into the hidden states: 0 the embeddings, -1 the last; None: see `_defaults`
    pooling: Literal["mean", "last"] | None = None  # None: see `_defaults`
    max_length: Annotated[int, Field(ge=1)] | None = None  # None: the model's own limit, at most LONGEST

    def problems(self, location: Location) -> list[str]:
        """A layer that the folder's config.json says is not there."""
        if self.layer is None:
            return []
        config = Path(location.path or "") / "config.json"
        if location.path is None or not config.is_file():
            return []
        try:
            values = json.loads(config.read_text("utf-8"))
        except ValueError:
            return [f"probe:{location.name}: {config} is not JSON: copy the checkpoint again"]
        layers = next((values[name] for name in ("num_hidden_layers", "n_layer", "n_layers") if name in values), None)
        return _layer_problems(self.layer, layers, location) if isinstance(layers, int) else []

    def features(
        self, inputs: Sequence[str], location: Location, device: str, progress: Callable[[int, int], None]
    ) -> Features:
        """Pooled hidden states `[n, d]` of `inputs`. A text without any token gets zeros.

        Raises UsageError on a layer or length the model lacks or a checkpoint that is no text model, OutgrowError on
        weights that cannot be loaded or give values that are not numbers.
        """
        return self.reader(location, device)(inputs, progress)

    def reader(self, location: Location, device: str) -> Reader:
        """`features` of a model that is loaded once."""
        opened = self.open(location)
        opened.model.to(device)
        return lambda inputs, progress: _read(opened, inputs, device, progress)

    def open(self, location: Location) -> Opened:
        """Tokenizer and model, on the CPU, and how they are to be read. Raises as `features` does."""
        with quiet():
            tokenizer, model = _load(location)
        layers = model.config.get_text_config().num_hidden_layers
        if self.layer is not None and (problems := _layer_problems(self.layer, layers, location)):
            raise UsageError(*problems)
        usual_layer, usual_pooling = _defaults(model.config)
        layer = (usual_layer if self.layer is None else self.layer) % (layers + 1)
        limit = self._limit(tokenizer, model, location)
        return Opened(tokenizer, model, layer, self.pooling or usual_pooling, limit, location.name)

    def _limit(self, tokenizer: Any, model: Any, location: Location) -> int:
        """How many tokens of a text are read."""
        limits = [tokenizer.model_max_length, _positions(model)]
        limit = min(length for length in limits if length)
        if self.max_length is not None and self.max_length > limit:
            raise UsageError(
                f"probe:{location.name}: max_length {self.max_length} is more than the {limit} tokens "
                f"the model can read: give at most {limit}"
            )
        if self.max_length is not None and self.max_length <= tokenizer.num_special_tokens_to_add():
            raise UsageError(
                f"probe:{location.name}: max_length {self.max_length} leaves no room for a text beside the model's "
                f"{tokenizer.num_special_tokens_to_add()} special tokens: give more"
            )
        return self.max_length or int(min(limit, LONGEST))


@dataclass(frozen=True)
class Opened:
    """A loaded model and what a probe reads of it."""

    tokenizer: Any
    model: Any
    layer: int  # index into the hidden states, 0 the embeddings
    pooling: str
    limit: int  # tokens read of a text
    name: str


def _read(opened: Opened, inputs: Sequence[str], device: str, progress: Callable[[int, int], None]) -> Features:
    """One pass over the texts. See `Probe.features`."""
    import torch

    model = opened.model
    ids, truncated = _tokenize(opened.tokenizer, inputs, opened.limit)
    lengths = np.array([len(row) for row in ids], dtype=np.int64)
    values = np.zeros((len(ids), model.config.get_text_config().hidden_size), dtype=np.float32)
    filler = _filler(opened.tokenizer, model.config)
    done, padded = int((lengths == 0).sum()), 0
    for rows in batches(lengths):
        tokens, mask = _pad([ids[row] for row in rows], filler)
        with torch.inference_mode():
            states = _states(
                model, torch.from_numpy(tokens).to(device), torch.from_numpy(mask).to(device), opened.layer
            )
            values[rows] = _pool(states, torch.from_numpy(mask).to(device), opened.pooling).cpu().numpy()
        padded += mask.size
        done += len(rows)
        progress(done, len(ids))
    broken = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(broken):
        raise OutgrowError(
            f"probe:{opened.name}: {len(broken)} of {len(ids)} texts get values that are not numbers, "
            f"the first is text {broken[0] + 1}: its weights are broken, or its activations overflow"
        )
    tokens_read = int(lengths.sum())
    return Features(values, truncated, tokens_read, (padded - tokens_read) / max(tokens_read, 1))


def batches(lengths: Ints, budget: int = TOKENS) -> Iterator[Ints]:
    """Rows `[batch]` of like length, longest first, every row with any token once.

    A batch holds at most `budget` padded tokens (or one row) and less padding than 1/SLACK of its real tokens. Longest
    first, so that the most memory is needed at once and a time estimate errs on the long side.
    """
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    start = 0
    while start < len(order):
        longest, real, stop = int(lengths[order[start]]), 0, start
        while stop < len(order):
            with_next = real + int(lengths[order[stop]])
            padded = longest * (stop + 1 - start)
            if stop > start and (padded > budget or (padded - with_next) * SLACK >= with_next):
                break
            real, stop = with_next, stop + 1
        yield order[start:stop]
        start = stop


def _tokenize(tokenizer: Any, inputs: Sequence[str], limit: int) -> tuple[list[list[int]], int]:
    """Token ids of each text, at most `limit`, with the model's special tokens; how many texts were cut."""
    options = {"padding": False, "return_attention_mask": False, "return_token_type_ids": False, "verbose": False}
    if not inputs:
        return [], 0
    ids: list[list[int]] = tokenizer(list(inputs), truncation=False, **options)["input_ids"]
    long = [row for row, tokens in enumerate(ids) if len(tokens) > limit]
    # Cut by the tokenizer and not by a slice, so that the closing special token stays.
    if long:
        texts = [inputs[row] for row in long]
        cut = tokenizer(texts, truncation=True, max_length=limit, **options)["input_ids"]
        for row, tokens in zip(long, cut, strict=True):
            ids[row] = tokens
    return ids, len(long)


def _pad(rows: Sequence[list[int]], filler: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tokens and attention mask `[batch, longest]`, padded on the right."""
    longest = max(map(len, rows))
    tokens = np.full((len(rows), longest), filler, dtype=np.int64)
    mask = np.zeros((len(rows), longest), dtype=np.int64)
    for place, row in enumerate(rows):
        tokens[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return tokens, mask


class _EnoughError(Exception):
    """Ends a forward pass where the layer asked for has been reached."""


def _states(model: Any, tokens: torch.Tensor, mask: torch.Tensor, layer: int) -> torch.Tensor:
    """Hidden states `[batch, longest, d]` of layer 0 (the embeddings) to the last. What lies above is not computed."""
    from torch.nn import ModuleList

    layers = model.config.get_text_config().num_hidden_layers
    if layer == layers:
        states: torch.Tensor = model(input_ids=tokens, attention_mask=mask).last_hidden_state
        return states
    blocks = next((part for part in model.modules() if isinstance(part, ModuleList) and len(part) == layers), None)
    if blocks is None:  # blocks that share their weights, as ALBERT's
        chosen: torch.Tensor = model(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states[
            layer
        ]
        return chosen
    reached: list[torch.Tensor] = []

    def stop(block: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
        reached.append(positional[0] if positional else named["hidden_states"])
        raise _EnoughError

    hook = blocks[layer].register_forward_pre_hook(stop, with_kwargs=True)
    try:
        model(input_ids=tokens, attention_mask=mask)
    except _EnoughError:
        pass
    finally:
        hook.remove()
    return reached[0]


def _pool(states: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """One vector a text, `[batch, longest, d]` -> `[batch, d]`. The mask alone says which tokens are real."""
    lengths = mask.sum(dim=1)
    if pooling == "last":
        return states[range(len(states)), lengths - 1]
    return (states * mask.unsqueeze(-1)).sum(dim=1) / lengths.unsqueeze(-1)


def _defaults(config: Any) -> tuple[int, str]:
    """Layer and pooling where none is asked for.

    Encoders: the last layer, mean. Causal models: the last token, the only one that has read the whole text, of the middle
    layer: the upper ones turn towards the next word. SmolLM2-135M on SST-2, 2,000 examples, accuracy of a head on truth:
    last token of layer 15 of 30 .852, of the last .798; mean of layer 15 .523 (a few huge dimensions), of the last .759.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    encoder = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False)
    return (-1, "mean") if encoder else (config.get_text_config().num_hidden_layers // 2, "last")


def _positions(model: Any) -> int | None:
    """How many tokens the position embeddings reach; None where the config does not say."""
    positions: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    for name, module in model.named_modules():
        # RoBERTa's family counts positions from behind the padding id, so the first ones are never used.
        if name.endswith("position_embeddings") and positions and getattr(module, "padding_idx", None) is not None:
            return positions - int(module.padding_idx) - 1
    return positions


def _filler(tokenizer: Any, config: Any) -> int:
    """The id to pad with. Any will do, the mask hides it; RoBERTa's family takes positions from the config's."""
    for token in (getattr(config, "pad_token_id", None), tokenizer.pad_token_id):
        if isinstance(token, int) and token >= 0:
            return token
    return 0


def _layer_problems(layer: int, layers: int, location: Location) -> list[str]:
    if -layers - 1 <= layer <= layers:
        return []
    sentence = (
        f"probe:{location.name}: there is no layer {layer}: the model has {layers} layers, so give 0 (the embeddings) "
        f"to {layers}, or -1 (the last) to {-layers - 1}"
    )
    return [sentence]


def _load(location: Location) -> tuple[Any, Any]:
    """Tokenizer and model, on the CPU, ready to read. Raises UsageError or OutgrowError, one sentence each."""
    where = f"probe:{location.name}"
    folder = folder_of(location)
    try:
        import torch
        from transformers import AutoConfig, AutoModel, AutoTokenizer
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
            MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        )

        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        known = config.model_type in {*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *MODEL_FOR_MASKED_LM_MAPPING_NAMES}
        if not known or getattr(config, "is_encoder_decoder", False):
            raise UsageError(
                f"{where}: a {config.model_type!r} model is neither a text encoder nor a causal language model: "
                "name a checkpoint of the BERT, MPNet, GPT-2, Llama, Qwen, Pythia or a like family"
            )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        tokenizer.truncation_side = "right"
        model, report = AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except OutgrowError:
        raise
    except Exception as error:
        raise OutgrowError(_reason(where, folder, error)) from error
    # transformers fills what a file lacks with random numbers and only warns. A pooler is not read here.
    absent = [name for name in {*report["missing_keys"], *report["mismatched_keys"]} if "pooler" not in str(name)]
    if absent:
        raise OutgrowError(
            f"{where}: the weights in {folder} do not fit its config.json: {len(absent)} are missing or of another "
            f"shape, for one {min(map(str, absent))}: copy or save the checkpoint again"
        )
    model.config.use_cache = False
    return tokenizer, model.eval()


def _reason(where: str, folder: Path, error: Exception) -> str:
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
    return f"{where}: {folder} cannot be loaded as a text model: {type(error).__name__}: {short}"
