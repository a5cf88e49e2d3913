"""Debian's chromium through Playwright, for tests of pages: skips with the reason where missing, fails where CI is set."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from outgrow.report import page
from outgrow.report.scene import read

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser, for the length of the block."""
    place = os.environ.get("OUTGROW_CHROMIUM") or shutil.which("chromium")
    if place is None:
        missing("there is no chromium: `apt-get install chromium`, or set OUTGROW_CHROMIUM to one")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed: `pip install -e '.[test]'`")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=place, args=FLAGS)
        yield browser
        browser.close()


def missing(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(f"the page is not tested in a browser: {reason}")


class Opened:
    """A page that was opened, and all that it said and asked for."""

    def __init__(self, browser: Any, address: str | Path, **context: Any) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **context})
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address if isinstance(address, str) else address.as_uri())
        self.page.wait_for_selector("html[data-drawn]", state="attached")

    def close(self) -> None:
        """It said nothing, and asked for nothing but itself; a blob is something that it made."""
        own = self.page.url.partition("#")[0]
        others = [url for url in self.asked if url != own and not url.startswith(("blob:", "data:"))]
        self.context.close()
        assert self.said == []
        assert others == []


def written(folder: Path) -> Path:
    """A run folder's report."""
    page.write(read([folder]), folder / "report.html")
    return folder / "report.html"


def column(page: Any, name: str) -> list[str]:
    """The values of a column of the cells, as they are shown."""
    place = page.eval_on_selector_all("#cells-table th", "heads => heads.map(head => head.dataset.column)").index(name)
    rows = "#cells-table tbody tr:not([hidden])"
    return page.eval_on_selector_all(rows, f"rows => rows.map(row => row.cells[{place}].dataset.value)")
