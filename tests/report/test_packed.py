"""Numbers as the page holds them, packed into texts."""

from __future__ import annotations

import json
from typing import Any

from browser import chromium

from outgrow.report.markup import brief, packed
from outgrow.report.page import _part


def test_numbers_are_texts_that_the_script_reads() -> None:
    asked: list[list[int]] = [[-1, 0, 1, 34], [0, 35, 100], [], [-1], [2000, 7, 46655 - 1]]
    assert [packed(one) for one in asked] == ["1012z", "201102t", "1", "10", "31jl008zzz"]
    with chromium() as browser:
        page: Any = browser.new_page()
        page.add_script_tag(content=_part("shared.js") + ";window.unpacked = unpacked;")
        assert page.evaluate("texts => texts.map(unpacked)", [packed(one) for one in asked]) == asked


def test_numbers_lose_what_nobody_reads() -> None:
    assert (
        json.dumps([brief(value) for value in (0.6999999999999998, 1 / 3, 7, "x", None)])
        == '[0.7, 0.333333, 7, "x", null]'
    )
