"""The report on a phone, on paper, for a screen reader, and of data that want to do something."""

import re
from pathlib import Path
from typing import Any

import pytest
from browser import Opened, column, written
from grids import grid

LONG = "long" * 100
HOSTILE = [
    "<script>window.hit = 1</script>",
    "</script><script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "</style><svg onload=window.hit=1>",
    "\u202eright to left\u2066 \u200f\u05d0\u05d1",
    "\"quotes\" 'and' `more` ${window.hit = 1} {{ 7 * 7 }}",
    "line\u2028paragraph\u2029end & &amp; &lt;",
    "emoji 🦉👩‍🔬, =SUM(A1), ]]> --> <!-- ",
    LONG,
    "datum['estimate'] \\n \\u003c/script\\u003e javascript:window.hit=1",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(grid(tmp_path_factory.mktemp("report") / "grid", curves=True))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = {
        "weak": [f"static:{HOSTILE[0]}", f"={LONG}"],
        "strong": [f"probe:{HOSTILE[2]}", f"probe:{HOSTILE[4]}"],
        "methods": [HOSTILE[5], HOSTILE[7]],
        "tasks": [HOSTILE[1]],
    }
    folder = tmp_path_factory.mktemp("report") / "hostile"
    return written(
        grid(folder, **names, texts=HOSTILE, classes=HOSTILE[:3], seeds=[0, 1], notes=HOSTILE, yaml="\n".join(HOSTILE))
    )


@pytest.mark.parametrize("which", ["run", "hostile"])
def test_a_phone_never_scrolls_sideways(browser: Any, which: str, request: pytest.FixtureRequest) -> None:
    shown = Opened(browser, request.getfixturevalue(which), viewport={"width": 390, "height": 844})
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
    shown.page.locator("details summary:visible").first.click()
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
    shown.page.select_option("#sort-by", "pgr")
    values = [float(value) for value in column(shown.page, "pgr") if value]
    assert values == sorted(values, reverse=True)
    shown.close()


@pytest.mark.parametrize("which", ["run", "hostile"])
def test_print_cuts_no_table(browser: Any, which: str, request: pytest.FixtureRequest) -> None:
    """A4 less its margins is 688 pixels of CSS wide."""
    shown = Opened(browser, request.getfixturevalue(which), viewport={"width": 688, "height": 900})
    shown.page.emulate_media(media="print")
    cut = shown.page.evaluate(
        "[...document.querySelectorAll('table, tr, td, th, pre, figure, .chart svg, li, p')]"
        ".filter(one => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1)"
        ".map(one => one.outerHTML.slice(0, 200))"
    )
    assert cut == []
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 688
    assert not shown.page.locator("#filter").is_visible()
    assert shown.page.pdf(format="A4").startswith(b"%PDF")
    shown.close()


def test_hostile_data_do_nothing(browser: Any, hostile: Path) -> None:
    shown = Opened(browser, hostile)
    page = shown.page
    for select in ("#example-cell", "select.panel"):
        for one in page.locator(select).all():
            one.select_option(index=1)
    for details in page.locator("details summary:visible").all():
        details.click()
    point = page.locator("#figure-pgr .mark-symbol.role-mark path").first
    point.scroll_into_view_if_needed()
    point.hover(force=True)
    page.locator("#vg-tooltip-element.visible").wait_for()
    for _ in range(20):
        if page.locator("#example-more").is_visible():
            page.click("#example-more")
    assert page.evaluate("window.hit") is None
    asked = page.locator(".asked").text_content()
    assert "<script>window.hit = 1</script>" in asked
    assert not set("\u202e\u2066\u200f") & set(asked)
    # Nothing of the sentence runs from right to left: each of its words after the name stands right of that before it.
    places = page.evaluate(
        "(() => { const text = document.querySelector('.asked').lastChild; const range = document.createRange();"
        " return [...text.data.matchAll(/[a-z]+/g)].slice(-3).map((word) => { range.setStart(text, word.index);"
        " range.setEnd(text, word.index + 1); const box = range.getBoundingClientRect(); return [box.top, box.left]; }); })()"
    )
    assert places == sorted(places)
    assert page.locator("main script:not([type='application/json']), main img, main iframe, main style").count() == 0
    texts = " ".join(page.locator(".example-text").all_text_contents())
    for text in HOSTILE:
        assert text in texts
    assert page.locator("#made code").text_content() == "\n".join(HOSTILE)
    assert [note.text_content() for note in page.locator(".notes li").all()] == HOSTILE
    assert f"={LONG}" in column(page, "weak")
    with page.expect_download() as waited:
        page.click("#cells-csv")
    lines = Path(waited.value.path()).read_text(encoding="utf-8").splitlines()
    assert any(line.startswith(f"'={LONG}") for line in lines)
    assert not any(re.search(r'(^|,)"?[=+@]', line) for line in lines)
    shown.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_access(browser: Any, run: Path, scheme: str) -> None:
    from importlib.resources import files

    shown = Opened(browser, run, color_scheme=scheme)
    for details in shown.page.locator("details summary:visible").all():
        details.click()
    shown.page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = shown.page.evaluate("axe.run()")["violations"]
    serious = [
        (one["id"], [node["html"][:200] for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    shown.close()
