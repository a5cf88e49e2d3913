"""What the answers come to, in lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from outgrow.core.text.units import plural
from outgrow.questions.audit import Audit
from outgrow.questions.estimate import FEWEST, Estimated, Estimates
from outgrow.questions.join import Joined
from outgrow.teaching.sentences import JOINS, share

SHOWN = 30  # voters in a table


def audited(found: Audit, out: Path) -> list[str]:
    """How many labels of each source are doubted, and where all of them are."""
    lines = [
        f"{one.source}: {plural(one.labels, 'label')}, of which another class is likelier than {one.doubted:,} "
        f"({one.doubted / one.labels:.0%})"
        for one in found.sources
    ]
    marked = sum(bool(one.findings) for one in found.labels)
    return [
        *lines,
        f"{plural(len(found.labels), 'label')} in {out}, those most likely wrong first; {marked:,} with a finding of their "
        "own.",
        f"Go through them in {out.with_suffix('.html')}; its export is a file for teach --learn.",
    ]


def estimated(found: Estimates) -> list[str]:
    """A table of all quantities, and what they come to."""
    lines = [f"note: {note}" for note in found.notes]
    rows = [("", "rows", "estimate (95%)", "careful labels alone", "counted", "worth")]
    for one in found.found:
        whole = "all" if one.group is None else one.group
        name = {"share": f"share of {one.of_class}", "student": "student right", "labels": "labels right"}[one.quantity]
        rows.append((f"{whole}: {name}", f"{one.rows:,}", *_numbers(one)))
    lines += columns(rows)
    few = sum(one.estimate is None for one in found.found)
    if few:
        lines.append(f"No estimate is given where there are fewer than {FEWEST} careful labels.")
    shares = [one for one in found.found if one.group is None and one.quantity == "share" and one.worth is not None]
    if shares:
        least = min(shares, key=lambda one: one.worth or 0)
        lines.append(
            f"With the student's answers, {found.careful:,} careful labels are worth {least.worth:,.0f} or more for shares."
        )
        more = None if found.needed is None else max(0, found.needed - found.careful)
        points = f"{100 * found.within:g} points"
        if more is None:
            lines.append(f"No number of careful labels brings every share within ± {points}: there are too few rows.")
        elif more:
            lines.append(f"For ± {points} on every share, label about {more:,} more, drawn at random.")
        else:
            lines.append(f"Every share is known within ± {points}.")
    return lines


def joined(found: Joined) -> list[str]:
    """How the voters were joined, and a table of what each does."""
    texts = sum(label is not None for label in found.labels)
    by = JOINS[found.by]
    lines = [
        f"{plural(int(found.votes.sum()), 'label')} of {plural(len(found.voters), 'voter')} on {texts:,} texts, joined by {by}."
    ]
    if found.tried and found.careful:
        tried = ", ".join(f"{JOINS[rule]} {_short(value)}" for rule, value in found.tried)
        right = share(asdict(found.accuracy)) if found.accuracy is not None else "none"
        lines.append(f"Of the {found.careful:,} careful texts with labels, right on: {tried}.")
        lines.append(f"What is joined is right on {right}, by cross-validation.")
    rows = [("", "labels", "of texts", "with others", "contradicted", "right (careful labels)", "right (model)")]
    for one in found.voters[:SHOWN]:
        careful = "" if one.accuracy is None else f"{share(asdict(one.accuracy))} of {one.careful:,}"
        contradicted = f"{one.conflicts / one.overlaps:.0%}" if one.overlaps else ""
        model = "" if one.by_model is None else _short(one.by_model)
        rows.append(
            (one.name, f"{one.labels:,}", f"{one.coverage:.0%}", f"{one.overlaps:,}", contradicted, careful, model)
        )
    lines += columns(rows)
    if len(found.voters) > SHOWN:
        lines.append(f"and {len(found.voters) - SHOWN:,} more: --voters writes all of them to a file.")
    lines += [f"note: {one.name!r} gives no label" for one in found.voters if not one.labels]
    return lines


def _numbers(one: Estimated) -> tuple[str, str, str, str]:
    counted = "" if one.counted is None else _short(one.counted)
    if one.estimate is None or one.low is None or one.high is None or one.alone is None:
        return "", "", counted, ""
    alone, low, high = one.alone
    worth = "" if one.worth is None else f"{one.worth:,.0f} of {one.careful:,}"
    return _between(one.estimate, one.low, one.high), _between(alone, low, high), counted, worth


def _between(value: float, low: float, high: float) -> str:
    return f"{_short(value)} ({_short(low)} … {_short(high)})"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0") if 0 <= value < 1 else f"{value:.3f}"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows in columns, the first to the left and all others to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    ]
