"""The job of `benchmarks/speed/finetune.py` as an ordinary torch script does it: what outgrow's time is measured against.

python benchmarks/speed/plain.py folder --seed 0 [--threads 2]
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot
from torch.utils.data import DataLoader
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

Loss = Callable[[Tensor, Tensor, float], Tensor]
Rows = list[dict[str, object]]


def read(path: Path) -> tuple[list[str], Tensor]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["sentence"] for row in rows], torch.tensor([int(row["label"]) for row in rows])


def naive(logits: Tensor, weak: Tensor, progress: float) -> Tensor:
    return cross_entropy(logits, weak)


def confidence(logits: Tensor, weak: Tensor, progress: float) -> Tensor:
    """alpha .5, warm-up .2, the threshold at the batch's median (Burns et al. 2023)."""
    alpha = 0.5 * min(1.0, progress / 0.2)
    margin = (logits[:, 1] - logits[:, 0]).detach()
    hard = one_hot((margin > margin.median()).long(), 2).float()
    return cross_entropy(logits, (1 - alpha) * weak + alpha * hard)


def train(
    folder: Path, rows: Rows, targets: Tensor, loss: Loss, pad: DataCollatorWithPadding, seed: int, job: dict[str, Any]
) -> torch.nn.Module:
    torch.manual_seed(seed)
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    model.config.pad_token_id = pad.tokenizer.pad_token_id
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=job["lr"], weight_decay=0.01)
    examples = [{**row, "place": place} for place, row in enumerate(rows)]
    loader: DataLoader[Any] = DataLoader(
        examples,  # type: ignore[arg-type]
        batch_size=32,
        shuffle=True,
        collate_fn=pad,
    )
    steps = job["epochs"] * len(loader)
    warm = math.ceil(0.1 * steps)

    def rate(step: int) -> float:
        return step / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    step = 0
    for _ in range(job["epochs"]):
        for batch in loader:
            with torch.autocast("cpu", torch.bfloat16, enabled=job["bf16"]):
                logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
            loss(logits.float(), targets[batch["place"]], step / steps).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            step += 1
    taught: torch.nn.Module = model.eval()
    return taught


@torch.no_grad()
def predict(model: torch.nn.Module, rows: Rows, pad: DataCollatorWithPadding, job: dict[str, Any]) -> Tensor:
    found = []
    batches: DataLoader[Any] = DataLoader(rows, batch_size=32, collate_fn=pad)  # type: ignore[arg-type]
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=job["bf16"]):
            found.append(model(**batch).logits.float().softmax(dim=-1))
    return torch.cat(found)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    job = json.loads((asked.folder / "job.json").read_text()) | {"bf16": asked.bf16}

    tokenizer = AutoTokenizer.from_pretrained(asked.folder / "small")
    pad = DataCollatorWithPadding(tokenizer)
    texts, labels = read(asked.folder / "train.csv")
    test_texts, truth = read(asked.folder / "test.csv")
    ids, test_ids = tokenizer(texts)["input_ids"], tokenizer(test_texts)["input_ids"]
    test = [{"input_ids": row} for row in test_ids]

    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(asked.seed)).tolist()
    half = len(order) // 2
    first, second = [[{"input_ids": ids[place]} for place in part] for part in (order[:half], order[half:])]
    true_first, true_second = (one_hot(labels[part], 2).float() for part in (order[:half], order[half:]))

    small, large = asked.folder / "small", asked.folder / "large"
    supervisor = train(small, first, true_first, naive, pad, asked.seed, job)
    weak = predict(supervisor, second, pad, job)
    models = {
        "weak": supervisor,
        "ceiling": train(large, second, true_second, naive, pad, asked.seed, job),
        "naive": train(large, second, weak, naive, pad, asked.seed, job),
        "confidence": train(large, second, weak, confidence, pad, asked.seed, job),
    }
    scores = {
        name: float((predict(model, test, pad, job).argmax(dim=1) == truth).float().mean())
        for name, model in models.items()
    }
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
