"""Text of unknown origin on its way into a page: HTML, JSON in a script tag, and names whose direction is their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MARKS = (2, 3, 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))


def safe(text: str) -> Any:
    """Text that jinja2 puts into the page as it is: only for what this package wrote or escaped itself."""
    from markupsafe import Markup

    return Markup(text)


def embedded(value: Any) -> str:
    """JSON for a script tag: no character of it ends the tag or a line, or is a sign of HTML."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def brief(value: Any) -> Any:
    """A number with six decimals, which a page shows at most three of; anything else as it is."""
    return round(value, 6) if isinstance(value, float) else value


def packed(values: Iterable[int]) -> str:
    """Whole numbers from -1 on as one text, a third of their JSON: how many digits each has, then each and one in base 36.

    `unpacked` in shared.js reads it.
    """
    numbers = [value + 1 for value in values]
    width = 1
    while max(numbers, default=0) >= 36**width:
        width += 1
    powers = [36**place for place in reversed(range(width))]
    return str(width) + "".join(DIGITS[number // power % 36] for number in numbers for power in powers)


def isolated(name: str) -> str:
    """A name between marks that become a <bdi>: one written from right to left must not turn its sentence around.

    Without its own marks of direction, one too many of which would end the <bdi>'s.
    """
    return f"\x02{name.translate(dict.fromkeys(MARKS))}\x03"


def breakable(name: str) -> Any:
    """A name as HTML that may break after its slashes, and in a word of over 18 characters."""
    from markupsafe import escape

    pieces = [piece for part in re.split(r"(?<=[/\\])", name) for piece in re.findall(r"(?s)\s+|\S{1,18}", part)]
    return safe("<wbr>".join(str(escape(piece)) for piece in pieces))


def sentence(text: str) -> Any:
    """A sentence as HTML, its `isolated` names each in a <bdi>."""
    from markupsafe import escape

    return safe(str(escape(text)).replace("\x02", "<bdi>").replace("\x03", "</bdi>"))
