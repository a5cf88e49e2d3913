"""Python's search for garbage, where it costs more than it finds: in processes that load packages, work and end."""

from __future__ import annotations

import gc


def search_rarely() -> None:
    """Look through each 10,000 new objects, not each 700: loading transformers takes a sixth less, no memory more."""
    gc.set_threshold(10_000)


def none_at_end() -> None:
    """At its end a process gives back all memory: to look through it before takes most of a second after transformers."""
    gc.freeze()
