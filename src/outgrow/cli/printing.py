"""The one printer of all commands: whatever names, data and plug-ins hold, a terminal gets plain text."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from outgrow.core.text.printable import printable, printable_json


def say(text: str, *, error: bool = False, end: str = "\n") -> None:
    """Print text to stdout, or to stderr."""
    stream = sys.stderr if error else sys.stdout
    stream.write(printable(text) + end)
    stream.flush()


def say_json(text: str) -> None:
    """Print a JSON text that ends in a line end: the same value, without a character that a terminal obeys."""
    sys.stdout.write(printable_json(text))
    sys.stdout.flush()


def console_of(file: Any) -> Any:
    """A rich console for texts and tables in which brackets are brackets.

    A pipe has no width of its own, and 80 columns would fold a table that a file can hold.
    """
    from rich.console import Console
    from rich.segment import Segment

    class Plain(Console):
        """Takes no word of a text for markup, and prints no control character but its own."""

        def render_str(self, text: str, **options: Any) -> Any:
            return super().render_str(printable(text), **{**options, "markup": False, "emoji": False})

        def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(printable(segment.text), segment.style)

    return Plain(file=file, width=None if file.isatty() else 140, markup=False, emoji=False, highlight=False)
