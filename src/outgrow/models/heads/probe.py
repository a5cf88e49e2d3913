"""`probe`: frozen hidden states of a pretrained encoder or causal language model, one vector a text."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import Ints
from outgrow.core.image import Image
from outgrow.models.checkpoints.device import with_memory_for
from outgrow.models.checkpoints.families import encoder
from outgrow.models.checkpoints.loading import (
    blocks,
    is_causal,
    positions,
    read_config,
    read_tokenizer,
    read_weights,
    told,
)
from outgrow.models.checkpoints.pooling import pooled
from outgrow.models.checkpoints.safe_folder import read_object
from outgrow.models.checkpoints.tokens import (
    ON_GPU,
    SLACK,
    TOKENS,
    PaddedOn,
    Tokens,
    batches,
    check_ids,
    limited,
    tokenize,
)
from outgrow.models.checkpoints.weight_files import folder_of, quiet
from outgrow.models.contract import SENTENCE_TRANSFORMERS, FeatureModel, Features, Location, Module, Reader, Saved
from outgrow.models.vision.backbone import picture_features

if TYPE_CHECKING:
    import torch


AHEAD = 4  # batches that a GPU may be given before the first one's features are fetched


class Probe(FeatureModel):
    """A frozen transformer through transformers' Auto classes, in float32 or bfloat16, from safetensors only.

    Linear probes as in Burns et al. (arXiv 2312.09390), on a layer and by a pooling of one's choice.
    """

    reads = frozenset({"text", "image"})
    saved = Saved("A linear head on frozen hidden states", *SENTENCE_TRANSFORMERS)

    # Index into the hidden states: 0 the embeddings, -1 the last; "all": their mean over all layers; None: see `open`.
    layer: int | Literal["all"] | None = None
    pooling: Literal["mean", "last", "cls"] | None = None  # None: see `open`; `cls` is of pictures
    max_length: Annotated[int, Field(ge=1)] | None = None  # None: the model's own limit, at most 512
    # What weights and activations are held and multiplied in; float32 is left out, so that its keys stay.
    precision: Literal["fp32", "bf16"] = Field(default="fp32", exclude_if=lambda precision: precision == "fp32")

    def problems(self, location: Location) -> list[str]:
        """A layer that the folder's config.json says is not there."""
        config = Path(location.path or "") / "config.json"
        if not isinstance(self.layer, int) or location.path is None or not config.is_file():
            return []
        values = read_object(config)
        layers = next((values[name] for name in ("num_hidden_layers", "n_layer", "n_layers") if name in values), None)
        return _layer_problems(self.layer, layers, location) if isinstance(layers, int) else []

    def as_student(self, location: Location) -> Probe:
        """Of an encoder the mean over all its layers, where neither layer nor pooling is asked for.

        The lower layers know the words, the upper ones what they mean together. A head on the truth of 2,200 texts is right
        on 2.5 points more of unseen ones than on the last layer of MiniLM (docs/develop/log.md).
        """
        if self.layer is not None or self.pooling is not None or encoder(location) is None:
            return self
        return self.model_copy(update={"layer": "all"})

    def write_body(self, folder: Path, location: Location) -> tuple[list[Module], dict[str, Any]]:
        """The transformer and its tokenizer, with modules for its layer and its pooling."""
        opened = self.open(location)
        tokenizer, body = opened.tokenizer, opened.model
        layers, width = body.config.get_text_config().num_hidden_layers, body.config.get_text_config().hidden_size
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token  # any will do: the mask hides it
        tokenizer.padding_side = "right"  # as here: padded on the left, the first word is not in the first place
        tokenizer.model_max_length = opened.limit
        body.config.output_hidden_states = opened.layer != layers
        with quiet():
            body.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        (folder / "sentence_bert_config.json").write_text(
            json.dumps({"max_seq_length": opened.limit, "do_lower_case": False}, indent=2) + "\n", encoding="utf-8"
        )
        modules: list[Module] = [("", "Transformer", None)]
        if opened.layer != layers:
            modules.append(_layers(folder, opened.layer, layers, width))
        pooling = {
            "word_embedding_dimension": width,
            "pooling_mode_mean_tokens": opened.pooling == "mean",
            "pooling_mode_lasttoken": opened.pooling == "last",
        }
        (folder / f"{len(modules)}_Pooling").mkdir()
        modules.append((f"{len(modules)}_Pooling", "Pooling", pooling))
        reading = {"layer": opened.layer, "pooling": opened.pooling, "max_length": opened.limit}
        return modules, reading | ({} if self.precision == "fp32" else {"precision": self.precision})

    def features(
        self, inputs: Sequence[Any], location: Location, device: str, progress: Callable[[int, int], None]
    ) -> Features:
        """Pooled hidden states `[n, d]` of `inputs`, texts or pictures. A text without any token gets zeros.

        Raises UsageError on a layer or length the model lacks or a checkpoint that is not a text model, OutgrowError on
        weights that cannot be loaded or give values that are not numbers.
        """
        if len(inputs) and isinstance(inputs[0], Image):
            how = (self.layer, self.pooling, device, self.precision)
            return picture_features(inputs, location, *how, progress)
        return self.reader(location, device)(inputs, progress)

    def reader(self, location: Location, device: str) -> Reader:
        """`features` of a model that is loaded once."""
        import torch

        opened = self.open(location)
        opened.model.to(device, torch.bfloat16 if self.precision == "bf16" else torch.float32)
        return lambda inputs, progress: _read(opened, inputs, device, progress)

    def open(self, location: Location) -> Opened:
        """Tokenizer and model, on the CPU, and how they are to be read. Raises as `features` does."""
        where, folder = f"probe:{location.name}", folder_of(location)
        if self.pooling == "cls":
            raise UsageError(f"{where}: pooling is `mean` or `last` for texts: `cls` is of pictures")
        with told(where, folder):
            config = read_config(folder)
            causal = is_causal(config, where)
            tokenizer = read_tokenizer(folder)
            # A pooler is not read here.
            model = read_weights(where, folder, "AutoModel", config, lambda model, name: "pooler" in name).eval()
        layers = model.config.get_text_config().num_hidden_layers
        if isinstance(self.layer, int) and (problems := _layer_problems(self.layer, layers, location)):
            raise UsageError(*problems)
        # By default, of encoders the mean of the last layer. Of causal models the last token, the only one that has read
        # the whole text, of the middle layer: the upper ones turn towards the next word. SmolLM2-135M on SST-2, 2,000
        # examples, accuracy of a head on truth: last token of layer 15 of 30 .852, of the last .798; mean of layer 15 .523
        # (a few huge dimensions), of the last .759.
        usual_layer, usual_pooling = (layers // 2, "last") if causal else (layers, "mean")
        layer = (
            self.layer if self.layer == "all" else (usual_layer if self.layer is None else self.layer) % (layers + 1)
        )
        limit = limited(tokenizer, positions(model), self.max_length, where)
        return Opened(tokenizer, model, layer, self.pooling or usual_pooling, limit, location.name)


@dataclass(frozen=True)
class Opened:
    """A loaded model and what a probe reads of it."""

    tokenizer: Any
    model: Any
    layer: int | Literal["all"]  # index into the hidden states, 0 the embeddings; or the mean of all
    pooling: str
    limit: int  # tokens read of a text
    name: str


def _read(opened: Opened, inputs: Sequence[str], device: str, progress: Callable[[int, int], None]) -> Features:
    """One pass over the texts. See `Probe.features`."""
    tokens = tokenize(opened.tokenizer, inputs, opened.limit)
    check_ids(int(tokens.ids.max(initial=0)), opened.model, f"probe:{opened.name}")
    on_gpu = device.startswith("cuda")
    budget, slack = (ON_GPU["budget"], ON_GPU["slack"]) if on_gpu else (TOKENS, SLACK)
    values, padded = with_memory_for(
        lambda budget: _features(opened, tokens, device, budget, slack, progress),
        budget,
        f"probe:{opened.name}",
        "give a smaller `max_length`, or `precision: bf16`",
    )
    broken = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(broken):
        raise OutgrowError(
            f"probe:{opened.name}: {len(broken)} of {len(inputs)} texts get values that are not numbers, "
            f"the first is text {broken[0] + 1}: its weights are broken, or its activations overflow"
        )
    read = len(tokens.ids)
    return Features(values, tokens.truncated, read, (padded - read) / max(read, 1))


def _features(
    opened: Opened, tokens: Tokens, device: str, budget: int, slack: int, progress: Callable[[int, int], None]
) -> tuple[NDArray[np.float32], int]:
    """Pooled states `[n, d]` of all texts, and how many padded tokens were read for them."""
    import torch

    model, n = opened.model, len(tokens.offsets) - 1
    values = np.zeros((n, model.config.get_text_config().hidden_size), dtype=np.float32)
    texts = PaddedOn(tokens, np.arange(n), _filler(opened.tokenizer, model.config), device)
    done, padded = int((tokens.lengths == 0).sum()), 0
    waiting: deque[tuple[Ints, torch.Tensor, Any]] = deque()  # on their way from the GPU, while it computes others

    def arrived() -> None:
        rows, found, event = waiting.popleft()
        if event is not None:
            event.synchronize()
        values[rows] = found.numpy()

    for rows in batches(tokens.lengths, budget, slack):
        ids, mask = texts.batch(rows)
        with torch.inference_mode():
            found = pooled(_states(model, ids, mask, opened.layer).float(), mask, opened.pooling)
        waiting.append((rows, *_on_its_way(found)))
        if len(waiting) > AHEAD or device == "cpu":
            arrived()
        padded += mask.numel()
        done += len(rows)
        progress(done, n)
    while waiting:
        arrived()
    return values, padded


def _on_its_way(values: torch.Tensor) -> tuple[torch.Tensor, Any]:
    """Values in the host's memory once the event has come; None: they are there."""
    import torch

    if values.device.type != "cuda":
        return values.cpu(), None
    there = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    there.copy_(values, non_blocking=True)
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return there, event


class _EnoughError(Exception):
    """Ends a forward pass where the layer asked for has been reached."""


def _states(model: Any, tokens: torch.Tensor, mask: torch.Tensor, layer: int | Literal["all"]) -> torch.Tensor:
    """Hidden states `[batch, longest, d]` of layer 0 (the embeddings) to the last. What lies above is not computed."""
    if layer == "all":
        return _mean_of_layers(model, tokens, mask)
    if layer == model.config.get_text_config().num_hidden_layers:
        states: torch.Tensor = model(input_ids=tokens, attention_mask=mask).last_hidden_state
        return states
    if (own := blocks(model)) is None:
        chosen: torch.Tensor = model(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states[
            layer
        ]
        return chosen
    reached: list[torch.Tensor] = []

    def stop(block: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
        reached.append(positional[0] if positional else named["hidden_states"])
        raise _EnoughError

    hook = own[layer].register_forward_pre_hook(stop, with_kwargs=True)
    try:
        model(input_ids=tokens, attention_mask=mask)
    except _EnoughError:
        pass
    finally:
        hook.remove()
    return reached[0]


def _filler(tokenizer: Any, config: Any) -> int:
    """The id to pad with. Any will do, the mask hides it; RoBERTa's family takes positions from the config's."""
    for token in (getattr(config, "pad_token_id", None), tokenizer.pad_token_id):
        if isinstance(token, int) and token >= 0:
            return token
    return 0


def _mean_of_layers(model: Any, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean of the hidden states `[batch, longest, d]` over embeddings and all layers, in float32."""
    if (own := blocks(model)) is None:
        states = model(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states
        return sum(one.float() for one in states) / len(states)  # type: ignore[no-any-return]
    total: list[torch.Tensor] = []  # one sum, so that the layers' states need not be kept

    def add(block: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
        states = (positional[0] if positional else named["hidden_states"]).float()
        total[:] = [total[0] + states if total else states.clone()]

    hooks = [block.register_forward_pre_hook(add, with_kwargs=True) for block in own]
    try:
        last = model(input_ids=tokens, attention_mask=mask).last_hidden_state
    finally:
        for hook in hooks:
            hook.remove()
    found: torch.Tensor = (total[0] + last.float()) / (len(own) + 1)
    return found


def _layer_problems(layer: int, layers: int, location: Location) -> list[str]:
    if -layers - 1 <= layer <= layers:
        return []
    sentence = (
        f"probe:{location.name}: there is no layer {layer}: the model has {layers} layers, so give 0 (the embeddings) "
        f"to {layers}, or -1 (the last) to {-layers - 1}"
    )
    return [sentence]


def _layers(folder: Path, layer: int | Literal["all"], layers: int, width: int) -> tuple[str, str, dict[str, Any]]:
    """The module for a layer that is not the last: a mean over the layers from there on, all its weight on the first.

    For all layers a plain mean.
    """
    from safetensors.numpy import save_file

    name = "WeightedLayerPooling"
    (folder / f"1_{name}").mkdir()
    start = 0 if layer == "all" else layer
    weights = np.zeros(layers + 1 - start, np.float32)
    weights[: None if layer == "all" else 1] = 1
    save_file({"layer_weights": weights}, folder / f"1_{name}" / "model.safetensors")
    config = {"word_embedding_dimension": width, "layer_start": start, "num_hidden_layers": layers}
    return f"1_{name}", name, config
