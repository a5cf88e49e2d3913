"""Texts as token ids: made once for a tokenizer and a pool, and read by every training and prediction on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from outgrow.core.answers import OUT
from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import Ints
from outgrow.models.checkpoints.device import put
from outgrow.models.checkpoints.loading import positions, quiet_load, read_config, read_tokenizer
from outgrow.models.checkpoints.weight_files import folder_of
from outgrow.models.contract import Location

if TYPE_CHECKING:
    from torch import Tensor

TOKENS = 4096  # padded tokens a batch: enough to fill a CPU's caches, small enough that activations stay modest
SLACK = 20  # a batch may be padded by less than one token per SLACK real ones: under 5%
ON_GPU = {"budget": 65_536, "slack": 4}  # there a batch's own cost counts for more than its padding
LONGEST = 512  # tokens read of a text unless asked for more: attention grows with the square


@dataclass(frozen=True)
class Tokens:
    """The ids of n texts, one after the other: text i is `ids[offsets[i]:offsets[i + 1]]`, offsets `[n + 1]`."""

    pictures: ClassVar[bool] = False

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    truncated: int  # texts longer than the limit
    limit: int  # tokens read of a text

    @property
    def lengths(self) -> Ints:
        """Tokens of each text, `[n]`."""
        return np.diff(self.offsets)

    def logits(self, module: Any, rows: Ints, filler: int, device: Any) -> Any:
        """What `module(ids, mask)` gives for the texts at `rows`: `[rows, classes]`."""
        place = str(device), filler
        if place not in self._on_devices:
            self._on_devices[place] = PaddedOn(self, np.arange(len(self.offsets) - 1), filler, device)
        return module(*self._on_devices[place].batch(rows))

    @cached_property
    def _on_devices(self) -> dict[tuple[str, int], PaddedOn]:
        return {}  # the texts on each device that has read them, padded by which id

    def width(self, outputs: int) -> int:
        """The classes of a row, of a module with that many outputs."""
        return outputs

    def at_step(self, seed: int, step: int) -> Tokens:
        """Themselves."""
        return self

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


@dataclass(frozen=True)
class Candidates:
    """The texts of n choices: row i's candidates are the texts at `places[i]`, -1 where it has fewer than k."""

    pictures: ClassVar[bool] = False

    texts: Tokens
    places: Ints  # [n, k]

    @property
    def limit(self) -> int:
        """Tokens read of a text."""
        return self.texts.limit

    @property
    def lengths(self) -> Ints:
        """Padded tokens of each row's candidates together, `[n]`."""
        longest = np.where(self.places < 0, 0, self.texts.lengths[self.places]).max(axis=1)
        return np.asarray(np.maximum(longest, 1) * (self.places >= 0).sum(axis=1))

    def logits(self, module: Any, rows: Ints, filler: int, device: Any) -> Any:
        """Each candidate's one output, `[rows, k]`; all candidates of a row are in one pass."""
        import torch

        places = self.places[rows]
        there = places >= 0
        scores = self.texts.logits(module, places[there], filler, device)[:, 0]
        absent = torch.full(places.shape, OUT, dtype=scores.dtype, device=scores.device)
        return absent.masked_scatter(put(there, scores.device), scores)

    def width(self, outputs: int) -> int:
        """k."""
        return int(self.places.shape[1])

    def at_step(self, seed: int, step: int) -> Candidates:
        """Themselves."""
        return self


class Readable(Protocol):
    """What a finetuned model reads: texts, candidates of choices, or pictures."""

    pictures: ClassVar[bool]  # whether the model is one of pictures

    @property
    def limit(self) -> int:
        """The most tokens that are read of one."""

    @property
    def lengths(self) -> Ints:
        """What each costs, in tokens, `[n]`."""

    def logits(self, module: Any, rows: Ints, filler: int, device: Any) -> Any:
        """What the module gives for those at `rows`: `[rows, classes]`."""

    def width(self, outputs: int) -> int:
        """The classes of a row, of a module with that many outputs."""

    def at_step(self, seed: int, step: int) -> Readable:
        """As they are seen in a step of a training: the bits are a matter of seed, step and row alone."""


class PaddedOn:
    """Padded batches of some texts on a device. On a GPU their tokens lie there, and batches are put together there."""

    def __init__(self, tokens: Tokens, rows: Ints, filler: int, device: Any) -> None:
        """rows: the texts `[n]` that batches are made of."""
        import torch

        self.tokens, self.rows, self.filler, self.device = tokens, rows, filler, torch.device(device)
        self.lengths = tokens.lengths[rows]
        if self.device.type != "cpu":
            starts = np.cumsum(self.lengths) - self.lengths
            places = np.arange(int(self.lengths.sum())) + np.repeat(tokens.offsets[rows] - starts, self.lengths)
            self.ids = torch.from_numpy(np.append(tokens.ids[places], filler)).to(self.device)
            self.starts, self.sizes = (torch.from_numpy(part).to(self.device) for part in (starts, self.lengths))

    def batch(self, places: Ints) -> tuple[Tensor, Tensor]:
        """Ids and attention mask `[batch, longest]`, int64, of the texts at `rows[places]`; see `Tokens.padded`."""
        import torch

        if self.device.type == "cpu":
            ids, mask = self.tokens.padded(self.rows[places], self.filler)
            return torch.from_numpy(ids), torch.from_numpy(mask)
        there = put(places, self.device)
        columns = torch.arange(max(1, int(self.lengths[places].max())), device=self.device)
        sizes = self.sizes[there].unsqueeze(1)
        found = self.ids[(self.starts[there].unsqueeze(1) + columns).clamp_max(len(self.ids) - 1)]
        return found.long().masked_fill(columns >= sizes, self.filler), (columns < sizes.clamp_min(1)).long()


