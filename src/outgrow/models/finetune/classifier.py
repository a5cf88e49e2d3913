"""A pretrained model with a head for the classes: loaded, trained in part or whole, applied, and saved for others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core import group
from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import Ints
from outgrow.models.checkpoints.device import with_memory_for
from outgrow.models.checkpoints.loading import blocks, is_causal, quiet_load, read_config, read_tokenizer, read_weights
from outgrow.models.checkpoints.pooling import pooled
from outgrow.models.checkpoints.tokens import Readable, batches
from outgrow.models.checkpoints.weight_files import folder_of, quiet
from outgrow.models.contract import Location
from outgrow.models.finetune.adapters import body_name
from outgrow.models.finetune.options import Finetune
from outgrow.models.vision.pictures import open_module

if TYPE_CHECKING:
    import torch
    from torch import Tensor


# Families whose last block adds the output of a module of this name to each position, and mixes positions only before.
FEED_FORWARD = {
    "mlp": {"gpt2", "gpt_neo", "gpt_neox", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3"},
    "intermediate": {"bert", "camembert", "electra", "mpnet", "roberta", "xlm-roberta"},
}
PADDING = "<|pad|>"  # where a tokenizer has no such token of its own
PREDICTED = 8192  # padded tokens a batch where nothing is learned, so that no activations are kept


@dataclass(frozen=True)
class Loaded:
    """A model ready to learn or to be asked: `module(ids, mask)` -> logits `[batch, classes]`."""

    module: Any  # a Classifier, or of pictures `module(pixels)`
    tokenizer: Any  # of pictures their processor
    filler: int  # the id to pad with; the mask alone says which tokens are real
    pictures: bool = False


def load(
    location: Location,
    options: Finetune,
    classes: Sequence[str],
    *,
    fresh_head: bool = True,
    pictures: bool = False,
) -> Loaded:
    """The checkpoint in float32, from safetensors only, on the CPU, with dropout as its config says.

    `classes` of one name are one score, as of candidates. A new head is drawn from torch's global generator: seed it
    before. Raises OutgrowError on weights that cannot be loaded or do not fit, UsageError on a checkpoint that is not a
    text model.
    """
    where, folder = f"finetune:{location.name}", folder_of(location)
    if pictures:
        read, processor = open_module(location, classes, fresh_head=fresh_head)
        _checkpointed(read.model, options, where)
        return Loaded(read, processor, 0, pictures=True)
    with quiet_load(where, folder):
        config = read_config(folder)
        causal = _is_causal(config, where)
        if fresh_head:
            config.id2label = dict(enumerate(classes))
            config.label2id = {name: number for number, name in enumerate(classes)}
            config.num_labels = len(classes)
            config.problem_type = "single_label_classification" if len(classes) > 1 else "regression"
        tokenizer = read_tokenizer(folder)
        model = read_weights(
            where,
            folder,
            "AutoModelForSequenceClassification",
            config,
            lambda model, name: fresh_head and not in_body(model, name),
            ignore_mismatched_sizes=fresh_head,
        )
    if fresh_head:
        _draw_head(model)
    filler = _give_filler(tokenizer, model)
    if causal and not hasattr(model, "score"):
        raise UsageError(
            f"{where}: transformers has no head for a {config.model_type!r} model that reads its last token"
        )
    if causal and options.pooling == "mean":
        raise UsageError(
            f"{where}: `pooling: mean` is for encoders: in a causal model only the last token has read the whole text"
        )
    pooling = "last" if causal else options.pooling
    module = classifier_class()(model, pooling)
    _checkpointed(model, options, where)
    return Loaded(module, tokenizer, filler)


def _checkpointed(model: Any, options: Finetune, where: str) -> None:
    """Have the model compute activations twice where that is asked for. Raises UsageError where it cannot."""
    if options.checkpointing:
        if not model.supports_gradient_checkpointing:
            raise UsageError(
                f"{where}: transformers cannot checkpoint a {model.config.model_type!r} model: leave the option out"
            )
        model.activation_checkpointing_enable()


@cache
def classifier_class() -> Any:
    """The module's class, made where torch is needed first."""
    import torch
    from torch import nn

    class Classifier(nn.Module):
        """transformers' sequence classifier, whose head reads one position of each text, found by the attention mask.

        own: an encoder's head as transformers applies it, on the first token. last: a causal model's, on the last real
        token; transformers itself looks for the last id that is not the padding's, and computes all positions' scores.
        mean: a linear layer on the mean of the real tokens' last states.
        """

        def __init__(self, model: Any, pooling: str) -> None:
            super().__init__()
            self.model, self.pooling = model, pooling
            self.config = model.config
            self.position: Any = None  # of each text's token that the head reads, `[batch]`
            if pooling != "mean" and (feed_forward := _last_feed_forward(model)) is not None:
                feed_forward.register_forward_pre_hook(self.one_position)
            if pooling == "mean":
                text = model.config.get_text_config()
                self.head = nn.Linear(text.hidden_size, model.config.num_labels)
                nn.init.normal_(self.head.weight, std=getattr(text, "initializer_range", 0.02))
                nn.init.zeros_(self.head.bias)
                self.dropout = nn.Dropout(getattr(text, "hidden_dropout_prob", 0.1))

        def one_position(self, feed_forward: Any, positional: tuple[Any, ...]) -> tuple[Any, ...]:
            """Two thirds of the last block's work is for positions that nobody reads: let it see the one that is.

            Its output is added to all positions by broadcasting, and is right at that one.
            """
            states, *others = positional
            rows = torch.arange(len(states), device=states.device)
            return (states[rows, self.position].unsqueeze(1), *others)

        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            lengths = mask.sum(dim=1)
            self.position = lengths - 1 if self.pooling == "last" else torch.zeros_like(lengths)
            if self.pooling == "own":
                own: Tensor = self.model(input_ids=ids, attention_mask=mask).logits
                return own
            states = self.model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
            read = pooled(states, mask, self.pooling)
            logits: Tensor = self.model.score(read) if self.pooling == "last" else self.head(self.dropout(read))
            return logits

    return Classifier


