"""Texts a second of the feature pass, against a plain loop of 32 in input order, on real texts.

python benchmarks/features.py texts.jsonl.gz [--checkpoint minilm] [--rows 1000] [--threads 2]
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.weight_files import folder_of
from outgrow.models.contract import Location
from outgrow.models.heads.probe import Probe


def plain(texts: list[str], location: Location) -> tuple[NDArray[np.float32], float]:
    """Mean-pooled features as most scripts make them; padded tokens as a share of the real ones."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = folder_of(location)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    rows, padded, real = [], 0, 0
    for start in range(0, len(texts), 32):
        chunk = texts[start : start + 32]
        batch = tokenizer(
            chunk, padding=True, padding_side="right", truncation=True, max_length=512, return_tensors="pt"
        )
        with torch.no_grad():
            states = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        rows.append(((states * mask).sum(1) / mask.sum(1)).numpy())
        padded, real = padded + mask.numel(), real + int(mask.sum())
    return np.concatenate(rows), (padded - real) / real


def main() -> None:
    """Times both, once each after a warm-up, and says how far their features are apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--checkpoint", default="minilm")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    opener = gzip.open if options.texts.suffix == ".gz" else open
    with opener(options.texts, "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line, _ in zip(file, range(options.rows), strict=False)]
    location = resolve(options.checkpoint, "probe")
    model = Probe(checkpoint=options.checkpoint, layer=-1, pooling="mean")
    model.features(texts[:32], location, "cpu", lambda done, total: None)

    start = time.perf_counter()
    found = model.features(texts, location, "cpu", lambda done, total: None)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    expected, padding = plain(texts, location)
    loop = time.perf_counter() - start
    print(
        f"{options.checkpoint}, {len(texts)} texts, {found.tokens / len(texts):.1f} tokens each, {options.threads} threads"
    )
    print(f"feature pass   {len(texts) / ours:7.1f} texts/s   padding {found.padding:.1%}")
    print(f"plain loop     {len(texts) / loop:7.1f} texts/s   padding {padding:.1%}   {loop / ours:.2f} times as long")
    print(f"largest difference of any feature: {np.abs(found.values - expected).max():.1e}")


if __name__ == "__main__":
    main()
