"""What came out, in sentences written from the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.core.text.entry_names import display
from outgrow.core.text.units import plural
from outgrow.report.tables.cell_tables import short, undetermined
from outgrow.report.words.summary import EFFECTS, NONE, SHOWN, effect
from outgrow.results.cells import OVERLAP
from outgrow.results.diagnostics.no_supervisor import BEYOND
from outgrow.results.statistics.comparison import holm


def verdict(cell: Mapping[str, Any], p: float | None, among: int = 1) -> str:
    """One cell in plain words: what was gained and recovered, and how sure one can be.

    `p` is of the gain, corrected for the `among` cells that are listed together.
    """
    student, weak, method = display(cell["strong"]), display(cell["weak"]), display(cell["method"])
    who = f"{student}, taught by {weak} with {method} on {cell['task']},"
    pgr = cell["pgr"]
    if pgr["status"] != "ok":
        return f"{who} {_undefined(cell, p, among)}{_caveat(cell)}"
    gap = (
        f"reaches {_share(cell['student_accuracy'])}: its supervisor reaches {_share(cell['weak_accuracy'])}, "
        f"and the same model taught the truth {_share(cell['ceiling_accuracy'])}"
    )
    share = f"{100 * pgr['estimate']:.0f}% of the gap"
    if undetermined(pgr):
        share = f"a share of the gap that is not determined (95% interval {100 * pgr['low']:.0f}% to {100 * pgr['high']:.0f}%)"
    elif pgr["low"] is not None and pgr["high"] is not None:
        share += f" (95% interval {100 * pgr['low']:.0f}% to {100 * pgr['high']:.0f}%)"
    return f"{who} {gap}. It recovers {share}, {_gained(cell['gain'])}: {_shown(cell, p, among)}.{_caveat(cell)}"


def _gained(gain: Mapping[str, Any]) -> str:
    points = f"a gain of {100 * gain['estimate']:+.1f} points"
    if gain["low"] is None or gain["high"] is None:
        return points
    return f"{points} ({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})"


def _shown(cell: Mapping[str, Any], p: float | None, among: int) -> str:
    found = effect(cell, p)
    if found == NONE and cell["gain"]["p"] < SHOWN:
        return (
            f"alone it would be beyond chance, but not as one of the {among} cells listed (p {_p(cell['gain']['p'])}, with "
            f"Holm's correction {_p(p)})"
        )
    return EFFECTS[found]


def _p(value: float | None) -> str:
    return "unknown" if value is None else "below .001" if value < 0.001 else f"{value:.3f}".lstrip("0")


def _undefined(cell: Mapping[str, Any], p: float | None, among: int) -> str:
    student, gain = cell["student_accuracy"], cell["gain"]
    reached = f"reaches {_share(student)}" if student["estimate"] is not None else "has no accuracy"
    if gain["estimate"] is not None:
        reached += (
            f": its supervisor reaches {_share(cell['weak_accuracy'])}, {_gained(gain)}: {_shown(cell, p, among)}"
        )
    match cell["pgr"]["status"].removeprefix("undefined: "):
        case "ceiling not above weak":
            return (
                f"{reached}. PGR is undefined: no gap to recover has been shown, since the same model taught the truth "
                f"reaches {_share(cell['ceiling_accuracy'])}."
            )
        case "no truth on transfer":
            return f"{reached}. PGR is undefined: without true labels on transfer there is no ceiling."
        case "weak labels do not cover test":
            return (
                f"{reached}. PGR is undefined: the weak labels leave test rows out, so that the supervisor's own "
                "accuracy is not known there."
            )
        case reason:
            return f"{reached}. PGR is undefined: {reason}."


def _caveat(cell: Mapping[str, Any]) -> str:
    more = (
        f" Such students {cell['more_than_ceiling']}, and the ceiling does not." if "more_than_ceiling" in cell else ""
    )
    if cell["covers"] == "examples":
        return (
            f"{more} One seed tells nothing of other seeds: these intervals hold the noise of the test examples alone."
        )
    return more


def _share(interval: Mapping[str, Any]) -> str:
    return f"{interval['estimate']:.3f}"


def verdicts(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every cell's sentence, in the order of the cells; p-values are corrected (Holm 1979) over them all."""
    corrected = holm([cell["gain"]["p"] for cell in cells])
    return [verdict(cell, p, len(cells)) for cell, p in zip(cells, corrected, strict=True)]


