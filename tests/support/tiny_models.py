"""Tiny models of several families with random weights and their tokenizers, and features read one text at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from outgrow.models.checkpoints.locate import resolve
from outgrow.models.contract import Features

SENTENCE = "the film was a quiet triumph of patience and light though nobody in town cared to see it twice"


WORDS = SENTENCE.split()


TEXTS = [" ".join(WORDS[start : start + length]) for length in (1, 3, 3, 7, 12, 2, 5) for start in (0, 2, 4)]


FAMILIES = ["bert", "mpnet", "gpt2", "llama"]


def quiet(done: int, total: int) -> None:
    pass


def features(model: Any, texts: list[str], folder: Path | str, kind: str = "probe") -> Features:
    found: Features = model.features(texts, resolve(str(folder), kind), "cpu", quiet)
    return found


def train_tokenizer(specials: list[str]) -> Tokenizer:
    """A word tokenizer in which id 0 is a plain word wherever `specials` is empty."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]" if specials else WORDS[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator([SENTENCE], trainers.WordLevelTrainer(special_tokens=specials))
    return tokenizer


NOTHING_DROPPED = {
    "bert": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "gpt2": {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    "llama": {},
}


def steady(family: str, folder: Path) -> Path:
    """A tiny model without dropout, which draws other numbers on another device, and in another process."""
    return make(family, folder, **NOTHING_DROPPED[family])


def make(family: str, folder: Path, **changes: Any) -> Path:
    """A tiny model of a family with random weights, saved with its tokenizer."""
    import torch
    import transformers as hf

    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
    encoder = family in ("bert", "mpnet")
    tokenizer = train_tokenizer(["<s>", "[PAD]", "</s>", "[UNK]", "<mask>"] if encoder else [])
    if encoder:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    config: Any
    match family:
        case "bert":
            config = hf.BertConfig(**size, vocab_size=40, max_position_embeddings=32, pad_token_id=1, **changes)
        case "mpnet":
            config = hf.MPNetConfig(**size, vocab_size=40, max_position_embeddings=34, pad_token_id=1, **changes)
        case "gpt2":
            config = hf.GPT2Config(n_embd=16, n_layer=3, n_head=2, n_positions=32, vocab_size=40, **changes)
        case _:
            sizes = size | {"num_key_value_heads": 1, "vocab_size": 40, "max_position_embeddings": 4096}
            config = hf.LlamaConfig(**(sizes | changes))
    model = hf.AutoModel.from_config(config)
    model.save_pretrained(folder)
    hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **({"pad_token": "[PAD]", "model_max_length": 32} if encoder else {})
    ).save_pretrained(folder)
    return folder


def one_by_one(folder: Path, texts: list[str], pooling: str, layer: int = -1) -> np.ndarray:
    """The reference: each text alone, so nothing is padded or masked."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    for text in texts:
        with torch.no_grad():
            out = model(torch.tensor([tokenizer(text)["input_ids"]]), output_hidden_states=True)
        states = out.hidden_states[layer][0]
        rows.append((states.mean(0) if pooling == "mean" else states[-1]).numpy())
    return np.stack(rows)
