"""A page that follows a run: served on this machine alone, under an address that nobody can guess, made when asked for.

The run knows nothing of who looks: a page is made in the server's thread from what lies in the store, and only when a
browser asks. What is in the store is whole, so nothing has to be locked.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from outgrow.core import local_server
from outgrow.core.local_server import Reply, Service
from outgrow.execution.progress import Display
from outgrow.execution.store import Store
from outgrow.experiment.collect import collect
from outgrow.experiment.planning.plan import Plan
from outgrow.report.page import render
from outgrow.report.scene import Live, Pending, ReportedRun
from outgrow.results.cells import Scored
from outgrow.results.predictions import OWN
from outgrow.results.run_results import Results

ASKED_LATELY = 10.0  # seconds: a browser that follows asks every two
CELL = ("task", "weak", "strong", "method")
PATIENCE = 10  # a page is not made again before this many times what the last one took


@dataclass(frozen=True)
class Page:
    """What the server answers with, and its mark: the same mark, the same page."""

    content: bytes
    mark: str


class Board:
    """A run's observer: keeps how far it is, and makes the page of that."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.steps = (0, 0)  # made, of all
        self._plan: Plan | None = None
        self._store: Store | None = None
        self._ended: Page | None = None
        self._seen = float("-inf")  # when a browser last asked
        self._last_page_fetched = threading.Event()  # a browser has the last page
        self._lock = threading.Lock()
        self._known: tuple[object, ReportedRun | None, Sequence[Pending]] = (None, None, ())
        self._page: tuple[object, Page] | None = None
        self._not_before = float("-inf")

    def planned(self, plan: Plan, store: Store) -> None:
        """The run is planned. A store of its own is opened: what one thread verifies is not the other's."""
        self._plan, self._store = plan, Store(store.root)

    def finished(self, page: str) -> None:
        """The run has ended, and this is its report. Waits a moment for a browser that follows to fetch it."""
        self._ended = _page(page)
        if time.monotonic() - self._seen < ASKED_LATELY:
            self._last_page_fetched.wait(ASKED_LATELY)

    def page(self) -> Page:
        """The page as it is now, or as it was a moment ago."""
        self._seen = time.monotonic()
        if self._ended is not None:
            self._last_page_fetched.set()
            return self._ended
        with self._lock:
            done = self._done()
            state = (self._plan is None, len(done), self.steps)
            if self._page and (state == self._page[0] or time.monotonic() < self._not_before):
                return self._page[1]
            began = time.monotonic()
            reported, pending = self._so_far(done)
            live = Live(*self.steps, pending)
            page = _page(render([reported] if reported else [], live, self.title))
            self._page = (state, page)
            self._not_before = time.monotonic() + PATIENCE * (time.monotonic() - began)
            return page

    def _done(self) -> set[int]:
        """The numbers of the runs whose every step is in the store."""
        if self._plan is None or self._store is None:
            return set()
        has = self._store.has
        return {number for number, run in enumerate(self._plan.runs) if all(has(step.key) for step in run.wanted)}

    def _so_far(self, done: set[int]) -> tuple[ReportedRun | None, Sequence[Pending]]:
        """The cells of which all seeds are done, with their predictions; and the rest."""
        if self._plan is None or self._store is None:
            return None, ()
        if self._known[0] == len(done):
            return self._known[1:]
        together: dict[tuple[str, str, str, str], list[int]] = {}
        for number, run in enumerate(self._plan.runs):
            together.setdefault((run.task, run.weak.name, run.strong.name, run.method.name), []).append(number)
        finished = [self._plan.runs[number] for runs in together.values() if done.issuperset(runs) for number in runs]
        pending = [
            Pending({"run": self.title, "test_set": OWN, **dict(zip(CELL, names, strict=True))}, ready, len(runs))
            for names, runs in together.items()
            if (ready := len(done.intersection(runs))) < len(runs)
        ]
        reported = None
        if finished:
            store = self._store
            asked, tables, notes = collect(
                replace(self._plan, runs=tuple(finished)), lambda step: store.folder(step.key)
            )
            results = Results.compute(asked, tables, {}, notes, names=self._plan.experiment.names)
            reported = ReportedRun(self.title, results, asked, Scored(tables), self._plan.experiment.to_yaml())
        self._known = (len(done), reported, pending)
        return reported, pending


def _page(text: str) -> Page:
    content = text.encode("utf-8", "replace")
    return Page(content, f'"{hashlib.sha256(content).hexdigest()}"')


class Listening:
    """A display that tells a board how many steps are made, and another display everything."""

    def __init__(self, board: Board, display: Display) -> None:
        self._board, self._display = board, display

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def begin(self, total: int, done: int = 0) -> None:
        """Counts."""
        self._board.steps = (done, total)
        self._display.begin(total, done)

    def start(self, name: str, label: str) -> None:
        """Passed on."""
        self._display.start(name, label)

    def advance(self, name: str, done: int, total: int) -> None:
        """Passed on."""
        self._display.advance(name, done, total)

    def finish(self, name: str, steps: int, seconds_left: float | None) -> None:
        """Counts."""
        self._board.steps = (self._board.steps[0] + steps, self._board.steps[1])
        self._display.finish(name, steps, seconds_left)

    def note(self, sentence: str) -> None:
        """Passed on."""
        self._display.note(sentence)


@contextmanager
def serve(board: Board) -> Iterator[str]:
    """Serve the board's page while the block runs; its address, with a token without which nothing is answered."""

    def answer(mark: str) -> Reply:
        page = board.page()
        kept = secrets.compare_digest(mark.encode("utf-8", "replace"), page.mark.encode())
        headers = {"ETag": page.mark, "Content-Type": "text/html; charset=utf-8"}
        return Reply(304 if kept else 200, b"" if kept else page.content, headers)

    with local_server.serve(Service(get=answer)) as address:
        yield address