def batches(lengths: Ints, budget: int = TOKENS, slack: int = SLACK) -> Iterator[Ints]:
    """Rows `[batch]` of like length, longest first, every row with any token once.

    A batch holds at most `budget` padded tokens (or one row) and less padding than 1/slack of its real tokens. Longest
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
            if stop > start and (padded > budget or (padded - with_next) * slack >= with_next):
                break
            real, stop = with_next, stop + 1
        yield order[start:stop]
        start = stop


def read_texts(location: Location, inputs: Sequence[str], *, max_length: int | None, chat_template: bool) -> Tokens:
    """Tokens of `inputs` by a checkpoint's tokenizer, at most `max_length` (None: the model's limit, at most 512).

    Raises UsageError on a length that the model cannot read or a template that it lacks, OutgrowError on a checkpoint
    that cannot be loaded.
    """
    where, folder = f"finetune:{location.name}", folder_of(location)
    with quiet_load(where, folder):
        import torch
        from transformers import AutoModel

        tokenizer = read_tokenizer(folder)
        with torch.device("meta"):  # its shape alone: the weights are not read
            model = AutoModel.from_config(read_config(folder), trust_remote_code=False)  # type: ignore[no-untyped-call]
        limit = limited(tokenizer, positions(model), max_length, where)
        made = templated(tokenizer, inputs, limit, where) if chat_template else tokenize(tokenizer, inputs, limit)
        check_ids(int(made.ids.max(initial=0)), model, where)
        return made


def check_ids(highest: int, model: Any, where: str) -> None:
    """Raise OutgrowError on a token that the model's table of embeddings does not have."""
    known = model.get_input_embeddings().num_embeddings
    if highest >= known:
        raise OutgrowError(
            f"{where}: its tokenizer gives token {highest}, and the model knows {known}: they are of different "
            "checkpoints: copy the checkpoint again"
        )


def reach_of(tokenizer: Any, reach: int | None, where: str) -> int | float:
    """How many tokens a model with that many positions can read. Raises OutgrowError where its tokenizer's is no number."""
    stated = tokenizer.model_max_length
    whole = isinstance(stated, int | float) and not isinstance(stated, bool) and stated >= 1 and stated == stated // 1
    if not whole:
        raise OutgrowError(
            f"{where}: its tokenizer_config.json says model_max_length {stated!r}, which is not a number of tokens: "
            "correct it or copy the checkpoint again"
        )
    return min(length for length in (stated, reach) if length)


def limited(tokenizer: Any, reach: int | None, asked: int | None, where: str) -> int:
    """How many tokens of a text are read, by a model with that many positions. Raises UsageError where that cannot be."""
    limit = reach_of(tokenizer, reach, where)
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
    if limit <= special:
        raise OutgrowError(
            f"{where}: reads {limit:g} tokens, which leaves no room for a text beside its {special} special ones: correct "
            "model_max_length in its tokenizer_config.json or copy the checkpoint again"
        )
    return asked or int(min(limit, LONGEST))


def tokenize(tokenizer: Any, inputs: Sequence[str], limit: int) -> Tokens:
    """Each text with the model's special tokens, at most `limit` of all."""
    options = {"padding": False, "return_attention_mask": False, "return_token_type_ids": False, "verbose": False}
    ids: list[list[int]] = []
    if len(inputs) and tokenizer.is_fast:
        # The same ids as by the call below, without the offsets and words that it also collects: several times as fast.
        backend = tokenizer.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        ids = [text.ids for text in backend.encode_batch_fast(list(inputs))]
    elif len(inputs):
        ids = tokenizer(list(inputs), truncation=False, **options)["input_ids"]
    long = [row for row, tokens in enumerate(ids) if len(tokens) > limit]
    # Cut by the tokenizer and not by a slice, so that the closing special token stays.
    if long:
        texts = [inputs[row] for row in long]
        cut = tokenizer(texts, truncation=True, max_length=limit, **options)["input_ids"]
        for row, tokens in zip(long, cut, strict=True):
            ids[row] = tokens
    return _joined(ids, len(long), limit)


def _joined(rows: Sequence[Sequence[int]], truncated: int, limit: int) -> Tokens:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]).astype(np.int64)
    ids = np.fromiter((token for row in rows for token in row), dtype=np.int32, count=int(offsets[-1]))
    return Tokens(ids, offsets, truncated, limit)


def templated(tokenizer: Any, inputs: Sequence[str], limit: int, where: str) -> Tokens:
    """Each text as a user's message with the answer about to begin; the text is cut, never the template."""
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
        if len(row) > limit:
            truncated += 1
            row = longest(text, ids, limit)
        rows.append(row)
    return _joined(rows, truncated, limit)


def longest(text: str, ids: Callable[[str], list[int]], limit: int) -> list[int]:
    """The ids of the longest beginning of a text with at most `limit` of them, found by halving; of the empty one at worst.

    Cut between characters: half of one that takes several tokens would be read as another character.
    """
    fits, beyond, found = 0, len(text), ids("")
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        row = ids(text[:middle])
        if len(row) <= limit:
            fits, found = middle, row
        else:
            beyond = middle
    return found
