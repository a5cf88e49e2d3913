"""What came out, in sentences written from the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.core.entry_names import display


def verdict(cell: Mapping[str, Any]) -> str:
    """One cell in plain words: what was recovered, and how sure one can be."""
    student, weak, method = display(cell["strong"]), display(cell["weak"]), display(cell["method"])
    who = f"{student}, taught by {weak} with {method} on {cell['task']},"
    pgr = cell["pgr"]
    if pgr["status"] != "ok":
        return f"{who} {_undefined(cell)}"
    gap = (
        f"reaches {_share(cell['student_accuracy'])}: its supervisor reaches {_share(cell['weak_accuracy'])}, "
        f"and the same model taught the truth {_share(cell['ceiling_accuracy'])}"
    )
    return f"{who} {gap}. {_recovered(pgr)}{_caveat(cell)}"


def _recovered(pgr: Mapping[str, Any]) -> str:
    share = f"{100 * pgr['estimate']:.0f}%"
    if pgr["low"] is None or pgr["high"] is None:
        return f"That is {share} of the gap, with nothing to tell how sure that is."
    interval = f"(95% interval {100 * pgr['low']:.0f}% to {100 * pgr['high']:.0f}%)"
    if pgr["low"] > 0:
        return f"It recovers {share} of the gap {interval}: the student outgrows its supervisor beyond chance."
    if pgr["high"] < 0:
        return f"It recovers {share} of the gap {interval}: the student falls below its supervisor beyond chance."
    return f"It recovers {share} of the gap {interval}: with 0 inside, no effect has been shown."


def _undefined(cell: Mapping[str, Any]) -> str:
    student = cell["student_accuracy"]
    reached = f"reaches {_share(student)}" if student["estimate"] is not None else "has no accuracy"
    match cell["pgr"]["status"].removeprefix("undefined: "):
        case "ceiling not above weak":
            weak, ceiling = _share(cell["weak_accuracy"]), _share(cell["ceiling_accuracy"])
            return (
                f"{reached}, but there is no gap to recover: the same model taught the truth reaches {ceiling}, "
                f"which is not above its supervisor's {weak} beyond chance. PGR is undefined.{_caveat(cell)}"
            )
        case "no truth on transfer":
            return f"{reached}. PGR is undefined: without true labels on transfer there is no ceiling.{_caveat(cell)}"
        case "weak labels do not cover test":
            return (
                f"{reached}. PGR is undefined: the weak labels leave test rows out, so that the supervisor's own "
                f"accuracy is not known there.{_caveat(cell)}"
            )
        case reason:
            return f"{reached}. PGR is undefined: {reason}.{_caveat(cell)}"


def _caveat(cell: Mapping[str, Any]) -> str:
    if cell["covers"] == "examples":
        return " One seed tells nothing of other seeds: these intervals hold the noise of the test examples alone."
    return ""


def _share(interval: Mapping[str, Any]) -> str:
    return f"{interval['estimate']:.3f}"


def verdicts(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every cell's sentence, in the order of the cells."""
    return [verdict(cell) for cell in cells]


def agreements(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each student makes of its supervisor's mistakes; and over the cells, whether misfit goes with gain."""
    sentences = [_agreement(cell) for cell in cells if cell.get("agreement")]
    pairs = [
        (cell["agreement"]["misfit"]["estimate"], cell["agreement"]["gain"]["estimate"])
        for cell in cells
        if cell.get("agreement")
    ]
    if len(pairs) >= 4:
        correlation = _correlation(pairs)
        if correlation is not None:
            sentences.append(
                f"Over these {len(pairs)} cells, misfit (how often student and supervisor differ) and gain correlate at "
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
    return f"{who} makes {share} of its supervisor's mistakes too and corrects {corrected}; {expected}."


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Pearson's, of at least two pairs; None where one side does not vary."""
    means = [sum(values) / len(values) for values in zip(*pairs, strict=True)]
    apart = [(x - means[0], y - means[1]) for x, y in pairs]
    xx, yy, xy = (
        sum(a * b for a, b in products) for products in ([(x, x) for x, _ in apart], [(y, y) for _, y in apart], apart)
    )
    return float(xy / (xx * yy) ** 0.5) if xx > 0 and yy > 0 else None


def equivalents(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each student is worth in true labels, and on the ladder of students taught the truth."""
    sentences = []
    for cell in cells:
        if cell.get("equivalent_labels"):
            sentences.append(_labels(cell))
        if cell.get("equivalent_supervision"):
            sentences.append(_supervision(cell))
    return sentences


def _labels(cell: Mapping[str, Any]) -> str:
    found, student = cell["equivalent_labels"], display(cell["strong"])
    who = f"{student}, taught by {display(cell['weak'])} with {display(cell['method'])} on {cell['task']},"
    least, most = (f"{found[key]:,}" for key in ("smallest", "largest"))

    def said(count: int | None) -> str:
        return f"more than {most}" if count is None else f"{count:,}" if count else f"fewer than {least}"

    low, high = said(found["low"]), said(found["high"])
    interval = "" if low == high else f" (95% interval {low} to {high})"
    reached = found["status"] if found["status"] != "ok" else said(found["estimate"])
    return f"{who} does as well as {reached} true labels would make it{interval}."


def _supervision(cell: Mapping[str, Any]) -> str:
    found = cell["equivalent_supervision"]
    who = (
        f"Taught by {display(cell['weak'])} with {display(cell['method'])} on {cell['task']}, {display(cell['strong'])}"
    )
    ends = sorted({_rung(found["low"]), _rung(found["high"])})
    interval = ends[0] if len(ends) == 1 else f"from {_rung(found['low'])} to {_rung(found['high'])}"
    return f"{who} does as well as {_rung(found['estimate'])} taught the truth (95% interval: {interval})."


def _rung(between: Sequence[str | None]) -> str:
    lower, upper = between
    if lower is None:
        return f"something below {upper}"
    if upper is None:
        return f"something above {lower}"
    return str(lower) if lower == upper else f"something between {lower} and {upper}"


def controls(held: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line a control; those that failed come first."""
    order = ("failed", "noticed", "ok")
    first = sorted(held, key=lambda control: order.index(control["status"]))
    said = {"failed": "FAILED", "noticed": "notice", "ok": "ok"}
    return [f"{said[control['status']]}: {control['control']}: {control['says']}" for control in first]
