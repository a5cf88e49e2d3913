"""One pass of a frozen transformer over texts: hidden states of a layer, pooled to a vector a text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Ints
from outgrow.models.checkpoints.device import with_memory_for
from outgrow.models.checkpoints.loading import blocks
from outgrow.models.checkpoints.pooling import pooled
from outgrow.models.checkpoints.tokens import ON_GPU, SLACK, TOKENS, PaddedOn, Tokens, batches, check_ids, tokenize
from outgrow.models.contract import Features

if TYPE_CHECKING:
    import torch

AHEAD = 4  # batches that a GPU may be given before the first one's features are fetched


@dataclass(frozen=True)
class Opened:
    """A loaded model and what a probe reads of it."""

    tokenizer: Any
    model: Any
    layer: int | Literal["all"]  # index into the hidden states, 0 the embeddings; or the mean of all
    pooling: str
    limit: int  # tokens read of a text
    name: str


def read_states(opened: Opened, inputs: Sequence[str], device: str, progress: Callable[[int, int], None]) -> Features:
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