def agreements(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each student makes of its supervisor's mistakes; and over the cells, what goes with gain."""
    return [*(_agreement(cell) for cell in cells if cell.get("agreement")), *correlations(cells)]


def correlations(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Over four cells or more, whether misfit and overlap density go with gain."""
    found = [cell["agreement"] for cell in cells if cell.get("agreement")]
    sentences = []
    for key, what in (
        ("misfit", "misfit (how often student and supervisor differ)"),
        (OVERLAP, "overlap density (the share of transfer rows that are easy for the supervisor and hard at once)"),
    ):
        pairs = [(one[key]["estimate"], one["gain"]["estimate"]) for one in found if key in one]
        correlation = _correlation(pairs) if len(pairs) >= 4 else None
        if correlation is not None:
            sentences.append(
                f"Over these {len(pairs)} cells, {what} and gain correlate at "
                f"{correlation:.2f}; with so few, and with cells that share data, that is a description and no test."
            )
    return sentences


def _agreement(cell: Mapping[str, Any]) -> str:
    student, weak, method = display(cell["strong"]), display(cell["weak"]), display(cell["method"])
    who = f"{student}, taught by {weak} with {method} on {cell['task']},"
    found = cell["agreement"]
    copied, alone, beyond = (
        found[key] for key in ("mistakes_copied", "copied_if_independent", "copied_beyond_independent")
    )
    if copied["status"] != "ok":
        return f"{who} agrees with it on {_share(found['agreement'])} of the test rows; {copied['status']}."
    share, corrected = (f"{100 * found[key]['estimate']:.0f}%" for key in ("mistakes_copied", "mistakes_corrected"))
    expected = f"two models of these accuracies with independent errors would share {100 * alone['estimate']:.0f}%"
    if beyond["low"] is not None and beyond["low"] > 0:
        expected += ", clearly fewer"
    elif beyond["high"] is not None and beyond["high"] < 0:
        expected += ", clearly more"
    ceiling = found.get("mistakes_of_ceiling", copied)
    if ceiling is not copied and ceiling["status"] == "ok":
        taught = (
            f"taught the truth, the same model makes {100 * ceiling['estimate']:.0f}% of them without having seen any"
        )
        expected = f"{expected}; {taught}"
    return (
        f"{who} makes {share} of its supervisor's mistakes too and corrects {corrected}; {expected}."
        f"{_residual(found)}{_overlap(found)}"
    )


def _residual(found: Mapping[str, Any]) -> str:
    """What the student's gain in squared distance leaves of its misfit."""
    if "misfit_residual" not in found or found["misfit_residual"]["low"] is None:  # of an older run, or of one row
        return ""
    gained, apart, left = (found[key] for key in ("squared_gain", "squared_misfit", "misfit_residual"))
    direction = "above" if left["low"] > 0 else "below" if left["high"] < 0 else "not distinguishable from"
    return (
        f" In squared distance it gains {short(gained['estimate'])} and differs by {short(apart['estimate'])}: the gain "
        f"is {direction} the misfit ({short(left['estimate'])}, 95% interval {short(left['low'])} to {short(left['high'])})."
    )


def _overlap(found: Mapping[str, Any]) -> str:
    """How many of the rows that the student learns from could carry what it finds beyond its supervisor."""
    if OVERLAP not in found:
        return ""
    return (
        f" Of the rows that it learns from, {100 * found[OVERLAP]['estimate']:.0f}% are overlap: easy for the supervisor, and "
        "like those that are hard for it."
    )


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Pearson's, of at least two pairs; None where one side does not vary."""
    means = [sum(values) / len(values) for values in zip(*pairs, strict=True)]
    apart = [(x - means[0], y - means[1]) for x, y in pairs]
    xx, yy, xy = (
        sum(a * b for a, b in products) for products in ([(x, x) for x, _ in apart], [(y, y) for _, y in apart], apart)
    )
    return float(xy / (xx * yy) ** 0.5) if xx > 0 and yy > 0 else None


def equivalents(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each student is worth beside no supervisor, in true labels, and on the ladder of students taught the truth."""
    sentences = []
    for cell in cells:
        if cell.get(BEYOND) and cell[BEYOND]["estimate"] is not None:
            sentences.append(_beyond(cell))
        if cell.get("equivalent_labels"):
            sentences.append(_labels(cell))
        if cell.get("equivalent_supervision"):
            sentences.append(_supervision(cell))
    return sentences


def _beyond(cell: Mapping[str, Any]) -> str:
    found = cell[BEYOND]
    who = f"{display(cell['strong'])}, taught by {display(cell['weak'])} with {display(cell['method'])} on {cell['task']},"
    shown = found["p"] is not None and found["p"] < SHOWN and found["estimate"] > 0
    doubt = "" if shown else ": that it needs its supervisor has not been shown"
    return f"{who} has {_gained(found)} over {found['without']}, the best of what needs no supervisor{doubt}."


def _labels(cell: Mapping[str, Any]) -> str:
    found, student = cell["equivalent_labels"], display(cell["strong"])
    who = f"{student}, taught by {display(cell['weak'])} with {display(cell['method'])} on {cell['task']},"
    least, most = (f"{found[key]:,}" for key in ("smallest", "largest"))

    def in_labels(count: int | None) -> str:
        return f"more than {most}" if count is None else f"{count:,}" if count else f"fewer than {least}"

    low, high = in_labels(found["low"]), in_labels(found["high"])
    interval = "" if low == high else f" (95% interval {low} to {high})"
    reached = found["status"] if found["status"] != "ok" else in_labels(found["estimate"])
    return f"{who} does as well as {reached} true labels would make it{interval}."


def _supervision(cell: Mapping[str, Any]) -> str:
    found = cell["equivalent_supervision"]
    who = (
        f"Taught by {display(cell['weak'])} with {display(cell['method'])} on {cell['task']}, {display(cell['strong'])}"
    )
    ends = sorted({_rung(found["low"]), _rung(found["high"])})
    interval = ends[0] if len(ends) == 1 else f"from {_rung(found['low'])} to {_rung(found['high'])}"
    return f"{who} is {_rung(found['estimate'])} trained on the truth (95% interval: {interval})."


def _rung(between: Sequence[str | None]) -> str:
    lower, upper = between
    if lower is None:
        return f"below {upper}"
    if upper is None:
        return f"above {lower}"
    return f"level with {lower}" if lower == upper else f"between {lower} and {upper}"


def controls(held: Sequence[Mapping[str, Any]], *, short: bool = False) -> list[str]:
    """A line per control, those that failed first; `short`: those that passed only as a count."""
    order = ("failed", "noticed", "ok")
    first = sorted(held, key=lambda control: order.index(control["status"]))
    words = {"failed": "FAILED", "noticed": "notice", "ok": "ok"}
    passed = sum(control["status"] == "ok" for control in held)
    lines = [
        f"{words[control['status']]}: {control['control']}: {control['says']}"
        for control in first
        if control["status"] != "ok" or not short
    ]
    return [*lines, f"{passed} of {plural(len(held), 'control')} passed"] if short and held else lines
