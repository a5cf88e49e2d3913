"""A whole run in three sentences, written from its cells: what was asked, what came out, how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from outgrow.core.text.entry_names import display
from outgrow.report.tables.cell_tables import NAMES, undetermined
from outgrow.results.statistics.comparison import holm

Cell = Mapping[str, Any]
Named = Callable[[str], str]

ABOVE, BELOW, NONE, SEEDS, UNSURE, UNDEFINED = "above", "below", "none", "seeds", "unsure", "undefined"
SHOWN = 0.05  # what a corrected p is below where an effect counts as shown
EFFECTS = {
    ABOVE: "the student outgrows its supervisor beyond chance",
    BELOW: "the student falls below its supervisor beyond chance",
    NONE: "no effect has been shown",
    SEEDS: "over these seeds alone; the test set's own noise is left out, so that no effect has been shown",
    UNSURE: "nothing tells how sure that is",
}


def summary(cells: Sequence[Cell], named: Named = str) -> tuple[str, str, str]:
    """The question, the outcome, and its uncertainty. Of no cells, it says that there are none yet.

    `named` is what becomes of a name, which may hold anything, on its way into a sentence.
    """
    if not cells:
        return "Nothing has been measured yet.", "No cell is finished.", "Numbers and their uncertainty follow."
    return _asked(cells, named), _outcome(cells[0]) if len(cells) == 1 else _outcomes(cells, named), _certainty(cells)


def effect(cell: Cell, p: float | None) -> str:
    """What a cell's gain shows, by its p corrected for the cells listed with it: above, below, or none.

    seeds: the interval leaves the test set's noise out, so that nothing has been shown; unsure: there is no p at all.
    """
    if cell["covers"] == "seeds":
        return SEEDS
    if p is None:
        return UNSURE
    return NONE if p >= SHOWN else ABOVE if cell["gain"]["estimate"] > 0 else BELOW


def effects(cells: Sequence[Cell]) -> list[str]:
    """Every cell's effect, with Holm's (1979) correction over all of them; undefined where PGR is."""
    corrected = holm([cell["gain"]["p"] for cell in cells])
    return [
        UNDEFINED if cell["pgr"]["estimate"] is None else effect(cell, p)
        for cell, p in zip(cells, corrected, strict=True)
    ]


def _asked(cells: Sequence[Cell], named: Named) -> str:
    tasks, weak, strong, methods = (
        [named(one) for one in _names(cells, name)] for name in ("task", "weak", "strong", "method")
    )
    students = _listed(strong, "strong students", "or")
    size = _size(cells)
    return (
        f"Asked: what share of the gap between the weak supervisor and a ceiling taught the truth does {students} recover on "
        f"{_listed(tasks, 'tasks', 'or')}, taught by {_listed(weak, 'weak supervisors', 'or')} with "
        f"{_listed(methods, 'methods', 'or')} ({size})?"
    )


def _size(cells: Sequence[Cell]) -> str:
    seeds = sorted({len(cell["seeds"]) for cell in cells})
    tests = sorted({int(cell["n_test"]) for cell in cells if cell["n_test"] is not None})
    parts = [] if len(cells) == 1 else [f"{len(cells):,} cells"]
    parts.append(f"{_span(seeds)} {'seed' if seeds == [1] else 'seeds'}{'' if len(cells) == 1 else ' each'}")
    if tests:  # of accuracies alone nobody knows
        parts.append(f"{_span(tests)} test examples")
    return ", ".join(parts)


def _outcome(cell: Cell) -> str:
    student, weak, ceiling = (cell[f"{role}_accuracy"] for role in ("student", "weak", "ceiling"))
    (found,) = effects([cell])
    if found == UNDEFINED:
        reached = (
            f"The student reaches {_interval(student)}" if student["estimate"] is not None else "There is no accuracy"
        )
        reason = _reason(cell)
        if weak["estimate"] is not None and ceiling["estimate"] is not None:
            return (
                f"{reached} where its supervisor reaches {_interval(weak)}, and PGR is undefined: no gap to recover has been "
                f"shown, since the ceiling reaches {_interval(ceiling)}. {_gain(cell)}."
            )
        return f"{reached}, and PGR is undefined: {reason}."
    of = "" if undetermined(cell["pgr"]) else " of the gap"
    return (
        f"The student reaches {_interval(student)} where its supervisor reaches {_interval(weak)} and the ceiling "
        f"{_interval(ceiling)}, so it recovers {_share(cell['pgr'])}{of}: {EFFECTS[found]}."
    )


def _gain(cell: Cell) -> str:
    shown = {
        ABOVE: "The student's gain over its supervisor is beyond chance",
        BELOW: "The student falls below its supervisor beyond chance",
    }
    found = effect(cell, cell["gain"]["p"])
    return f"{shown.get(found, 'No gain over its supervisor has been shown')}: {_interval(cell['gain'])}"


def _outcomes(cells: Sequence[Cell], named: Named) -> str:
    found = effects(cells)
    count = Counter(found)
    n = len(cells)
    clauses = []
    if count[ABOVE]:
        clauses.append(f"the student outgrows its supervisor beyond chance in {_of(count[ABOVE], n)}")
    if count[BELOW]:
        clauses.append(f"it falls below its supervisor beyond chance in {_of(count[BELOW], n)}")
    if count[NONE]:
        clauses.append(f"no effect has been shown in {_of(count[NONE], n)}")
    if count[UNSURE]:
        clauses.append(f"nothing tells how sure the numbers of {_of(count[UNSURE], n)} are")
    if count[SEEDS]:
        clauses.append(
            f"in {_of(count[SEEDS], n)} the noise of the test set is left out, so that no effect has been shown"
        )
    if count[UNDEFINED]:
        reasons = Counter(_reason(cell) for cell, one in zip(cells, found, strict=True) if one == UNDEFINED)
        why = ", ".join(reason if len(reasons) == 1 else f"{reason} in {times:,}" for reason, times in reasons.items())
        clauses.append(f"PGR is undefined in {_of(count[UNDEFINED], n)} ({why})")
    if {ABOVE, BELOW, NONE} & count.keys():
        clauses[0] += f" (p with Holm's correction for {n:,})"
    sentence = ("; ".join(clauses) if len(clauses) > 1 else clauses[0]) + _range(cells, named)
    return sentence[0].upper() + sentence[1:] + "."


def _range(cells: Sequence[Cell], named: Named) -> str:
    defined = sorted(
        (cell for cell in cells if cell["pgr"]["estimate"] is not None and not undetermined(cell["pgr"])),
        key=lambda cell: cell["pgr"]["estimate"],
    )
    if not defined:
        return ""
    if len(defined) == 1:
        return f"; the one share that is defined is {_share(defined[0]['pgr'], _who(defined[0], cells, named))}"
    least, most = (_share(cell["pgr"], _who(cell, cells, named)) for cell in (defined[0], defined[-1]))
    return f"; the share recovered runs from {least} to {most}"


def _certainty(cells: Sequence[Cell]) -> str:
    covers = Counter(cell["covers"] for cell in cells)
    n = len(cells)
    if set(covers) == {"nothing"}:
        return "Nothing tells how sure these numbers are: it takes several seeds, or the predictions behind the accuracies."
    if set(covers) == {"examples"}:
        text = (
            "One seed tells nothing of other seeds: the 95% intervals hold the noise of the test examples alone, and "
            "another seed may give another answer"
        )
    elif set(covers) == {"seeds"}:
        text = "The 95% intervals are over seeds alone: the noise of the test set itself is left out"
    elif set(covers) <= {"seeds and examples", "few seeds and examples"}:
        text = "The 95% intervals hold the noise of training seeds and of test examples at once"
    else:
        less = n - covers["seeds and examples"] - covers["few seeds and examples"]
        text = (
            "The 95% intervals hold the noise of training seeds and of test examples at once, except in "
            f"{_of(less, n)}, where they hold only a part of it"
        )
    if n > 1:
        misses = f", so that about {n * 0.05:,.0f} of {n:,} may miss" if n >= 20 else ""
        text += f"; each is a cell's own{misses}, and the best of several cells is partly luck"
    if all(
        cell["pgr"]["status"].endswith(("ceiling not above weak", "ceiling not better than weak")) for cell in cells
    ):
        text += "; a gap to recover takes a weaker supervisor, a stronger student, or more test examples to tell the two apart"
    return text + "."


def _of(count: int, n: int) -> str:
    if count == n:
        return f"all {n:,} cells" if n > 2 else "both cells"
    return f"{count:,} of {n:,} cells"


def _reason(cell: Cell) -> str:
    return str(cell["pgr"]["status"]).removeprefix("undefined: ")


def _share(pgr: Mapping[str, Any], who: str = "") -> str:
    ends = (
        []
        if pgr["low"] is None or pgr["high"] is None
        else [f"95% interval {_percent(pgr['low'])} to {_percent(pgr['high'])}"]
    )
    within = "; ".join([*ends, *([who] if who else [])])
    share = "a share of the gap that is not determined" if undetermined(pgr) else _percent(pgr["estimate"])
    return share + (f" ({within})" if within else "")


def _percent(value: float) -> str:
    return f"{round(100 * value)}%".replace("-", "−")


def _interval(interval: Mapping[str, Any]) -> str:
    if interval["estimate"] is None:
        return "no accuracy"
    ends = "" if interval["low"] is None else f" [{interval['low']:.3f}, {interval['high']:.3f}]"
    return f"{interval['estimate']:.3f}{ends}"


def _who(cell: Cell, cells: Sequence[Cell], named: Named) -> str:
    """The names that tell this cell from the others."""
    return ", ".join(named(display(cell[name])) for name in NAMES if len(_names(cells, name)) > 1)


def _names(cells: Sequence[Cell], name: str) -> list[str]:
    return list(dict.fromkeys(display(cell[name]) for cell in cells))


def _listed(names: Sequence[str], many: str, last: str) -> str:
    if len(names) > 3:
        return f"each of {len(names):,} {many}"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def _span(values: Sequence[int]) -> str:
    return f"{values[0]:,}" if len(values) == 1 else f"{values[0]:,} to {values[-1]:,}"
