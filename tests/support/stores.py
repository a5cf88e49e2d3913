"""Stores with results, and what is left in them."""

import hashlib
from pathlib import Path

from outgrow.core.files import disk
from outgrow.execution.store import Store

KEY = hashlib.sha256(b"one").hexdigest()


OTHER = hashlib.sha256(b"two").hexdigest()


RECORD = {"kind": "toy", "version": 1, "params": {"size": 3}, "parents": {}, "seconds": 0.5, "flops": 1e9}


WEEK = 7 * 86400.0


def put(store: Store, key: str = KEY, text: str = "hello", **record: object) -> Path:
    """A result of two files, one of them in a folder of its own."""
    with store.create(key, {**RECORD, **record}) as folder:
        (folder / "text.txt").write_text(text)
        (folder / "deep").mkdir()
        (folder / "deep" / "array.bin").write_bytes(bytes(1000))
    return store.folder(key)


def leftovers(store: Store) -> list[str]:
    return [path.name for path in disk.entries(store.root / "tmp")]
