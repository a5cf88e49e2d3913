"""A comparison in sentences that can be quoted: the difference, its interval, the test and its correction, and n."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outgrow.core.text.entry_names import display
from outgrow.core.text.units import plural
from outgrow.report.tables.cell_tables import short
from outgrow.results.compare import Comparison
from outgrow.results.predictions import OWN


def quotable(found: Comparison) -> list[str]:
    """One sentence for each difference, then for each mean over tasks, then the notes."""
    sentences = [_sentence(row, found, len(found.rows)) for row in found.rows]
    means = [row for row in found.across if "difference" in row]
    sentences += [_mean(row, found, len(means)) for row in means]
    return [*sentences, *(f"note: {note}" for note in found.notes)]


def _sentence(row: Mapping[str, Any], found: Comparison, count: int) -> str:
    seeds, tests = plural(len(row["seeds"]), "seed"), plural(row["n_test"], "test example")
    if found.by == "task":
        how = f"unpaired, {seeds} and {tests} of {row['task']}"
    elif row["covers"] == "examples":
        how = f"paired over {tests} of one seed"
    else:
        how = f"paired over {seeds} and {tests}"
    where = "" if found.by == "task" else f"On {row['task']}{_tested(row)}, "
    return where + _claim(row, found, how, count)


def _tested(row: Mapping[str, Any]) -> str:
    return "" if row["test_set"] == OWN else f" tested on {row['test_set']}"


def _mean(row: Mapping[str, Any], found: Comparison, count: int) -> str:
    tasks = plural(len(row["tasks"]), "task")
    over = f"Over {tasks}{_tested(row)}, on average,"
    return f"{over} {_claim(row, found, f'mean of {tasks}, each paired', count)} {_of_others(row, count)}"


def _of_others(row: Mapping[str, Any], count: int) -> str:
    """What the tasks say of the tasks that they are a sample of."""
    over = row["tasks_drawn"]
    if over["low"] is None:
        return "They do not vary, so that nothing follows for other tasks."
    test = _test(over["p_holm"], count)
    text = (
        f"Over the tasks that these are a sample of, the mean is {_points(over['estimate'])} points (95% interval "
        f"{_points(over['low'])} to {_points(over['high'])}; random effects, Hartung & Knapp; {test})"
    )
    ends = over["new_task"]
    return f"{text}." if ends is None else f"{text}; a new task's lies within {_points(ends[0])} to {_points(ends[1])}."


def _claim(row: Mapping[str, Any], found: Comparison, how: str, count: int) -> str:
    difference = row["difference"]
    points = 100 * difference["estimate"]
    subject, other = _sides(row, found)
    interval = (
        f"95% interval {_points(difference['low'])} to {_points(difference['high'])}"
        if difference["low"] is not None
        else "no interval"
    )
    p = difference["p_holm"]
    test = _test(p, count)
    if p is not None and p < 0.05:
        text = f"{subject} is {abs(points):.1f} points {'more' if points > 0 else 'less'} accurate than {other}"
    else:
        text = f"no difference is shown between {subject} and {other}: {_points(difference['estimate'])} points"
    return f"{text} ({interval}; {how}; {test})."


def _test(p: float | None, count: int) -> str:
    if p is None:
        return "p not known"
    value = "p < .001" if p < 0.001 else f"p = {short(p)}"
    return f"{value} with Holm's correction over {count} comparisons" if count > 1 else value


def _sides(row: Mapping[str, Any], found: Comparison) -> tuple[str, str]:
    strong, weak, method = (display(row[axis]) for axis in ("strong", "weak", "method"))
    match found.by:
        case "method":
            return f"{strong} trained on labels of {weak} with {method}", f"with {found.against}"
        case "weak":
            return f"{strong} trained with {method} on labels of {weak}", f"on labels of {found.against}"
        case "strong":
            return f"{strong} trained on labels of {weak} with {method}", found.against
    return f"{strong} trained on labels of {weak} with {method} on {row['task']}", f"on {found.against}"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")
