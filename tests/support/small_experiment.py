"""An experiment of a few made-up sentences, small enough to be run in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from outgrow import Experiment

TEXTS = [f"the {noun} {i} was {word}" for i in range(40) for noun in ("film", "meal") for word in ("good", "bad")]


def asked(folder: Path, **changes: Any) -> Experiment:
    rows = "".join(f"{text},{'pos' if text.endswith('good') else 'neg'}\n" for text in TEXTS)
    (folder / "reviews.csv").write_text(f"sentence,label\n{rows}")
    whole = {
        "name": "x",
        "tasks": [{"file": str(folder / "reviews.csv"), "text": "sentence", "label": "label"}],
        "weak": [{"static": "wordllama", "rows": 4}],
        "strong": ["static:wordllama"],
        "methods": ["naive", "confidence"],
        "seeds": 2,
        "split": {"weak_train": 30, "transfer": 60, "validation": 10, "test": 40},
    }
    return Experiment(**{**whole, **changes})
