"""Which method, student or supervisor does best, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.core.text.entry_names import display
from outgrow.core.text.units import plural
from outgrow.report.words.summary import SHOWN, Named
from outgrow.results.compare import Comparison

ASKED = {"method": "Which method?", "strong": "Which student?", "weak": "Which supervisor?"}
MOST = 4  # of the compared are named one by one


def which(found: Comparison, named: Named = str) -> str:
    """The answer by paired differences from the reference, whose p are corrected for all of them (Holm, 1979).

    `named` is what becomes of a name on its way into the sentence.
    """
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in found.rows:
        rows.setdefault(display(row[found.by]), []).append(row)
    wins = {name: sum(_shown(row) > 0 for row in members) for name, members in rows.items()}
    losses = {name: sum(_shown(row) < 0 for row in members) for name, members in rows.items()}
    against = named(found.against)
    corrected = (
        "" if len(found.rows) == 1 else f" (p with Holm's correction for {plural(len(found.rows), 'comparison')})"
    )
    if not any(wins.values()) and not any(losses.values()):
        others = named(next(iter(rows))) if len(rows) == 1 else "any other"
        return f"{ASKED[found.by]} No difference is shown between {against} and {others}{corrected}."
    order = sorted(rows, key=lambda name: (losses[name] - wins[name], -_mean(rows[name])))
    compared = [_one(name, rows[name], wins[name], losses[name], named) for name in order[:MOST]]
    more = f"; {len(order) - MOST:,} more are in the comparison" if len(order) > MOST else ""
    return f"{ASKED[found.by]} Against {against}{corrected}: {'; '.join(compared)}{more}."


def _one(name: str, rows: Sequence[Mapping[str, Any]], wins: int, losses: int, named: Named) -> str:
    points = f"{100 * _mean(rows):+.1f}".replace("-", "−")
    if len(rows) == 1:
        verdict = "more accurate" if wins else "less accurate" if losses else "no difference shown"
        return f"{named(name)} {verdict} ({points} points)"
    parts = [f"more accurate in {wins:,}"] if wins else []
    parts += [f"less accurate in {losses:,}"] if losses else []
    verdict = " and ".join(parts) or "no difference shown in any"
    return f"{named(name)} {verdict} of {plural(len(rows), 'pair')} ({points} points on average)"


def _shown(row: Mapping[str, Any]) -> float:
    """The difference where it is shown, else 0. Over seeds alone nothing is: the noise of the test set is left out."""
    p = row["difference"]["p_holm"]
    return float(row["difference"]["estimate"]) if p is not None and p < SHOWN and row["covers"] != "seeds" else 0.0


def _mean(rows: Sequence[Mapping[str, Any]]) -> float:
    return sum(float(row["difference"]["estimate"]) for row in rows) / len(rows)