def _last_feed_forward(model: Any) -> Any:
    """The module in the last block that works on each position alone, or None where the family is not known."""
    own = blocks(model.base_model)
    names = [name for name, families in FEED_FORWARD.items() if model.config.model_type in families]
    return getattr(own[-1], names[0], None) if names and own is not None else None


def _is_causal(config: Any, where: str) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

    causal = is_causal(config, where)
    if config.model_type not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        raise UsageError(f"{where}: transformers has no sequence classifier for a {config.model_type!r} model")
    return causal


def in_body(model: Any, name: str) -> bool:
    """Whether a weight is of the pretrained body; a pooler is a part of the head."""
    return name.startswith(f"{body_name(model)}.") and "pooler" not in name


def _draw_head(model: Any) -> None:
    """New layers above the body, even where the checkpoint has some: they were learned for other classes."""
    from torch import nn

    deviation = getattr(model.config.get_text_config(), "initializer_range", 0.02)
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear) and not name.startswith(f"{model.base_model_prefix}."):
            nn.init.normal_(layer.weight, std=deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _give_filler(tokenizer: Any, model: Any) -> int:
    """See that tokenizer and config name one padding token; where there is none, a new one that no text can hold."""
    config = model.config.get_text_config()
    if tokenizer.pad_token_id is None:
        known = getattr(config, "pad_token_id", None)
        word = None if known is None or known < 0 else tokenizer.convert_ids_to_tokens(known)
        if word is not None:
            tokenizer.pad_token = word
        else:
            tokenizer.add_special_tokens({"pad_token": PADDING})
    tokenizer.padding_side = "right"
    return _agree_on_padding(tokenizer, model)


def _agree_on_padding(tokenizer: Any, model: Any) -> int:
    """Have the config name the tokenizer's padding token, by which transformers' own classifiers find a last token."""
    filler = int(tokenizer.pad_token_id)
    model.config.get_text_config().pad_token_id = model.config.pad_token_id = filler
    if filler >= model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(filler + 1, mean_resizing=False)
    return filler


def _part_padding_from_text(tokenizer: Any, model: Any) -> None:
    """Give a model that reads a text's last token a padding token of its own, where it pads with one that ends texts.

    transformers' classifiers take the last token that is not padding for a text's last one: of a text that ends in the
    padding token, they would read another. Here the mask says which tokens are real, so nothing that was learned changes.
    """
    import torch

    if tokenizer.pad_token_id in (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.unk_token_id):
        tokenizer.add_special_tokens({"pad_token": PADDING})
        with torch.random.fork_rng(devices=[]):
            _agree_on_padding(tokenizer, model)


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Dropout off and no gradients, and back as it was."""
    import torch

    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train(training)


def computed(device: torch.device, options: Finetune) -> Any:
    """The context a forward pass runs in: bf16 autocast where that is asked for, on any device."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bf16")


