"""`static`: the mean of a text's token embeddings, looked up in a table. No context, no torch, and fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.models.checkpoints.headers import headers
from outgrow.models.checkpoints.weight_files import folder_of, static_files
from outgrow.models.contract import SENTENCE_TRANSFORMERS, FeatureModel, Features, Location, Module, Reader, Saved

if TYPE_CHECKING:
    from tokenizers import Tokenizer


TABLE = "0_StaticEmbedding"
CHUNK = 256  # texts at once: bounds the memory for their tokens' vectors


class Static(FeatureModel):
    """Static token embeddings with their tokenizer, as in wordllama's package or model2vec's folders."""

    form = "table"
    saved = Saved("A linear head on the mean of static token embeddings", *SENTENCE_TRANSFORMERS)

    def write_body(self, folder: Path, location: Location) -> tuple[list[Module], dict[str, Any]]:
        """The table and its tokenizer."""
        from safetensors.numpy import save_file

        tokenizer, table = load(location)
        (folder / TABLE).mkdir()
        save_file({"embedding.weight": np.ascontiguousarray(table)}, folder / TABLE / "model.safetensors")
        tokenizer.save(str(folder / TABLE / "tokenizer.json"))
        return [(TABLE, "StaticEmbedding", None)], {}

    @classmethod
    def open_body(cls, folder: Path, options: Mapping[str, Any]) -> tuple[FeatureModel, Location]:
        """The table in its own folder."""
        location = Location(str(folder), str(folder / TABLE), None, None, "", 0)
        return cls(checkpoint=str(folder), **options), location

    def features(
        self, inputs: Sequence[str], location: Location, device: str, progress: Callable[[int, int], None]
    ) -> Features:
        """Mean embeddings `[n, d]` of `inputs`, without special tokens; a text without any token gets zeros.

        Always on the CPU. Raises OutgrowError on a table or tokenizer that cannot be read or do not fit each other.
        """
        return self.reader(location, device)(inputs, progress)

    def reader(self, location: Location, device: str) -> Reader:
        """`features` of a table and a tokenizer that are read once."""
        tokenizer, table = load(location)

        def read(inputs: Sequence[str], progress: Callable[[int, int], None]) -> Features:
            values = np.zeros((len(inputs), table.shape[1]), dtype=np.float32)
            tokens = 0
            for start in range(0, len(inputs), CHUNK):
                texts = list(inputs[start : start + CHUNK])
                encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
                lengths = np.array([len(one) for one in encoded])
                filled = np.flatnonzero(lengths)
                if len(filled):
                    ids = np.concatenate([one.ids for one in encoded if len(one)])
                    starts = np.cumsum(lengths[filled]) - lengths[filled]
                    sums = np.add.reduceat(table[ids], starts, axis=0, dtype=np.float32)
                    values[start + filled] = sums / lengths[filled, None].astype(np.float32)
                tokens += int(lengths.sum())
                progress(start + len(texts), len(inputs))
            return Features(values, truncated=0, tokens=tokens, padding=0.0)

        return read


def load(location: Location) -> tuple[Tokenizer, NDArray[np.float32]]:
    """The tokenizer, which neither cuts nor pads, and the embeddings `[vocab, d]`. Raises OutgrowError."""
    from tokenizers import Tokenizer

    table_file, tokenizer_file = static_files(folder_of(location))
    try:
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
    except Exception as error:  # tokenizers raises plain Exception
        raise OutgrowError(
            f"{tokenizer_file}: is not a tokenizers file ({error}): copy the checkpoint again"
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    table = _table(table_file)
    if tokenizer.get_vocab_size() > len(table):
        raise OutgrowError(
            f"{table_file}: the table has {len(table)} rows, the tokenizer beside it {tokenizer.get_vocab_size()} "
            "tokens: they are of different checkpoints"
        )
    return tokenizer, table


def _table(path: Path) -> NDArray[np.float32]:
    """The embeddings `[vocab, d]` of a safetensors file.

    model2vec's newer files keep fewer vectors than tokens: `mapping [vocab]` says whose is whose, `weights [vocab]` how
    much each token counts.
    """
    from safetensors.numpy import load_file

    shapes = {name: tensor["shape"] for name, tensor in headers(path).items()}
    tables = [name for name, shape in shapes.items() if len(shape) == 2]
    if len(tables) != 1:
        raise OutgrowError(f"{path}: static embeddings are one table [vocab, d], the file has {len(tables)} of them")
    try:
        tensors = load_file(path)
        table = tensors[tables[0]].astype(np.float32)
    except Exception as error:  # safetensors' own errors, and types that numpy lacks
        raise OutgrowError(
            f"{path}: cannot be read ({type(error).__name__}: {error}): save the table as float32"
        ) from error
    if "mapping" in tensors:
        places = tensors["mapping"]
        if places.ndim != 1 or places.dtype.kind not in "iu" or (places < 0).any() or (places >= len(table)).any():
            raise OutgrowError(f"{path}: `mapping` names rows that the table does not have: copy the checkpoint again")
        table = table[places]
    if "weights" in tensors:
        if tensors["weights"].shape != (len(table),):
            raise OutgrowError(f"{path}: `weights` has not one number per token: copy the checkpoint again")
        table = table * tensors["weights"].astype(np.float32)[:, None]
    if not table.size:
        raise OutgrowError(f"{path}: the table is empty: copy the checkpoint again")
    if not np.isfinite(table).all():
        raise OutgrowError(f"{path}: the table holds values that are not finite numbers: copy the checkpoint again")
    return table
