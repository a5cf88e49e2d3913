"""Cells of a CSV file as a spreadsheet may open them: no name in them becomes a formula."""

from __future__ import annotations

import re
from typing import Any

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?%?")


def harmless(value: Any) -> str:
    """One CSV value: numbers in full, nothing as nothing, a text that would be a formula with an apostrophe in front."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return repr(value)
    formula = value.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r")) and not _NUMBER.fullmatch(value.strip())
    return f"'{value}" if formula else value
