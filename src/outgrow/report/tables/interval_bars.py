"""Intervals drawn in a line of text, for a terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 14
WIDEST = (-0.5, 1.5)  # of the common scale: a very wide interval would press all others together
SIGNS = tuple("·━●│‹›")  # ground, interval, estimate, 0 and 1, goes on to the left and to the right
PLAIN = tuple(".=o|<>")


def pgr_bars(intervals: Sequence[Mapping[str, Any]], width: int = WIDTH) -> list[str]:
    """A bar an interval, all on one scale that holds 0 and 1, both marked; nothing where there is no estimate.

    `‹` and `›` say that an interval goes on beyond the scale.
    """
    ends = [found[end] for found in intervals for end in ("estimate", "low", "high") if found[end] is not None]
    low, high = max(min([0.0, *ends]), WIDEST[0]), min(max([1.0, *ends]), WIDEST[1])
    ground, span, dot, mark, left, right = SIGNS if _written("".join(SIGNS)) else PLAIN

    def place(value: float) -> int:
        return int(min(max(math.floor((value - low) / (high - low) * (width - 1) + 0.5), 0), width - 1))

    def bar(found: Mapping[str, Any]) -> str:
        if found["estimate"] is None:
            return ""
        line = [ground] * width
        line[place(0.0)] = line[place(1.0)] = mark
        if found["low"] is not None and found["high"] is not None:
            first, last = place(found["low"]), place(found["high"])
            line[first : last + 1] = [span] * (last + 1 - first)
            if found["low"] < low:
                line[0] = left
            if found["high"] > high:
                line[-1] = right
        line[place(found["estimate"])] = dot
        return "".join(line)

    return [bar(found) for found in intervals]


def _written(signs: str) -> bool:
    """Whether the terminal's encoding has these signs."""
    try:
        signs.encode(sys.stdout.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
