"""Texts as token ids: made once for a tokenizer and a pool, and read by every training and prediction on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core import Ints, OutgrowError, UsageError
from outgrow.models.contract import Location
from outgrow.models.probe import LONGEST, _positions, _reason, _tokenize
from outgrow.models.weights import folder_of, quiet


@dataclass(frozen=True)
class Tokens:
    """The ids of n texts, one after the other: text i is `ids[offsets[i]:offsets[i + 1]]`, offsets `[n + 1]`."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    truncated: int  # texts longer than the limit
    limit: int  # tokens read of a text

    @property
    def lengths(self) -> Ints:
        """Tokens of each text, `[n]`."""
        return np.diff(self.offsets)

    def save(self, folder: Path) -> None:
        """Write `ids.npy`, `offsets.npy` and `facts.json`."""
        np.save(folder / "ids.npy", self.ids)
        np.save(folder / "offsets.npy", self.offsets)
        facts = {"truncated": self.truncated, "limit": self.limit, "tokens": len(self.ids)}
        (folder / "facts.json").write_text(json.dumps(facts))

    @classmethod
    def load(cls, folder: Path) -> Tokens:
        """Read what `save` wrote; the ids stay on the disk until they are asked for."""
        facts = json.loads((folder / "facts.json").read_text())
        ids = np.load(folder / "ids.npy", mmap_mode="r")
        return cls(ids, np.load(folder / "offsets.npy"), facts["truncated"], facts["limit"])

    def padded(self, rows: Ints, filler: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids and attention mask `[rows, longest]`, padded on the right. A text without tokens is read as one filler."""
        lengths = np.maximum(self.lengths[rows], 1)
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        tokens = np.full(mask.shape, filler, dtype=np.int64)
        for place, row in enumerate(rows.tolist()):
            start, stop = self.offsets[row], self.offsets[row + 1]
            tokens[place, : stop - start] = self.ids[start:stop]
        return tokens, mask


def read_texts(location: Location, inputs: Sequence[str], *, max_length: int | None, chat_template: bool) -> Tokens:
    """Tokens of `inputs` by a checkpoint's tokenizer, at most `max_length` (None: the model's limit, at most 512).

    Raises UsageError on a length that the model cannot read or a template that it lacks, OutgrowError on a checkpoint
    that cannot be loaded.
    """
    where = f"finetune:{location.name}"
    with quiet():
        tokenizer, positions = _reader(location, where)
        return tokens_of(tokenizer, inputs, positions, where, max_length=max_length, chat_template=chat_template)


def tokens_of(
    tokenizer: Any,
    inputs: Sequence[str],
    positions: int | None,
    where: str,
    *,
    max_length: int | None,
    chat_template: bool,
) -> Tokens:
    """`read_texts` with a tokenizer at hand, for a model of `positions` positions."""
    limit = _limit(tokenizer, positions, max_length, where)
    if chat_template:
        rows, truncated = _templated(tokenizer, inputs, limit, where)
    else:
        rows, truncated = _tokenize(tokenizer, inputs, limit)
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]).astype(np.int64)
    ids = np.fromiter((token for row in rows for token in row), dtype=np.int32, count=int(offsets[-1]))
    return Tokens(ids, offsets, truncated, limit)


def _reader(location: Location, where: str) -> tuple[Any, int | None]:
    """A checkpoint's tokenizer, and how many positions its model has; the weights are not read."""
    folder = folder_of(location)
    try:
        import torch
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        tokenizer.truncation_side = "right"
        with torch.device("meta"):
            model = AutoModel.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
            return tokenizer, _positions(model)
    except Exception as error:
        raise OutgrowError(_reason(where, folder, error)) from error


def _limit(tokenizer: Any, positions: int | None, asked: int | None, where: str) -> int:
    limit = min(length for length in (tokenizer.model_max_length, positions) if length)
    if asked is not None and asked > limit:
        raise UsageError(
            f"{where}: max_length {asked} is more than the {limit} tokens the model can read: give at most {limit}"
        )
    special = tokenizer.num_special_tokens_to_add()
    if asked is not None and asked <= special:
        raise UsageError(
            f"{where}: max_length {asked} leaves no room for a text beside the model's {special} special tokens: "
            "give more"
        )
    return asked or int(min(limit, LONGEST))


def _templated(tokenizer: Any, inputs: Sequence[str], limit: int, where: str) -> tuple[list[list[int]], int]:
    """Ids of each text as a user's message with the answer about to begin; the text is cut, never the template."""
    if not tokenizer.chat_template:
        raise UsageError(f"{where}: `chat_template` is asked for, and its tokenizer has none: leave the option out")

    def ids(text: str) -> list[int]:
        chat = [{"role": "user", "content": text}]
        whole = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        found: list[int] = tokenizer(whole, add_special_tokens=False, verbose=False)["input_ids"]
        return found

    if len(ids("")) >= limit:
        raise UsageError(f"{where}: max_length {limit} leaves no room for a text in the chat template: give more")
    rows, truncated = [], 0
    for text in inputs:
        row = ids(text)
        truncated += len(row) > limit
        while len(row) > limit:
            words = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
            text = tokenizer.decode(words[: max(0, min(len(words) - (len(row) - limit), len(words) - 1))])
            row = ids(text)
        rows.append(row)
    return rows, truncated
