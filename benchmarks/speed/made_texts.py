"""Texts for measurements: real words of a tokenizer, in lengths as reviews' sentences have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def words_of(folder: Path) -> list[str]:
    """Whole words of a checkpoint's tokenizer."""
    from transformers import AutoTokenizer

    return sorted(
        word for word in AutoTokenizer.from_pretrained(folder).get_vocab() if word.isalpha() and len(word) > 2
    )


def sentences(count: int, words: Sequence[str], longest: int = 60) -> list[str]:
    """`count` texts of 5 to `longest` words, 20 in the middle; the same each time."""
    draw = np.random.default_rng(0)
    lengths = np.clip(draw.lognormal(math.log(20), 0.6, count), 5, longest).astype(int)
    return [" ".join(draw.choice(words, length)) for length in lengths]
