"""A run's progress in a notebook: one bar, the steps that run, and the time that is left."""

from __future__ import annotations

import html
import sys
import time
from typing import Any

from outgrow.execution.progress import Display, Silent, clean, left_in_words

EVERY = 0.5  # seconds between two updates of the page


class Notebook(Silent):
    """A bar under the cell, by IPython's display; a note is shown below it, once."""

    def __init__(self) -> None:
        super().__init__()
        self._total = self._done = 0
        self._running: dict[str, str] = {}  # name -> what it does, and how far it is
        self._labels: dict[str, str] = {}
        self._left = ""
        self._shown: Any = None
        self._updated = float("-inf")

    def begin(self, total: int, done: int = 0) -> None:
        """The bar appears."""
        self._total, self._done = total, done
        self._show(now=True)

    def start(self, name: str, label: str) -> None:
        """A line with what runs."""
        self._labels[name] = self._running[name] = clean(label)
        self._show()

    def advance(self, name: str, done: int, total: int) -> None:
        """How far it is."""
        if name in self._labels:
            self._running[name] = f"{self._labels[name]}: {done:,} of {total:,}"
            self._show()

    def finish(self, name: str, steps: int, seconds_left: float | None) -> None:
        """The bar grows."""
        self._running.pop(name, None)
        self._done += steps
        self._left = left_in_words(seconds_left)
        self._show(now=self._done >= self._total)

    def note(self, sentence: str) -> None:
        """A line below the bar."""
        super().note(sentence)
        self._show(now=True)

    def _show(self, *, now: bool = False) -> None:
        clock = time.monotonic()
        if not now and clock - self._updated < EVERY:
            return
        self._updated = clock
        page = _html(self._done, self._total, self._left, [*self._running.values()], self.notes)
        import IPython.display

        ipython: Any = IPython.display
        if self._shown is None:
            self._shown = ipython.display(ipython.HTML(page), display_id=True)
        else:
            self._shown.update(ipython.HTML(page))


def _html(done: int, total: int, left: str, running: list[str], notes: list[str]) -> str:
    lines = [html.escape(line) for line in running] + [f"note: {html.escape(clean(note))}" for note in notes]
    head = f'<progress value="{done}" max="{max(total, 1)}"></progress> {done:,} of {total:,} steps'
    return "<br>".join([head + (f", {html.escape(left)}" if left else ""), *lines])


def usual_display() -> Display:
    """What shows a run that Python asked for: a bar in a notebook, nothing elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return Notebook() if type(shell).__name__ == "ZMQInteractiveShell" else Silent()
