"""The model card of a student: README.md with YAML front matter, as the Hugging Face hub reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from outgrow.core.registry import find_identity
from outgrow.core.text.units import named
from outgrow.models.contract import Saved
from outgrow.teaching.labels.reading import Reading, columns_read
from outgrow.teaching.sentences import JOINS, sentences, share

LICENCES = {  # of the weights, where their folder does not say
    "wordllama": "mit",
    "potion-base-2m": "mit",
    "potion-base-8m": "mit",
    "minilm": "apache-2.0",
    "mpnet": "apache-2.0",
    "smollm2": "apache-2.0",
}

ONNX = """With `onnxruntime` and the tokenizer alone:

```python
import numpy as np
import onnxruntime
from transformers import AutoTokenizer

tokenizer, session = AutoTokenizer.from_pretrained(folder), onnxruntime.InferenceSession(f"{folder}/onnx/model.onnx")
read = tokenizer(texts, padding=True, truncation=True, return_tensors="np")
logits = session.run(["logits"], {name: read[name].astype(np.int64) for name in ("input_ids", "attention_mask")})[0]
probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)  # one column per class, in the order above
```"""


def licence(name: str, folder: str | None) -> str | None:
    """The licence of a checkpoint: as its own README.md says, else as known for our short names."""
    readme = Path(folder or "") / "README.md"
    if folder is not None and readme.is_file():
        front = re.match(r"---\n(.*?)\n---\n", readme.read_text("utf-8", errors="replace"), re.DOTALL)
        given = re.search(r"^license:\s*[\"']?([\w.+-]+)", front[1], re.MULTILINE) if front else None
        if given:
            return given[1]
    return LICENCES.get(name.lower())


def model_card(about: Mapping[str, Any]) -> str:
    """The card, from what student.json holds."""
    model, made, numbers, classes = about["model"], about["made"], about["numbers"], about["classes"]
    inputs = Reading.from_identity(about["text"]).inputs
    kept: Saved = find_identity("models", about.get("member") or {"name": about["kind"]}).load().saved_for(inputs)
    choices = inputs.exchangeable
    task = "text-ranking" if choices else kept.task
    what = (
        "which of several texts is the best"
        if choices
        else f"apart: {', '.join(f'`{_plain(name)}`' for name in classes)}"
    )
    front = [f"library_name: {kept.library}", f"pipeline_tag: {task}", "tags: [outgrow, weak-to-strong]"]
    if model["licence"]:
        front.append(f"license: {model['licence']}")
    if model["hub"]:
        front.append(f"base_model: {model['hub']}")
    parts = [
        "---\n" + "\n".join(front) + "\n---",
        f"# A {'reward model' if choices else 'classifier'} taught by cheap labels\n\n{kept.what} "
        f"({_plain(model['name'])}), trained by outgrow {about['outgrow']} to tell {what}. It reads "
        f"`{_plain(columns_read(about['text']))}` of a row.",
        "## Use\n\n"
        "```\noutgrow predict this-folder/ new.csv -o out.csv\n```\n\n"
        f"Without outgrow (`{kept.library}`):\n\n"
        f"```python\n{kept.scores if choices else kept.code}\n```" + (f"\n\n{ONNX}" if about.get("onnx") else ""),
        f"## Data and method\n\n{named(inputs.noun, _data(made, numbers))}",
        "## How good it is\n\n" + "\n\n".join(sentences(numbers)) + _table(numbers),
        "## Limits\n\n" + "\n".join(f"- {named(inputs.noun, limit)}" for limit in _limits(model, numbers)),
    ]
    return "\n\n".join(parts) + "\n"


def _data(made: Mapping[str, Any], numbers: Mapping[str, Any]) -> str:
    columns = ", ".join(f"`{_plain(name)}`" for name in made["labels"])
    several = len(made["labels"]) > 1
    how = {
        "probabilities": ", which hold probabilities",
        "votes": ", a vote each",
    }.get(made["form"], "")
    if numbers["joined_by"] is not None:
        how += f", joined by {JOINS[numbers['joined_by']]}"
    if numbers["joins"]:
        tried = ", ".join(f"{JOINS[one['by']]} {one['accuracy']:.3f}" for one in numbers["joins"])
        how += f" (chosen by the careful labels; right on: {tried})"
    where = f": column{'s' if several else ''} {columns}{how}" if columns else ""
    lines = [f"- Cheap labels of {numbers['taught']:,} distinct texts{where}."]
    without = {one["column"]: one for one in numbers.get("without", ())}
    lines += [
        f"  - `{_plain(name)}` labels {100 * habits['covers']:.0f}% of the rows, and is right on "
        f"{100 * habits['right']:.0f}% of them, as the Dawid-Skene model has it."
        + (f" {_lost(without[name])}" if name in without else "")
        for name, habits in numbers["voters"].items()
    ]
    if numbers["careful"]:
        use = (
            f"each trained on as {numbers['weight']:g} cheap ones, and scored by cross-fitting"
            if numbers["mixed"]
            else "kept out of training"
        )
        lines.append(f"- Careful labels of {numbers['careful']:,} texts, {use}.")
        if numbers["corrections"]:
            lines.append("- The cheap labels were corrected by the careful ones before they were learned.")
    if numbers.get("chosen"):
        lines.append(
            f"- Careful labels of {numbers['chosen']:,} texts that were chosen and not drawn at random: trained on, never "
            "scored."
        )
    strength = f", L2 {made['l2']:g}" if made["l2"] is not None else ""
    lines.append(f"- Method `{_plain(numbers['method'])}`{strength}, seed {made['seed']}.")
    if numbers["tried"]:
        lines.append(_chosen(numbers["tried"]))
    lines += [f"- {_plain(note)}." for note in numbers["notes"]]
    return "\n".join(lines)


def _chosen(tried: Sequence[Mapping[str, Any]]) -> str:
    """What the careful labels chose: in what the candidates differ."""
    names = {"student": "student", "method": "method", "l2": "regularisation", "weight": "that weight"}
    *first, last = [name for key, name in names.items() if len({one.get(key) for one in tried}) > 1] or ["student"]
    what = f"{', '.join(first)} and {last} were" if first else f"{last} was"
    return f"- {what[0].upper()}{what[1:]} chosen among {len(tried)} by the careful labels."


def _lost(without: Mapping[str, Any]) -> str:
    """What a student of cheap labels alone loses without a column."""
    points, low, high = (100 * without[end] for end in ("estimate", "low", "high"))
    does, ends = ("loses", (low, high)) if points >= 0 else ("gains", (-high, -low))
    return (
        f"Without it, a student of the cheap labels alone {does} {abs(points):.1f} points on the careful texts "
        f"(95%: {ends[0]:+.1f} … {ends[1]:+.1f})."
    )


def _table(numbers: Mapping[str, Any]) -> str:
    if numbers["student_accuracy"] is None:
        return ""
    rows = [("cheap labels", numbers["cheap_accuracy"], numbers["cheap_rows"])] if numbers["cheap_accuracy"] else []
    rows.append(("student", numbers["student_accuracy"], numbers["careful"]))
    body = "".join(f"| {name} | {share(interval)} | {count} |\n" for name, interval, count in rows)
    return f"\n\n| | accuracy (95% interval) | careful labels |\n|---|---|---|\n{body}".rstrip("\n")


def _limits(model: Mapping[str, Any], numbers: Mapping[str, Any]) -> list[str]:
    limits = []
    if numbers["student_accuracy"] is None:
        limits.append("Nothing is known of its accuracy: no careful labels were given.")
    else:
        limits.append(
            "The numbers hold for texts like the careful ones, as far as those are right; intervals hold the noise of "
            "these examples, not of another training."
        )
    calibration = numbers.get("calibration")
    known = calibration is not None and calibration["applied"]
    limits.append(
        "It may repeat systematic mistakes of its labels. Its probabilities are "
        + ("calibrated for texts like the careful ones." if known else "not calibrated.")
    )
    if not model["licence"]:
        limits.append("The licence of the base model is not known here: look it up before passing this folder on.")
    return limits


def _plain(text: str) -> str:
    """Text from files and options, harmless inside Markdown."""
    return re.sub(r"[`\r\n|<>]", " ", str(text))
