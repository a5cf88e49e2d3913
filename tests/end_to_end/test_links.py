"""Links between the pages lead somewhere, and every page of docs can be reached from its index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from places import DOCS, ROOT

PAGES = [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
LINK = re.compile(r"(?<!`)\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


def prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, no punctuation, a hyphen for each space."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(prose(page)):
        to = (page.parent / target).resolve() if target else page
        assert to.exists(), f"{page.name}: {target} does not exist"
        assert not anchor or anchor in anchors(to), f"{page.name}: {target} has no heading #{anchor}"


def test_the_index_leads_to_every_page() -> None:
    index = DOCS / "index.md"
    linked = {(DOCS / target).resolve() for target, _ in LINK.findall(prose(index))}
    assert {page.resolve() for page in DOCS.rglob("*.md")} - {index.resolve()} <= linked
