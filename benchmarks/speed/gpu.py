"""Every row of `docs/reference/performance.md` that needs a GPU, in one command and with nothing to download.

    python benchmarks/speed/gpu.py --minilm FOLDER [--json gpu.json] [--small]

FOLDER: a checkpoint of MiniLM's shape with its tokenizer, or what `packed.py` made of one. A Llama of 1.6 billion random
weights is made here, as speed does not depend on what they are. `--small`: the same calls at sizes that a CPU ends in a
minute, to test the script.
Each row is printed when it is known, and a row that fails says why and does not end the others.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from conditions import conditions, finished, options, report, seconds
from features import sentence_transformer
from heads import on_device
from made_texts import sentences, words_of
from packed import unpack

from outgrow.methods.losses import Naive
from outgrow.models.checkpoints.tokens import read_texts
from outgrow.models.contract import Location
from outgrow.models.finetune import train as finetuning
from outgrow.models.finetune.learning_curve import Watch
from outgrow.models.finetune.options import Finetune, Lora
from outgrow.models.heads.probe import Probe

SILENT = lambda done, total: None  # noqa: E731


@dataclass(frozen=True)
class Sizes:
    """How much of everything is computed."""

    heads: int = 1000
    steps: int = 200  # of a head
    texts: int = 20_000
    rows: int = 3000
    examples: int = 1024
    llama: tuple[int, int, int] = (2048, 24, 8192)  # width, blocks, width of the feed-forward layer


SMALL = Sizes(heads=8, steps=5, texts=32, rows=64, examples=128, llama=(64, 2, 128))  # two batches or more


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--minilm", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--small", action="store_true")
    asked = parser.parse_args()
    sizes, device = SMALL if asked.small else Sizes(), asked.device
    under = conditions(device)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        llama, minilm = Path(scratch) / "llama", unpack(asked.minilm, Path(scratch) / "minilm")
        jobs: list[tuple[str, Callable[[], list[dict[str, Any]]]]] = [
            ("heads", lambda: on_device(sizes.heads, sizes.steps, device)),
            ("features", lambda: features(sizes, device, minilm)),
            ("MiniLM finetuned", lambda: small_model(sizes, device, minilm)),
            ("Llama made", lambda: make_llama(sizes, device, minilm, llama)),
            ("Llama finetuned", lambda: large_model(sizes, device, llama)),
        ]
        for name, job in jobs:
            begin = time.perf_counter()
            try:
                found = job()
            except Exception:
                found = [{"row": f"{name}: failed", "note": traceback.format_exc().splitlines()[-1][:120]}]
                traceback.print_exc()
            print(f"-- {name}: {time.perf_counter() - begin:.0f} s", flush=True)
            for row in found:
                print(row, flush=True)
            rows += found
            if asked.json is not None:
                report(rows, under, asked.json)
    report(rows, under, asked.json)


def _location(folder: Path) -> Location:
    return Location(folder.name, str(folder), None, None, "", 0)


def features(sizes: Sizes, device: str, folder: Path) -> list[dict[str, Any]]:
    """Texts a second of the feature pass, and of sentence-transformers at its best batch size."""
    texts = sentences(sizes.texts, words_of(folder))
    made, values = [], {}
    for precision in ("fp32", "bf16"):
        reader = Probe(checkpoint="minilm", precision=precision).reader(_location(folder), device)
        reader(texts[:512], SILENT)
        found: list[Any] = []
        spent = seconds(lambda: found.append(reader(texts, SILENT)), device, 2)  # noqa: B023
        values[precision] = found[-1].values
        made.append(
            {
                "row": f"features, {precision}",
                "texts_per_s": len(texts) / spent,
                "tokens": found[-1].tokens / len(texts),
                "padding": found[-1].padding,
                "twice_equal": bool((found[0].values == found[-1].values).all()),
            }
        )
        rival, size = _sentence_transformers(folder, texts, device, precision)
        made.append({"row": f"sentence-transformers, {precision}, batch {size}", "texts_per_s": rival})
    gap = np.abs(values["bf16"] - values["fp32"]).mean() / np.abs(values["fp32"]).mean()
    best = max(row["texts_per_s"] for row in made if row["row"].startswith("sentence"))
    made.append(
        {
            "row": "features, bf16, of sentence-transformers' best",
            "ratio": max(row["texts_per_s"] for row in made if row["row"].startswith("features")) / best,
            "note": f"bf16 features are {gap:.1%} off",
        }
    )
    return made


def _sentence_transformers(folder: Path, texts: list[str], device: str, precision: str) -> tuple[float, int]:
    model = sentence_transformer(folder, precision, device)
    best = (0.0, 0)
    for size in (128, 512, 2048) if device != "cpu" else (32,):
        encode = partial(model.encode, batch_size=size, show_progress_bar=False, convert_to_tensor=True)
        encode(texts[:512])
        spent = seconds(partial(encode, texts), device)
        best = max(best, (len(texts) / spent, size))
    return best


@dataclass
class Clock:
    """When the steps of a training were made: loading aside, and without its first ones."""

    device: str
    times: list[float]

    def __call__(self, done: int, total: int) -> None:
        if done in (4, total):
            finished(self.device)
        self.times.append(time.perf_counter())

    @property
    def step(self) -> float:
        """Seconds a step of the optimizer, of two steps or more."""
        first = min(3, len(self.times) - 2)
        return (self.times[-1] - self.times[first]) / (len(self.times) - 1 - first)


def trained(folder: Path, options: Finetune, tokens: Any, targets: Any, device: str) -> tuple[dict[str, Any], Any]:
    """One finetuning: seconds in all and of a step, and the most memory."""
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    clock = Clock(device, [])
    rows = np.arange(len(targets))
    made: list[Any] = []
    spent = seconds(
        lambda: made.append(
            finetuning.train(
                _location(folder),
                options,
                tokens,
                ("no", "yes"),
                finetuning.Lesson(rows, targets, Naive(), 0),
                watch=Watch(),
                device=device,
                progress=clock,
            )
        ),
        device,
    )
    row = {"seconds": spent, "step_ms": 1000 * clock.step}
    if device != "cpu":
        row["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
    return row, made[0]


def plain(folder: Path, options: Finetune, texts: list[str], targets: Any, device: str) -> dict[str, Any]:
    """The same training as an ordinary script does it: padded by the collator, autocast, AdamW, clipping, cosine."""
    from torch.utils.data import DataLoader
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding
    from transformers import get_cosine_schedule_with_warmup as cosine

    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    clock = Clock(device, [])

    def work() -> None:
        torch.manual_seed(0)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, dtype=torch.float32).to(device)
        model.config.pad_token_id = tokenizer.pad_token_id
        model.config.use_cache = False
        model.train()
        ids = tokenizer(texts, truncation=True, max_length=512)["input_ids"]
        examples = [{"input_ids": row, "place": place} for place, row in enumerate(ids)]
        collate = DataCollatorWithPadding(tokenizer)
        loader: Any = DataLoader(examples, options.batch, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
        steps = options.epochs * len(loader)
        optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=options.weight_decay)
        schedule = cosine(optimizer, math.ceil(options.warmup * steps), steps)
        wanted, done = torch.from_numpy(targets).to(device), 0
        for _ in range(options.epochs):
            for batch in loader:
                batch = {name: value.to(device) for name, value in batch.items()}
                place = batch.pop("place")
                with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=options.precision == "bf16"):
                    logits = model(**batch).logits
                torch.nn.functional.cross_entropy(logits.float(), wanted[place]).backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), options.clip)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                done += 1
                clock(done, steps)

    spent = seconds(work, device)
    row = {"seconds": spent, "step_ms": 1000 * clock.step}
    if device != "cpu":
        row["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
    return row


def lesson(folder: Path, texts: list[str]) -> tuple[Any, Any]:
    """Tokens of texts, and soft labels drawn for them."""
    targets = np.random.default_rng(1).dirichlet([1, 1], len(texts)).astype(np.float32)
    return read_texts(_location(folder), texts, max_length=None, chat_template=False), targets


def small_model(sizes: Sizes, device: str, folder: Path) -> list[dict[str, Any]]:
    """MiniLM finetuned for two epochs, and by a plain script in turn."""
    texts = sentences(sizes.rows, words_of(folder))
    tokens, targets = lesson(folder, texts)
    made = []
    trained(folder, Finetune(checkpoint="minilm", epochs=1), tokens, targets[:96], device)  # warms up
    for precision in ("fp32", "bf16"):
        asked = Finetune(checkpoint="minilm", precision=precision)
        theirs = plain(folder, asked, texts, targets, device)
        ours, first = trained(folder, asked, tokens, targets, device)
        _, second = trained(folder, asked, tokens, targets, device)
        made.append({"row": f"MiniLM finetuned, {precision}", **ours, "twice_equal": _equal(first, second)})
        made[-1]["ratio"] = ours["seconds"] / theirs["seconds"]
        made.append({"row": f"MiniLM by a plain script, {precision}", **theirs})
    return made


def _equal(one: Any, other: Any) -> bool:
    pairs = zip(one.loaded.module.parameters(), other.loaded.module.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def make_llama(sizes: Sizes, device: str, minilm: Path, folder: Path) -> list[dict[str, Any]]:
    """A Llama of random weights with MiniLM's tokenizer, in a folder."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    width, blocks, wide = sizes.llama
    config = LlamaConfig(
        vocab_size=32_000, hidden_size=width, num_hidden_layers=blocks, intermediate_size=wide,
        num_attention_heads=max(1, width // 64), num_key_value_heads=max(1, width // 64), max_position_embeddings=2048,
        tie_word_embeddings=True, pad_token_id=0, bos_token_id=101, eos_token_id=102,
    )  # fmt: skip
    with torch.device(device):
        model: Any = LlamaForCausalLM(config)
        model = model.to(torch.bfloat16)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (minilm / name).exists():
            shutil.copy(minilm / name, folder / name)
    AutoTokenizer.from_pretrained(folder)
    return [{"row": "Llama", "billions": sum(one.numel() for one in model.parameters()) / 1e9}]


def large_model(sizes: Sizes, device: str, folder: Path) -> list[dict[str, Any]]:
    """The Llama finetuned whole and by LoRA on short and longer texts, in bf16, and by a plain script."""
    words = words_of(folder)
    draw = np.random.default_rng(0)
    made = []
    rate = conditions(device).get("bf16_gflops")  # of a GPU
    for length in (95, 200):
        count = sizes.examples if length == 95 else sizes.examples // 2
        texts = [" ".join(draw.choice(words, length - 2)) for _ in range(count)]
        tokens, targets = lesson(folder, texts)
        asked = Finetune(checkpoint="llama", epochs=1, precision="bf16")
        small = Finetune(checkpoint="llama", epochs=1, precision="bf16", lora=Lora(r=8, alpha=16))
        for name, one in (("whole", asked), ("LoRA", small)):
            row, student = trained(folder, one, tokens, targets, device)
            parameters = sum(value.numel() for value in student.loaded.module.model.parameters())
            del student
            read = len(tokens.ids) / math.ceil(count / one.batch)  # tokens a step
            factor = 6 if name == "whole" else 4  # a frozen matrix has no gradient of its own
            if rate is not None:
                row["mfu"] = factor * parameters * read / (row["step_ms"] / 1000) / (rate * 1e9)
            row["tokens"] = len(tokens.ids) / count
            made.append({"row": f"Llama {name}, {count} texts of {length} words", **row})
            print(made[-1], flush=True)
        if length == 95:
            made.append({"row": "Llama by a plain script", **plain(folder, asked, texts, targets, device)})
    return made


if __name__ == "__main__":
    main()
