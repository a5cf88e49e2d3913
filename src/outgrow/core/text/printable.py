"""Text from data, names, files and plug-ins as a terminal may print it: nothing in it that a terminal obeys."""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"  # part of the spelling of words in several scripts, and of emoji; no terminal acts on them


def printable(text: str, keep: str = "\n") -> str:
    """`text` with control, escape and direction characters and half surrogate pairs written out, as in `\\x1b`.

    keep: characters that stay as they are. Spaces of every width become plain ones.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep or one in _JOINERS else _written(one) for one in text)


def printable_json(text: str) -> str:
    """A JSON text in which every character that a terminal obeys is a JSON escape: the same value when it is read."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t\r" or one in _JOINERS else _escaped(one) for one in text)


def _written(one: str) -> str:
    return " " if unicodedata.category(one) == "Zs" else one.encode("unicode_escape").decode("ascii")


def _escaped(one: str) -> str:
    data = one.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[place : place + 2].hex()}" for place in range(0, len(data), 2))
