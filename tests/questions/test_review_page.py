"""The page that labels are gone through on: by keys, on a phone, in the dark, and of texts that want to do something."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from browser import Opened

from outgrow.questions.audit import AuditedLabel
from outgrow.questions.review_page import page

HOSTILE = [
    "<script>window.hit = 1</script>",
    "</script><script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    '=HYPERLINK(1), "quoted"\nand a line',
    "\u202eright to left " + "long" * 200,
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    labels = [AuditedLabel(text, HOSTILE[0], "no", "yes", 0.9, 1, (HOSTILE[2],)) for text in HOSTILE]
    labels.append(AuditedLabel("an answer off the list", "rule", "perhaps", None, None, 2, ("abstains",)))
    page(tmp_path / "page.html", labels, ["no", "yes", HOSTILE[1]], "sentence", "<b>labels</b>")
    return tmp_path / "page.html"


def exported(shown: Opened, press: str) -> list[list[str]]:
    with shown.page.expect_download() as download:
        shown.page.keyboard.press(press)
    return list(csv.reader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))


def test_by_keys_and_kept_by_the_browser(browser: Any, path: Path) -> None:
    shown = Opened(browser, path)
    for key in ("r", "w", "3", "u", "w"):
        shown.page.keyboard.press(key)
    assert shown.page.text_content("#place") == "6 of 6"
    assert shown.page.text_content("#progress") == "<b>labels</b>: 5 of 6 decided"
    shown.page.keyboard.press("r")  # what is no class cannot be right
    assert exported(shown, "e") == [
        ["sentence", "label", "source", "was"],
        [HOSTILE[0], "no", HOSTILE[0], "no"],
        [HOSTILE[1], "yes", HOSTILE[0], "no"],
        [HOSTILE[2], HOSTILE[1], HOSTILE[0], "no"],
        ["'" + HOSTILE[3], "", HOSTILE[0], "no"],
        [HOSTILE[4], "yes", HOSTILE[0], "no"],
    ]
    shown.page.reload()
    shown.page.wait_for_selector("html[data-drawn]", state="attached")
    assert shown.page.text_content("#decision") == "decided: right"
    shown.page.keyboard.press("c")
    shown.page.keyboard.press("ArrowRight")
    shown.page.keyboard.press("k")
    assert shown.page.text_content("#decision") == ""
    assert shown.page.text_content("#progress") == "<b>labels</b>: 4 of 6 decided"
    shown.page.click("#next")
    assert shown.page.text_content("#decision") == "decided: yes"
    assert shown.page.evaluate("window.hit") is None
    shown.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_in_light_and_dark(browser: Any, path: Path, scheme: str) -> None:
    shown = Opened(browser, path, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    for _ in range(5):
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
        shown.page.keyboard.press("j")
    ground, ink = (
        shown.page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")
    )
    assert (ground, ink) == (
        ("rgb(255, 255, 255)", "rgb(26, 29, 33)") if scheme == "light" else ("rgb(20, 22, 26)", "rgb(233, 235, 238)")
    )
    assert shown.page.evaluate("window.hit") is None
    shown.close()


def test_it_is_accessible(browser: Any, path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    shown = Opened(browser, path)
    found = Axe().run(shown.page, options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert [one["id"] for one in found.response["violations"]] == []
    shown.context.close()


def test_a_page_of_no_labels(browser: Any, tmp_path: Path) -> None:
    page(tmp_path / "page.html", [], ["no", "yes"], "text", "labels")
    shown = Opened(browser, tmp_path / "page.html")
    shown.page.keyboard.press("w")
    assert shown.page.text_content("#progress") == "labels: 0 of 0 decided"
    shown.close()
