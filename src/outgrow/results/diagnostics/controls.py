"""Controls of a run: shuffled labels, no teacher, a student as its own teacher, and the noise of seeds, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from outgrow.results.cells import RunToScore, Scored, cells_of, on_own, plain_ceilings, written
from outgrow.results.diagnostics.no_supervisor import UNTRAINED, best_of, supervised, without_supervisor
from outgrow.results.diagnostics.shares import TRUE_LABELS
from outgrow.results.metrics.controls import beyond_chance, chance
from outgrow.results.metrics.scores import Contributions
from outgrow.results.predictions import ModelKey
from outgrow.results.statistics.intervals import Interval, accuracy, contrast
from outgrow.results.statistics.recovery import recovery

SHUFFLED, OWN_WEAK, OWN_STUDENT = "shuffled", "own_weak", "own_student"  # roles in predictions.parquet
ALARM = 0.99  # level of the interval that a leak must leave: with many cells, 95% would cry too often

Control = dict[str, Any]
Cell = Sequence[RunToScore]


def control_rows(asked: Sequence[RunToScore], scored: Scored) -> list[Control]:
    """One mapping a control: which, of what, its interval, `ok`, `noticed` or `failed`, and a sentence."""
    cells = cells_of(on_own(asked))
    found: dict[tuple[Any, ...], Control] = {}
    for runs in cells:
        first = runs[0]
        task, weak, strong = first.task, first.weak.name, first.strong.name
        found.setdefault(("shuffled", task, weak, strong), _shuffled(runs, scored))
        found.setdefault(("own", task, weak, strong), _own(runs, scored))
        found.setdefault(("noise", task, strong, *_whose(runs)), _noise(runs, scored))
        found["teacher", *first.cell] = _no_teacher(runs, cells, scored)
        found["pretraining", *first.cell] = _no_pretraining(runs, cells, scored)
    order = ("shuffled", "teacher", "pretraining", "own", "noise")
    made = sorted(
        ((order.index(key[0]), control) for key, control in found.items() if control), key=lambda pair: pair[0]
    )
    return [control for _, control in made]


def _whose(runs: Cell) -> tuple[str, ...]:
    ceiling = runs[0].models["ceiling"]
    return () if ceiling is None else tuple(name for name in (ceiling.weak, ceiling.method) if name is not None)


def _predicted(models: Sequence[ModelKey], scored: Scored) -> Any:
    """Class numbers `[seeds, n]`; None where a run has no such model."""
    if any(model not in scored.tables.probabilities for model in models):
        return None
    rows = [scored.hard(model) for model in models]
    return None if any(row is None for row in rows) else np.stack(rows)  # type: ignore[arg-type]


def _names(first: RunToScore, *parts: str) -> Control:
    return {"task": first.task} | {part: getattr(first, part).written for part in parts}


def _shuffled(runs: Cell, scored: Scored) -> Control:
    first, test = runs[0], scored.test(runs[0].task)
    predicted = _predicted([ModelKey(r.task, SHUFFLED, r.weak.name, r.strong.name, None, r.seed) for r in runs], scored)
    if predicted is None:
        return {}
    expected = chance(predicted, test.truth, len(test.classes), test.strata)
    beyond = beyond_chance(predicted, test.truth, len(test.classes), scored.groups(first.task), ALARM, test.strata)
    reached = float((predicted == test.truth).mean())
    who = f"{first.strong.name} taught shuffled labels of {first.weak.name} on {first.task}"
    leaks = beyond.low is not None and beyond.low > 0
    text = f"{who} reaches {_short(reached)}, and chance is {_short(expected)}"
    return {
        "control": "shuffled labels",
        **_names(first, "weak", "strong"),
        "accuracy": written(accuracy(predicted == test.truth, scored.groups(first.task))),
        "chance": expected,
        "beyond_chance": written(beyond),
        "status": "failed" if leaks else "ok",
        "says": f"{text}: something leaks" if leaks else f"{text}: no sign that it saw the truth beyond its labels",
    }


def _no_teacher(runs: Cell, cells: Sequence[Cell], scored: Scored) -> Control:
    """The best of what needs no supervisor: the commonest class, students that never learn, elicitation without labels."""
    first, test = runs[0], scored.test(runs[0].task)
    right = scored.table([run.models["student"] for run in runs])
    if right is None or not supervised(runs):
        return {}
    majority = float(np.bincount(test.truth).max() / len(test.truth))
    best, beyond, text = _beyond(runs, right, without_supervisor(runs, cells, scored), scored)
    return {
        "control": "no teacher",
        **_names(first, "weak", "strong", "method"),
        "majority": majority,
        "without_supervisor": best,
        "beyond_no_supervisor": written(beyond),
        **_shown(
            beyond,
            text,
            "it is above what needs no supervisor",
            "that it needs a supervisor for what it reaches has not been shown",
        ),
    }


def _no_pretraining(runs: Cell, cells: Sequence[Cell], scored: Scored) -> Control:
    """The best student of untrained features that learned of the same supervisor by the same method, where the run has one."""
    first = runs[0]
    right = scored.table([run.models["student"] for run in runs])
    if right is None or not supervised(runs) or first.facts.get(UNTRAINED):
        return {}
    tables = {}
    for others in cells:
        other = others[0]
        of_same = (other.task, other.weak.name, other.method.name) == (first.task, first.weak.name, first.method.name)
        if not other.facts.get(UNTRAINED) or not of_same or [r.seed for r in others] != [r.seed for r in runs]:
            continue
        table = scored.table([run.models["student"] for run in others])
        if table is not None:
            tables[other.strong.name] = table
    if not tables:
        return {}
    best, beyond, text = _beyond(runs, right, tables, scored, ", taught the same,")
    return {
        "control": "no pretraining",
        **_names(first, "weak", "strong", "method"),
        "untrained": best,
        "beyond_untrained": written(beyond),
        **_shown(
            beyond,
            text,
            "its pretraining makes the difference",
            "that what it recovers comes from pretraining has not been shown",
        ),
    }


def _beyond(
    runs: Cell, right: Contributions, tables: Mapping[str, Contributions], scored: Scored, how: str = ""
) -> tuple[str, Interval, str]:
    """The best of what stands beside a cell's student, the student's difference from it, and what both reach, in words."""
    first, best = runs[0], best_of(tables)
    without = tables[best] > 0.5
    beyond = contrast(np.stack([right > 0.5, without]), [1, -1], scored.groups(first.task))
    who = f"{first.strong.name}, taught by {first.weak.name} with {first.method.name} on {first.task}"
    reached, other = (_short(float(table.mean())) for table in (right, without))
    return best, beyond, f"{who}, reaches {reached}; {best}{how} reaches {other}"


def _shown(beyond: Interval, text: str, shown: str, otherwise: str) -> Control:
    """Whether a student is above what stands beside it beyond chance, and the sentence."""
    above = beyond.low is not None and beyond.low > 0
    return {"status": "ok" if above else "failed", "says": f"{text}: {shown if above else otherwise}"}


def _own(runs: Cell, scored: Scored) -> Control:
    """The student's model as its own supervisor, with the rows of the cell's: the PGR that needs no stronger student."""
    first, test = runs[0], scored.test(runs[0].task)
    teacher, student = (
        _predicted([ModelKey(r.task, role, r.weak.name, r.strong.name, None, r.seed) for r in runs], scored)
        for role in (OWN_WEAK, OWN_STUDENT)
    )
    if teacher is None or student is None:
        return {}
    groups = scored.groups(first.task)
    gain = contrast(np.stack([student == test.truth, teacher == test.truth]), [1, -1], groups)
    ceiling = scored.table(plain_ceilings(runs, scored))
    reached, taught = (float((predicted == test.truth).mean()) for predicted in (student, teacher))
    budget = " and as many true labels" if TRUE_LABELS in first.facts else ""
    text = (
        f"{first.strong.name} as its own supervisor on {first.task}, with as many rows{budget} as {first.weak.name}: the "
        f"supervisor reaches {_short(taught)}, the student {_short(reached)}"
    )
    found: Control = {"control": "weak = strong", **_names(first, "weak", "strong"), "gain": written(gain)}
    if ceiling is not None:
        own = recovery(teacher == test.truth, student == test.truth, ceiling, groups)["pgr"]
        found["pgr"] = written(own)
        if own.estimate is not None and own.low is not None and own.high is not None:
            text += f", a PGR of {_short(own.estimate)} [{_short(own.low)}, {_short(own.high)}]"
    gains = gain.low is not None and gain.low > 0
    return {
        **found,
        "status": "noticed" if gains else "ok",
        "says": f"{text}: so much needs no stronger student"
        if gains
        else f"{text}: that it gains anything by itself has not been shown",
    }


def _noise(runs: Cell, scored: Scored) -> Control:
    first = runs[0]
    ceiling = scored.table([run.models["ceiling"] for run in runs])
    if ceiling is None or len(ceiling) < 2:
        return {}
    spread = float(ceiling.mean(axis=1).std(ddof=1))
    trained = runs[0].models["ceiling"]
    how = "" if trained is None or trained.method is None else f" with {trained.method}"
    return {
        "control": "seed noise floor",
        **_names(first, "strong"),
        "standard_deviation": spread,
        "status": "ok",
        "says": f"{first.strong.name} taught the truth{how} on {first.task}: its accuracy has a standard deviation of "
        f"{_short(spread)} over {len(ceiling)} seeds; a difference of that size between single runs means nothing",
    }


def _short(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"
