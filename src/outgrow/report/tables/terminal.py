"""Tables that fit a terminal: what is the same in every row leaves, then what matters least, and names are cut last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

LONGEST_WORD = 16  # of a name, for which room is kept; a longer one may be cut with …
SHORTEST_WORD = 8  # where that does not fit
TIGHT = 100  # columns of a terminal, from which on a table has lines between its columns


@dataclass(frozen=True)
class Column:
    """A column of texts.

    shorter: texts for where these do not fit. leaves: the column of the highest number leaves first, after its shorter
    texts were tried; 0: it stays, with its shorter texts where names would be cut so that two look alike. is_name: it wraps
    at spaces, and a word that is too long ends in …; others are not cut.
    """

    title: str
    texts: Sequence[str]
    shorter: Sequence[str] | None = None
    leaves: int = 0
    is_name: bool = False

    def width(self, longest_word: int = LONGEST_WORD) -> int:
        """Characters that it needs."""
        if self.is_name:
            words = [word for text in (self.title, *self.texts) for word in text.split()]
            return min(max((len(word) for word in words), default=1), longest_word)
        return max(len(line) for text in (self.title, *self.texts) for line in (text.splitlines() or [""]))


def without_constants(columns: Sequence[Column]) -> tuple[list[Column], list[tuple[str, str]]]:
    """The columns that tell rows apart, and of the others title and text. One row has nothing to be distinguished from."""
    if not columns or len(columns[0].texts) < 2:
        return list(columns), []
    constant = [column for column in columns if len(set(column.texts)) == 1]
    return (
        [column for column in columns if column not in constant],
        [(column.title, column.texts[0]) for column in constant if column.texts[0]],
    )


def fitted(columns: Sequence[Column], width: int, title: str = "", caption: str = "") -> Table:
    """A rich table of columns within `width` characters, as far as numbers allow."""
    from rich.box import HEAVY_HEAD, SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    tight = width < TIGHT
    shown = list(columns)
    while _needed(shown, tight) > width and any(column.leaves for column in shown):
        place = max(range(len(shown)), key=lambda place: (shown[place].leaves, shown[place].shorter is not None))
        column = shown[place]
        if column.shorter is not None:
            shown[place] = Column(column.title, column.shorter, None, column.leaves, column.is_name)
        else:
            del shown[place]
    lengths = _lengths(shown, tight, width)
    for place, column in enumerate(shown):
        if lengths is None and column.shorter is not None:
            shown[place] = Column(column.title, column.shorter, None, 0, column.is_name)
            lengths = _lengths(shown, tight, width)
    lengths = lengths or [SHORTEST_WORD] * len(shown)
    narrow = {"box": SIMPLE_HEAD, "show_edge": False, "pad_edge": False, "padding": (0, 1, 0, 0)}
    look: dict[str, Any] = narrow if tight else {"box": HEAVY_HEAD}
    table = Table(title=title or None, caption=caption or None, **look)
    spare = width - _needed(shown, tight, lengths)
    for column, length in zip(shown, lengths, strict=True):
        if column.is_name:
            room = column.width(length)
            whole = max(map(len, (column.title, *column.texts)))  # on one line
            more = max(0, min(spare, whole - room))
            spare -= more
            table.add_column(column.title, overflow="ellipsis", width=room + more)
        else:
            table.add_column(column.title, no_wrap=True, min_width=min(column.width(), width))
    for row in zip(*(column.texts for column in shown), strict=True):
        table.add_row(*map(Text, row))
    return table


def _lengths(columns: Sequence[Column], tight: bool, width: int) -> list[int] | None:
    """How long words of each column's names may be: as much as there is room for, and enough to tell them apart.

    None where there is not enough room for that.
    """
    least = [_least(column) for column in columns]
    for longest in range(LONGEST_WORD, SHORTEST_WORD - 1, -1):
        lengths = [max(longest, one) for one in least]
        if _needed(columns, tight, lengths) <= width:
            return lengths
    return None


def _least(column: Column) -> int:
    """The shortest length at which a column's names are told apart once longer words are cut."""
    names = {tuple(name.split()) for name in column.texts} if column.is_name else set()
    longest = max((len(word) for name in names for word in name), default=0)
    for length in range(SHORTEST_WORD, longest):
        if len({tuple(word[: length - 1] if len(word) > length else word for word in name) for name in names}) == len(
            names
        ):
            return length
    return max(longest, SHORTEST_WORD)


def _needed(columns: Sequence[Column], tight: bool, lengths: Sequence[int] | None = None) -> int:
    between = 2 * len(columns) - 2 if tight else 3 * len(columns) + 1  # a tight table has no edge
    each = lengths or [LONGEST_WORD] * len(columns)
    return sum(column.width(length) for column, length in zip(columns, each, strict=True)) + between
