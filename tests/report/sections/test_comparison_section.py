"""The comparison on the page: every reference's differences, and the sentence at the top that answers "which method?"."""

from pathlib import Path
from typing import Any

from browser import Opened, chromium, written
from grids import grid

from outgrow.report.markup import breakable
from outgrow.report.scene import Scene, read
from outgrow.report.words.which import which
from outgrow.results.compare import Comparison


def row(method: str, estimate: float, p: float | None, covers: str = "seeds and examples") -> dict[str, Any]:
    return {"method": method, "difference": {"estimate": estimate, "p_holm": p}, "covers": covers}


def asked(*rows: dict[str, Any]) -> str:
    return which(Comparison("method", "naive", rows, [], []))


def test_which_method() -> None:
    assert asked(row("product", 0.02, 0.01)) == "Which method? Against naive: product more accurate (+2.0 points)."
    assert asked(row("product", -0.02, 0.05)) == "Which method? No difference is shown between naive and product."
    assert asked(row("product", 0.02, 0.01, "seeds")) == asked(row("product", -0.02, None))
    several = [row("a", -0.03, 0.001), row("a", 0.01, 0.4), row("b", 0.04, 0.001), row("b", 0.02, 0.9)]
    assert asked(*several) == (
        "Which method? Against naive (p with Holm's correction for 4 comparisons): b more accurate in 1 of 2 pairs "
        "(+3.0 points on average); a less accurate in 1 of 2 pairs (−1.0 points on average)."
    )


def test_names_break_at_slashes_and_are_escaped() -> None:
    assert str(breakable("a/<b> c")) == "a/<wbr>&lt;b&gt; c".replace("&gt; c", "&gt;<wbr> <wbr>c")
    assert str(breakable("x" * 20)) == "x" * 18 + "<wbr>xx"


def test_the_reader_chooses_the_reference(tmp_path: Path) -> None:
    folder = grid(tmp_path / "run", tasks=["one", "other"], strong=["probe:one"], seeds=[0, 1], n=80)
    found = Scene(read([folder])).comparisons["grid"]
    assert [one.against for one in found] == ["naive", "confidence"]
    estimates = [sorted(row["difference"]["estimate"] for row in one.rows) for one in found]
    assert estimates[0] == sorted(-value for value in estimates[1])
    with chromium() as browser:
        shown = Opened(browser, written(folder), viewport={"width": 390, "height": 800})
        tables = shown.page.locator(".compared-table:visible")
        assert tables.count() == 2
        assert tables.nth(1).locator("tbody tr").count() == 4
        assert "naive" in shown.page.locator(".which").text_content()
        first = tables.nth(0).text_content()
        shown.page.select_option(".against", "1")
        assert tables.count() == 2
        assert tables.nth(0).text_content() != first
        assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shown.close()
