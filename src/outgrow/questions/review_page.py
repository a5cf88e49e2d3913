"""One HTML page to go through labels with the keyboard: right, wrong, which class instead, and a CSV of what was decided."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from outgrow.core.files import disk
from outgrow.core.identity import digest
from outgrow.report.markup import embedded


class Reviewed(Protocol):
    """A label on the page."""

    @property
    def text(self) -> str:
        """What it is about."""

    @property
    def source(self) -> str:
        """Whose label it is."""

    @property
    def label(self) -> str:
        """The class."""

    @property
    def suggested(self) -> str | None:
        """The class that is likelier."""

    @property
    def wrong(self) -> float | None:
        """How likely it is wrong."""

    @property
    def findings(self) -> tuple[str, ...]:
        """What else there is to say."""


def page(path: Path, labels: Sequence[Reviewed], classes: Sequence[str], column: str, name: str) -> None:
    """Write the page, whole or not at all. column: what the CSV calls the texts; name: what the page is about."""
    items = [
        [one.text, one.source, one.label, one.suggested, one.wrong, list(one.findings)]  # in the script's order
        for one in labels
    ]
    data = {"classes": list(classes), "column": column, "name": name, "items": items}
    data["key"] = digest(data)[:16]  # what was decided is kept by the browser, under what the page holds
    folder = files("outgrow") / "questions" / "parts"
    script, style, body = (
        (folder / part).read_text(encoding="utf-8") for part in ("review.js", "review.css", "review.html")
    )
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; script-src 'sha256-{hashed}'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    whole = (
        body.replace("<!--policy-->", policy)
        .replace("/*style*/", style)
        .replace("/*script*/", script)
        .replace("/*data*/", embedded(data))
    )
    with disk.sentences(path, "the page", "--out"), disk.replacing(path) as beside:
        beside.write_text(whole, encoding="utf-8")
