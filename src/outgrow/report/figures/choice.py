"""Which figures become files: those that are named, all, or the few that a paper usually needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outgrow.core.errors import UsageError
from outgrow.core.registry import nearest
from outgrow.core.text.units import plural
from outgrow.report.figures.catalogue import ALL
from outgrow.report.figures.figure import Drawn, Figure, drawn
from outgrow.report.scene import Scene

EVERY = "all"
USUAL = ("accuracy", "pgr_weak_strong", "pgr", "paper", "tasks")
MOST_PANELS = 6  # of a figure that nobody named


@dataclass(frozen=True)
class Choice:
    """The figures to write, and those with something to show that are left out."""

    figures: Sequence[Drawn]
    left_out: Sequence[Drawn] = ()

    def described(self) -> str:
        """What is left out, and how to have it; nothing where all is written."""
        if not self.left_out:
            return ""
        names = ", ".join(f"{one.name} ({plural(len(one.panels), 'panel')})" for one in self.left_out)
        return f"left out: {names}; --only NAME,NAME or --only {EVERY} writes them"


def named(only: str | None) -> list[Figure] | None:
    """The figures of these names, between commas, in the report's order; None where none is named. Raises UsageError."""
    if only is None:
        return None
    known = list(dict.fromkeys(figure.name for figure in ALL))
    asked = [name.strip() for name in only.split(",")]
    wrong = [name for name in asked if name not in (*known, EVERY)]
    if wrong:
        known = [*known, EVERY]
        raise UsageError(*(f'report: --only: there is no figure "{name}"{nearest(name, known)}' for name in wrong))
    return [figure for figure in ALL if figure.name in asked or EVERY in asked]


def chosen(figures: Sequence[Figure] | None, scene: Scene) -> Choice:
    """The figures that were named; else of the usual ones those with few panels."""
    if figures is not None:
        return Choice(drawn(figures, scene))
    made = drawn(ALL, scene)
    few = [one for one in made if one.name in USUAL and len(one.panels) <= MOST_PANELS]
    return Choice(few, [one for one in made if one not in few])
