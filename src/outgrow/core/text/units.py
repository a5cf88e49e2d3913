"""Times, sizes and counts as people write them."""

from __future__ import annotations

import re

from outgrow.core.errors import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_CENTIMETRES = {"cm": 1.0, "mm": 0.1, "in": 2.54, "": 1.0}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def duration(text: str) -> float:
    """Seconds in `90s`, `5m`, `12h`, `30d` or `8w`. Raises UsageError."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*([smhdw])", text.strip())
    if not match:
        raise UsageError(
            f'"{text}" is not a time: write a number of up to 12 digits and one of s, m, h, d, w, as in 30d'
        )
    return float(match[1]) * _SECONDS[match[2]]


def centimetres(text: str) -> float:
    """Centimetres in `8.5`, `8.5cm`, `85mm` or `3.25in`. Raises UsageError."""
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,12})?)\s*(cm|mm|in|)", text.strip().lower())
    if not match:
        raise UsageError(
            f'"{text}" is not a width: write a number of centimetres, as in 8.5, or one of cm, mm, in, as in 85mm'
        )
    return float(match[1]) * _CENTIMETRES[match[2]]


def size(text: str) -> int:
    """Bytes in `500MB` or `20GB` (powers of ten). Raises UsageError."""
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,12})?)\s*([KMGT]?B)", text.strip().upper())
    if not match:
        raise UsageError(
            f'"{text}" is not a size: write a number of up to 15 digits and one of B, KB, MB, GB, TB, as in 20GB'
        )
    return int(float(match[1]) * _BYTES[match[2]])


def shown_size(count: float) -> str:
    """`3.2 GB`."""
    unit = next((unit for unit in ("TB", "GB", "MB", "KB") if count >= _BYTES[unit]), "B")
    return f"{count / _BYTES[unit]:.1f} {unit}" if unit != "B" else f"{count:.0f} B"


def shown_duration(seconds: float) -> str:
    """`45 s`, `3 min`, `2.5 h`, `4 days`."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.0f} days"


def plural(count: int, what: str, several: str = "") -> str:
    """`1 cell`, `2,000 cells`; `several` where more than an s is added."""
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"


def named(noun: str, sentence: str) -> str:
    """A sentence about texts as one about inputs that are called otherwise; names of files and options stay."""
    if noun == "text":
        return sentence
    article = "n" if noun[0] in "aeiou" else ""
    sentence = re.sub(r"\b([Aa]) text(?![\w/'-]|\.\w)", rf"\1{article} {noun}", sentence)
    return re.sub(r"(?<![\w./'-])text(s?)(?![\w/'-]|\.\w)", rf"{noun}\1", sentence)
