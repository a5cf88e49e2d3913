"""Finetuning by outgrow against `plain.py`: a whole command each, from import to results, in turn on the same machine.

The job: two models of GPT-2's architecture made here (2 layers x 128 and 4 x 256, an 8k BPE vocabulary), SST-2, 2,000
rows for the supervisor, 2,000 for students and ceiling, 800 to test; supervisor, ceiling, naive and confidence student;
random batches of 32, 2 epochs, in float32, bfloat16 or both.

python benchmarks/speed/finetune.py sst2/train.jsonl.gz sst2/test.jsonl.gz [--seeds 5] [--threads 2] [--precision fp32 bf16]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

JOB = {"epochs": 2, "lr": 5e-4}
ROWS, TEST = 4000, 800
HERE = Path(__file__).parent


def rows_of(path: Path) -> list[tuple[str, int]]:
    """Distinct sentences of a file, shuffled by a fixed seed."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        found = {row["text"]: int(row["label"]) for row in map(json.loads, file)}
    rows = list(found.items())
    random.Random(0).shuffle(rows)
    return rows


def prepare(folder: Path, train: Path, test: Path) -> None:
    """Tables, tokenizer, models and experiments."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    taught, tested = rows_of(train), rows_of(test)
    seen = {text for text, _ in taught[:ROWS]}
    for name, rows in (("train", taught[:ROWS]), ("test", [row for row in tested if row[0] not in seen][:TEST])):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("sentence", "label"), *rows])
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=8192, special_tokens=["<|endoftext|>", "<|pad|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator((text for text, _ in taught), trainer)
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|pad|>", model_max_length=256
    )
    torch.manual_seed(0)
    for name, layers, width in (("small", 2, 128), ("large", 4, 256)):
        config = GPT2Config(
            vocab_size=8192, n_positions=256, n_embd=width, n_layer=layers, n_head=width // 64,
            bos_token_id=0, eos_token_id=0, pad_token_id=1,
        )  # fmt: skip
        GPT2LMHeadModel(config).save_pretrained(folder / name)
        fast.save_pretrained(folder / name)
    (folder / "job.json").write_text(json.dumps(JOB))


def experiment(folder: Path, seed: int, bf16: bool) -> Path:
    options = {**JOB, **({"precision": "bf16"} if bf16 else {})}
    content = {
        "tasks": [{"file": "train.csv", "test": "test.csv", "text": "sentence", "label": "label", "balance": False}],
        "weak": [{"finetune": str(folder / "small"), **options}],
        "strong": [{"finetune": str(folder / "large"), **options}],
        "methods": ["naive", "confidence"],
        "seeds": [seed],
        "split": {"weak_train": ROWS // 2, "transfer": ROWS // 2},
    }
    path = folder / f"seed{seed}{'-bf16' if bf16 else ''}.yaml"
    path.write_text(json.dumps(content))  # JSON is YAML
    return path


Seconds = tuple[float, float]  # on the clock, and of the processor's cores together


def timed(command: list[str], folder: Path) -> tuple[Seconds, str]:
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (time.perf_counter() - begin, work), done.stdout


def plain(folder: Path, seed: int, threads: int, bf16: bool) -> tuple[Seconds, dict[str, float]]:
    command = [sys.executable, str(HERE / "plain.py"), str(folder), "--seed", str(seed), "--threads", str(threads)]
    seconds, said = timed([*command, *(["--bf16"] if bf16 else [])], folder)
    return seconds, json.loads(said.splitlines()[-1])


def outgrow(folder: Path, seed: int, threads: int, bf16: bool) -> tuple[Seconds, dict[str, float]]:
    name = experiment(folder, seed, bf16).name
    command = [sys.executable, "-m", "outgrow", "run", name, "--store", f"store-{name}", "--threads", str(threads)]
    seconds, _ = timed([*command, "--device", "cpu"], folder)
    runs = json.loads((folder / "runs" / name.removesuffix(".yaml") / "results.json").read_text())["runs"]
    scores = {run["method"]: run["student_accuracy"] for run in runs}
    return seconds, {"weak": runs[0]["weak_accuracy"], "ceiling": runs[0]["ceiling_accuracy"], **scores}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", nargs="+", choices=["fp32", "bf16"], default=["fp32"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, asked.train.absolute(), asked.test.absolute())
        for precision in asked.precision:
            report(folder, asked.seeds, asked.threads, precision == "bf16")


def report(folder: Path, seeds: int, threads: int, bf16: bool) -> None:
    times: dict[str, list[Seconds]] = {"plain": [], "outgrow": []}
    scores: dict[str, list[dict[str, float]]] = {"plain": [], "outgrow": []}
    for seed in range(seeds):
        # In turn, and the first one in turn as well, so that what else the machine does falls on both.
        for who, run in sorted((("plain", plain), ("outgrow", outgrow)), reverse=not seed % 2):
            seconds, score = run(folder, seed, threads, bf16)
            times[who].append(seconds)
            scores[who].append(score)
        told = ", ".join(f"{who} {clock[-1][0]:.1f} s ({clock[-1][1]:.1f} s of work)" for who, clock in times.items())
        print(f"seed {seed}: {told}", flush=True)
    ours, theirs = np.array(times["outgrow"]), np.array(times["plain"])
    clock, work = ours.sum(axis=0) / theirs.sum(axis=0)
    each = ", ".join(f"{ratio:.2f}" for ratio in (ours / theirs)[:, 0])
    print(
        f"{'bf16' if bf16 else 'fp32'}, {threads} threads: outgrow needs {clock:.2f} of the plain script's time "
        f"(by seed: {each}), {work:.2f} of its work"
    )
    for name in ("weak", "naive", "confidence", "ceiling"):
        values = {who: np.array([score[name] for score in scores[who]]) for who in scores}
        means = [
            f"{who} {v.mean():.3f} ± {v.std(ddof=1) / len(v) ** 0.5 if len(v) > 1 else 0:.3f}"
            for who, v in values.items()
        ]
        print(f"  {name}: {', '.join(means)} (mean over {seeds} seeds ± its standard error)")


if __name__ == "__main__":
    main()
