"""Whether a page shows what a command prints, up to the last digits that another processor may turn."""

from __future__ import annotations

import re

NUMBER = re.compile(r"(?<![\w.])-?(?:\d+(?:,\d{3})+|\d*\.\d+|\d+)")
DRAWN = re.compile(r"[\s\u00b7\u2500-\u257f\u25cf-]+")  # blanks, bars, borders of tables
CLOSE = 0.004  # of a share: a processor that adds in another order may turn a row or two of some hundreds
CLOSE_COUNT = 0.03  # of a number of labels, which such a share is turned into, or one


def assert_alike(shown: str, printed: str, what: str) -> None:
    """Fails where the words differ, or a number by more than another processor explains."""
    assert _words(shown) == _words(printed), f"{what} prints:\n{printed}"
    for there, here in zip(_numbers(shown), _numbers(printed), strict=True):
        whole = there == int(there) and here == int(here)
        near = max(1.0, CLOSE_COUNT * abs(there)) if whole and min(there, here) > 1 else CLOSE
        assert abs(there - here) <= near, f"{what} prints {here} where the page shows {there}:\n{printed}"


def _words(text: str) -> str:
    return DRAWN.sub(" ", NUMBER.sub("#", text)).strip()


def _numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]