def predict(
    loaded: Loaded,
    tokens: Readable,
    rows: Ints,
    options: Finetune,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    scores: bool = False,
) -> NDArray[np.float32]:
    """Probabilities `[rows, classes]` of the texts at `rows`, or `scores`: logits, in batches of like length.

    Raises OutgrowError on NaN.
    """
    import torch

    module = loaded.module
    device = next(module.parameters()).device
    lengths = np.maximum(tokens.lengths[rows], 1)

    def look(budget: int) -> NDArray[np.float32]:
        done = 0
        waiting = []
        parts = list(batches(lengths, budget))
        rank, processes = group.rank(), group.size()
        for place in range(rank, -(-len(parts) // processes) * processes, processes):
            places = parts[place] if place < len(parts) else parts[-1][:1]  # each process makes as many passes
            logits = tokens.logits(module, rows[places], loaded.filler, device)
            if place < len(parts):
                waiting.append((places, logits.float() if scores else logits.float().softmax(dim=-1)))
            done += len(places)
            progress(min(processes * done, len(rows)), len(rows))
        found = np.zeros((len(rows), tokens.width(module.config.num_labels)), dtype=np.float32)
        for places, values in waiting:
            found[places] = values.cpu().numpy()
        if processes == 1:
            return found
        shared: NDArray[np.float32] = group.summed(torch.from_numpy(found).to(device)).cpu().numpy()
        return shared

    with evaluating(module), computed(device, options):
        advice = "give a smaller `max_length`, or `precision: bf16`"
        found = with_memory_for(look, PREDICTED, f"finetune:{options.checkpoint}", advice)
    if not np.isfinite(found).all():
        raise OutgrowError(
            "the finetuned model gives probabilities that are not numbers: its training has diverged: give a smaller lr"
        )
    return found


def save(loaded: Loaded, folder: Path, facts: dict[str, Any]) -> None:
    """Weights (safetensors), config and tokenizer, as transformers' pipeline loads them, with our `outgrow.json`.

    Adapters are merged into the weights: the folder needs no peft. Raises UsageError on a head that the pipeline lacks.
    """
    module = loaded.module
    if module.pooling == "mean":
        raise UsageError("a student with `pooling: mean` cannot be kept: transformers' pipeline has no head on a mean")
    module.float()  # or adapters would be merged into weights of three digits
    for adapters in getattr(module, "adapters", []):
        module.model = adapters.merge_and_unload()
    module.adapters = []
    if module.pooling == "last":
        _part_padding_from_text(loaded.tokenizer, module.model)
    with quiet():
        module.model.save_pretrained(folder)
        loaded.tokenizer.save_pretrained(folder)
    (folder / "outgrow.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
