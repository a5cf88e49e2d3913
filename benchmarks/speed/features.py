"""Texts a second of the feature pass, by outgrow and by sentence-transformers in turn, in float32 and bfloat16.

    python benchmarks/speed/features.py [--checkpoint minilm] [--rows 1000] [--threads 2] [--texts texts.jsonl.gz]

Without a file, texts of real words with lengths as reviews' sentences have. Limits: never slower than sentence-transformers
at the same precision; three quarters of the rate of a matrix product.
"""

from __future__ import annotations

import gzip
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from conditions import conditions, options, report, seconds, threads_option
from made_texts import sentences, words_of

from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.weight_files import folder_of
from outgrow.models.heads.probe import Probe


def main() -> None:
    parser = options(__doc__)
    threads_option(parser)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--checkpoint", default="minilm")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--times", type=int, default=2, help="how often to measure; the fastest counts, in turn")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    under = conditions()
    location = resolve(asked.checkpoint, "probe")
    texts = read(asked.texts, asked.rows) if asked.texts else sentences(asked.rows, words_of(folder_of(location)))
    rows: list[dict[str, Any]] = []
    for precision in ("fp32", "bf16"):
        model = Probe(checkpoint=asked.checkpoint, layer=-1, pooling="mean", precision=precision)
        reader, rival = model.reader(location, "cpu"), sentence_transformer(folder_of(location), precision)
        ours = partial(reader, texts, lambda done, total: None)
        theirs = partial(rival.encode, texts, batch_size=32, show_progress_bar=False)
        reader(texts[:32], lambda done, total: None)
        rival.encode(texts[:32], show_progress_bar=False)
        best = [min(pair) for pair in zip(*((seconds(ours), seconds(theirs)) for _ in range(asked.times)), strict=True)]
        found = ours()
        flops = 2.0 * matrices(rival) * found.tokens
        gap = np.abs(found.values - np.asarray(theirs())).mean() / np.abs(found.values).mean()
        rows += [
            {
                "row": f"outgrow, {precision}",
                "texts_per_s": len(texts) / best[0],
                "of_rival": best[1] / best[0],
                "limit": 1.0,
                "of_product": flops / best[0] / (under["fp32_gflops"] * 1e9),
                "padding": found.padding,
                "difference": float(gap),
            },
            {"row": f"sentence-transformers, {precision}", "texts_per_s": len(texts) / best[1]},
        ]
    report(rows, under, asked.json)


def read(path: Path, count: int) -> list[str]:
    """The first texts of a JSONL file."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for line, _ in zip(file, range(count), strict=False)]


def matrices(model: Any) -> int:
    """Numbers that each token is multiplied with: embeddings are looked up."""
    tables = sum(layer.weight.numel() for layer in model.modules() if isinstance(layer, torch.nn.Embedding))
    return int(sum(value.numel() for value in model.parameters()) - tables)


def sentence_transformer(folder: Path, precision: str, device: str = "cpu") -> Any:
    """The same checkpoint by sentence-transformers, which takes the mean of the tokens."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer  # type: ignore[import-not-found]

    body = Transformer(str(folder))
    model = SentenceTransformer(modules=[body, Pooling(body.get_embedding_dimension(), "mean")], device=device)
    return model.to(torch.bfloat16) if precision == "bf16" else model


if __name__ == "__main__":
    main()
