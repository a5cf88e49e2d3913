"""The task `sentiment`: 3,000 sentences of product, film and restaurant reviews that lies in the package."""

from __future__ import annotations

import gzip
import hashlib
import json
from importlib.resources import files

from outgrow.tasks.contract import RawTask


def sentiment() -> RawTask:
    """UCI Sentiment Labelled Sentences (Kotzias et al. 2015, CC BY 4.0; see NOTICE): 0 negative, 1 positive."""
    # Not splitlines: two of the sentences hold U+0085, at which it cuts.
    rows = [json.loads(line) for line in gzip.decompress(_data()).decode().rstrip("\n").split("\n")]
    columns = {name: [row[name] for row in rows] for name in ("text", "label", "source")}
    return RawTask(inputs=columns["text"], labels=columns["label"], classes=("0", "1"), columns=columns)


def fingerprint() -> str:
    """SHA-256 of the data file: what the task is known by in keys."""
    return hashlib.sha256(_data()).hexdigest()


def _data() -> bytes:
    return files("outgrow.tasks").joinpath("data", "sentiment.jsonl.gz").read_bytes()
