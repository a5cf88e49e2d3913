"""What is known of a student, in sentences written from the numbers of a `teach.Report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.core.text.units import named, plural

JOINS = {
    "mean": "their mean",
    "majority": "majority",
    "pseudo_votes": "the Dawid-Skene model with pseudo-votes",
    "one_coin": "the one-coin Dawid-Skene model",
    "wawa": "Wawa",
    "mace": "MACE",
    "glad": "GLAD",
}
Numbers = Mapping[str, Any]


def sentences(report: Numbers) -> list[str]:
    """The account in plain words, most important first."""
    return [named(report.get("noun", "text"), sentence) for sentence in _account(report)]


def _account(report: Numbers) -> list[str]:
    if report["student_accuracy"] is None:
        more = f" and {plural(report['chosen'], 'chosen careful one')}" if report.get("chosen") else ""
        of_them = "of the cheap ones" if more else "of them"
        return [
            f"The student learned {plural(report['taught'], 'cheap label')}{more} and repeats "
            f"{_percent(report['agreement'])} {of_them}.",
            "How accurate the labels and the student are cannot be known from cheap labels alone: a student that "
            "repeats them all may be worse than one that does not. Label about 200 texts with care, chosen at random "
            "from those it will meet, and give them by --truth.",
        ]
    lines = _not_better(report)
    if report["cheap_accuracy"] is not None:
        covered, careful = report["cheap_rows"], report["careful"]
        which = (
            f"all {careful:,} careful ones" if covered == careful else f"the {covered:,} of {careful:,} that have one"
        )
        how = f", joined by {JOINS[report['joined_by']]}," if report["joins"] else ""
        lines.append(f"The cheap labels{how} are right on {share(report['cheap_accuracy'])} of {which}.")
    else:
        lines.append(
            "The accuracy of the cheap labels is not known: no careful label is of a text that has a cheap one."
        )
    lines.append(
        f"The student is right on {share(report['student_accuracy'])} of all {report['careful']:,}.{_gain(report['gain'])}"
    )
    lines += _students(report)
    lines += _calibrated(report)
    lines.append(_worth(report))
    return lines


def _students(report: Numbers) -> list[str]:
    """Of several students, the log loss and the accuracy of each one's best choice, where they were tried."""
    best = best_by_student(report.get("tried", ()))
    if len(best) < 2:
        return []
    kept = min(best, key=lambda name: float(best[name]["log_loss"]))  # of equals the first, as it was chosen
    others = [name for name in best if name != kept]
    each = {name: f"{name} {_short(one['log_loss'])} ({_short(one['accuracy'])}" for name, one in best.items()}
    rest = ", ".join(f"{each[name]})" for name in others)
    return [f"Of {len(best)} students it has the least log loss: {each[kept]} right); {rest}."]


def best_by_student(tried: Sequence[Numbers]) -> dict[str, Numbers]:
    """Each student's best choice of what was tried."""
    best: dict[str, Numbers] = {}
    for one in tried:
        name = one.get("student", "")  # older versions tried one student, and noted no loss
        if name not in best or one.get("log_loss", 0.0) < best[name].get("log_loss", 0.0):
            best[name] = one
    return best


def _calibrated(report: Numbers) -> list[str]:
    """What a temperature does, where one was fitted: students saved by older versions have none."""
    found = report.get("calibration")
    if found is None:
        return []
    before, after = (_short(found[end]) for end in ("before", "after"))
    if found["applied"]:
        return [
            f"Its probabilities are calibrated by a temperature of {found['temperature']:.2f}: their calibration error is "
            f"{after}, without it {before}."
        ]
    return [
        f"Its probabilities are as learned, with a calibration error of {before}: a temperature is not shown to improve them."
    ]


def share(interval: Numbers) -> str:
    """`.843 (95%: .826 … .860)`."""
    ends = f" (95%: {_short(interval['low'])} … {_short(interval['high'])})" if interval["low"] is not None else ""
    return _short(interval["estimate"]) + ends


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0") if value < 1 else f"{value:.3f}"


def _gain(gain: Numbers | None) -> str:
    """How much the student is better, where that is shown; `_not_better` is about the rest."""
    if gain is None or gain["low"] is None or gain["low"] <= 0:
        return ""
    return f" Where both are known, it beats the cheap labels by {_points(gain)}."


def _not_better(report: Numbers) -> list[str]:
    """What comes before everything else where the student has not been shown to be better than its labels."""
    gain = report["gain"]
    if gain is None or gain["low"] is None or gain["low"] > 0:
        return []
    stronger = "try a stronger student (`outgrow list models`; --student '{finetune: minilm}')"
    if gain["high"] < 0:
        is_what = f"is worse than its cheap labels, by {_points(gain)} where both are known"
    else:
        place = "above" if gain["estimate"] >= 0 else "below"
        is_what = (
            f"is not shown to be better than its cheap labels: it is {place} them by {_points(gain)} where both are known, "
            "and 0 is inside"
        )
    if gain["estimate"] > 0:
        what_to_do = f"It may well be: more careful labels of texts that have cheap ones would tell; or {stronger}."
    else:
        what_to_do = (
            f"Where a text has a cheap label, keep that; for texts without one, {stronger} or give more careful labels."
        )
    return [f"Warning: the student {is_what}. {what_to_do}"]


def _points(gain: Numbers) -> str:
    points, low, high = (100 * gain[end] for end in ("estimate", "low", "high"))
    return f"{abs(points):.1f} points (95%: {low:+.1f} … {high:+.1f})"


def _worth(report: Numbers) -> str:
    worth, careful = report["worth"], report["careful"]
    labels = plural(report["taught"], "cheap label") + (" alone" if report["mixed"] else "")
    verb = "are" if report["taught"] != 1 else "is"
    if report.get("chosen"):  # the students that are compared learned these too
        labels = f"{plural(report['taught'], 'cheap label')} with {plural(report['chosen'], 'chosen careful one')}"
        verb = "are"
    if worth is None and not report.get("worth_counted", True):
        return "How many careful labels would have done as well was not counted: the same command without --no-worth counts it."
    if worth is None:
        return (
            f"How many careful labels would have done as well cannot be estimated from {careful}: the curve of students "
            "taught by careful labels alone begins at 25 of them and needs 37 or more."
        )
    low, high = (_size(worth, end) for end in ("low", "high"))
    interval = f"{low} … {high}" if low != high else low
    reach = ", which is as far as your careful labels reach" if worth["estimate"] is None else ""
    return f"Your {labels} {verb} worth {_size(worth, 'estimate')} careful ones{reach} (95%: {interval})."


def _size(worth: Numbers, end: str) -> str:
    """A number of labels; 0 and None mean that it lies before and beyond the curve."""
    if worth[end] is None:
        return f"more than {worth['largest']:,}"
    return f"{worth[end]:,.0f}" if worth[end] else f"fewer than {worth['smallest']:,}"


def _percent(value: float) -> str:
    return f"{100 * value:.0f}%"
