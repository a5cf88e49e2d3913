"""What a run shows: one live display on a terminal, lines elsewhere, nothing from Python unless asked."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from outgrow.core.text.printable import printable
from outgrow.core.text.units import shown_duration
from outgrow.execution.store import Store

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Observer(Protocol):
    """Follows a run from outside: `run --watch` serves a page of it."""

    def planned(self, plan: Any, store: Store) -> None:
        """The run is planned and its work begins. plan: an `experiment.planning.plan.Plan`."""

    def finished(self, page: str) -> None:
        """The run has ended; page: its report, as HTML."""


class Display(AbstractContextManager["Display"], Protocol):
    """What `execute` tells. A label is for people and may hold anything; a name is a running order's own."""

    def begin(self, total: int, done: int = 0) -> None:
        """A run of `total` steps, `done` of them made; printed again when it turns out to need more."""

    def start(self, name: str, label: str) -> None:
        """An order starts."""

    def advance(self, name: str, done: int, total: int) -> None:
        """How many of a running order's own units are done."""

    def finish(self, name: str, steps: int, seconds_left: float | None) -> None:
        """An order has ended and `steps` were made; about how long the rest takes, if that is known."""

    def note(self, sentence: str) -> None:
        """Something to know. The same sentence is shown once."""


class Silent:
    """Shows nothing; keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def begin(self, total: int, done: int = 0) -> None:
        """Shows nothing."""

    def start(self, name: str, label: str) -> None:
        """Shows nothing."""

    def advance(self, name: str, done: int, total: int) -> None:
        """Shows nothing."""

    def finish(self, name: str, steps: int, seconds_left: float | None) -> None:
        """Shows nothing."""

    def note(self, sentence: str) -> None:
        """Keeps it in `notes`."""
        if sentence not in self.notes:
            self.notes.append(sentence)


class Lines(Silent):
    """Plain lines for logs and pipes: a finished step, at most one a second; a long step every half minute."""

    finished_every = 1.0  # seconds
    running_every = 30.0

    def __init__(self, stream: IO[str], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._stream = stream
        self._clock = clock
        self._total = self._done = 0
        self._running: dict[str, tuple[str, float]] = {}  # name -> label, begin
        self._last_line = float("-inf")

    def begin(self, total: int, done: int = 0) -> None:
        """A run of `total` steps, `done` of them made."""
        self._total, self._done = total, done

    def start(self, name: str, label: str) -> None:
        """Nothing is printed before it is finished or takes long."""
        self._running[name] = (clean(label), self._clock())

    def advance(self, name: str, done: int, total: int) -> None:
        """A line when nothing was printed for half a minute."""
        label, began = self._running[name]
        now = self._clock()
        if now - max(self._last_line, began) >= self.running_every:
            speed = done / max(now - began, 1e-9)
            self._say(f"[{self._done}/{self._total}] {label}: {done} of {total}, {speed:.1f} a second")

    def finish(self, name: str, steps: int, seconds_left: float | None) -> None:
        """A line, unless there was one within the second; always one at the end."""
        label, began = self._running.pop(name)
        self._done += steps
        now = self._clock()
        if steps and (now - self._last_line >= self.finished_every or self._done >= self._total):
            left = f", {left_in_words(seconds_left)}" if left_in_words(seconds_left) else ""
            self._say(f"[{self._done}/{self._total}] {label} ({now - began:.1f} s{left})")

    def note(self, sentence: str) -> None:
        """A line of its own."""
        if sentence not in self.notes:
            self.notes.append(sentence)
            self._write(f"note: {clean(sentence)}")

    def _say(self, line: str) -> None:
        self._last_line = self._clock()
        self._write(line)

    def _write(self, line: str) -> None:
        with suppress(OSError, ValueError):  # a closed pipe or a full disk under a log must not end the work
            print(line, file=self._stream, flush=True)


class Live(Silent):
    """One live block on a terminal: all steps, and a bar for each that runs."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__()
        self._stream = stream
        self._shown: Progress | None = None
        self._all: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._first: dict[TaskID, tuple[float, int]] = {}  # when the first progress came, and how much it was
        self._done = self._total = 0
        self._left = ""

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._shown = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}", markup=False),
            console=Console(file=self._stream, markup=False, emoji=False, highlight=False),
            transient=True,
        )
        self._shown.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown is not None:
            self._shown.stop()
        self._shown, self._all = None, None
        self._tasks.clear()

    def begin(self, total: int, done: int = 0) -> None:
        """A run of `total` steps, `done` of them made."""
        self._total, self._done = total, done
        if self._shown is None:
            return
        if self._all is None:
            self._all = self._shown.add_task("all steps", total=total, speed="")
        self._shown.update(self._all, total=total, completed=self._done)

    def start(self, name: str, label: str) -> None:
        """A bar for the order, which waits for its first progress."""
        if self._shown is not None:
            self._tasks[name] = self._shown.add_task(clean(label), total=None, speed="")

    def advance(self, name: str, done: int, total: int) -> None:
        """The order's bar, its speed, and the time it still needs."""
        if self._shown is None or name not in self._tasks:
            return
        now = time.monotonic()
        # Counted from the first progress: what came before it is loading, and says nothing of the speed.
        began, before = self._first.setdefault(self._tasks[name], (now, done))
        speed = ""
        if done > before and now - began > 1:
            rate = (done - before) / (now - began)
            left = f", {shown_duration((total - done) / rate)} left" if total > done else ""
            speed = f"{rate:,.0f}/s{left}"
        self._shown.update(self._tasks[name], completed=done, total=total, speed=speed)

    def finish(self, name: str, steps: int, seconds_left: float | None) -> None:
        """The order's bar goes, the bar of all steps grows."""
        self._done += steps
        if self._shown is None:
            return
        if name in self._tasks:
            self._shown.remove_task(self._tasks.pop(name))
        if self._all is not None:
            self._shown.update(self._all, completed=self._done, speed=left_in_words(seconds_left))

    def note(self, sentence: str) -> None:
        """A line above the live block."""
        if sentence not in self.notes:
            self.notes.append(sentence)
            if self._shown is not None:
                self._shown.console.print(f"note: {clean(sentence)}", markup=False, highlight=False)


_LINE_ENDS = str.maketrans("\n\r\t", "   ")


def display(stream: IO[str] | None = None, *, quiet: bool = False) -> Display:
    """The display that fits `stream` (default: stderr), or one that shows nothing. Use it in a `with`."""
    if quiet:
        return Silent()
    stream = stream if stream is not None else sys.stderr
    return Live(stream) if stream.isatty() and os.environ.get("TERM") != "dumb" else Lines(stream)


def clean(text: str) -> str:
    """Text from files and names as one line that a terminal may print."""
    return printable(text.translate(_LINE_ENDS), keep="")


def left_in_words(seconds: float | None) -> str:
    """`about 3 min left`; nothing where that is not known or under a second."""
    return f"about {shown_duration(seconds)} left" if seconds is not None and seconds >= 1 else ""
