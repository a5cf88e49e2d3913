"""Predictions -> one mapping a run and one a cell: metrics, performance gap recovered and agreement, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from outgrow.core.answers import Answers
from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Ints
from outgrow.results.metrics.agreement import agreement, agreements, squared_misfit
from outgrow.results.metrics.scores import ACCURACY, Contributions, Metric, metric_named
from outgrow.results.predictions import OWN, HeldOut, ModelKey, Predictions
from outgrow.results.statistics.comparison import Difference, difference_of
from outgrow.results.statistics.intervals import Interval, contrast, measured
from outgrow.results.statistics.recovery import gain_key, gain_of, pgr_key, recovery_of, three_models

NO_TRUTH = "undefined: no truth on transfer"
NO_LESSON = "undefined: the student learns nothing, so it has no ceiling"
NOT_COVERED = "undefined: weak labels do not cover test"
OVERLAP = "overlap_density"  # of a run's facts: the share of its transfer rows that are easy and hard at once
PARAMETERS = {"weak": "weak_parameters", "strong": "strong_parameters"}  # of a run's facts, where they are known
MORE = "more_than_ceiling"  # of a run's facts: what its students are given that their ceiling is not
ROLES = ("weak", "student", "ceiling")


@dataclass(frozen=True)
class Entry:
    """A supervisor, student or method: its name in tables, and what the YAML says."""

    name: str
    written: Any


@dataclass(frozen=True)
class RunToScore:
    """One run to be scored, and what is known of it beside its predictions."""

    task: str
    weak: Entry
    strong: Entry
    method: Entry
    seed: int
    models: Mapping[str, ModelKey | None]  # weak, student, ceiling; None: there is no such model
    facts: Mapping[str, Any]
    test_set: str = OWN

    @property
    def cell(self) -> tuple[str, ...]:
        """What its cell's other seeds share."""
        return self.task, self.test_set, self.weak.name, self.strong.name, self.method.name


class Scored:
    """Every model's hard predictions and contributions, each computed once."""

    def __init__(self, tables: Predictions) -> None:
        self.tables = tables
        self._answers: dict[ModelKey, Answers] = {}
        self._contributions: dict[ModelKey, Contributions] = {}
        self._metric: Metric | None = None
        self._groups: dict[tuple[str, str], Ints | None] = {}

    def test(self, task: str, test_set: str = OWN) -> HeldOut:
        return self.tables.test(task, test_set)

    def groups(self, task: str, test_set: str = OWN) -> Ints | None:
        """The group of each test row by number; None where every row is its own: sorting names is slow, once is enough."""
        key = task, test_set
        if key not in self._groups:
            names, numbers = np.unique(self.test(*key).groups, return_inverse=True)
            self._groups[key] = None if len(names) == len(numbers) else numbers
        return self._groups[key]

    def hard(self, model: ModelKey | None) -> Ints | None:
        """Predicted classes `[n]`; None where there is no such model or it leaves test rows out."""
        if model is None:
            return None
        answers = self.answers(model)
        return answers.hard if answers.complete else None

    def answers(self, model: ModelKey) -> Answers:
        """A model's answers, hardened once."""
        if model not in self._answers:
            self._answers[model] = self.tables.answers(model)
        return self._answers[model]

    def contributions(self, model: ModelKey | None, metric: Metric) -> Contributions | None:
        """What each test row contributes to the metric, `[n]`; None as for `hard`. Keeps one metric's at a time."""
        if model is None or not self.answers(model).complete:
            return None
        if metric is not self._metric:
            self._metric, self._contributions = metric, {}
        if model not in self._contributions:
            test = self.test(model.task, model.test_set)
            self._contributions[model] = _checked(metric, metric.contributions(self.answers(model), test), test)
        return self._contributions[model]

    def table(self, models: Sequence[ModelKey | None], metric: Metric = ACCURACY) -> Contributions | None:
        """Contributions `[seeds, n]` of one model's seeds; None where one of them has none."""
        rows = [self.contributions(model, metric) for model in models]
        return None if any(row is None for row in rows) else np.stack(rows)  # type: ignore[arg-type]


def plain_ceilings(runs: Sequence[RunToScore], scored: Scored) -> list[ModelKey | None]:
    """The ceilings that learn the truth and nothing more, whatever the cell's method; None where there is none."""
    found = []
    for run in runs:
        ceiling = run.models["ceiling"]
        plain = None if ceiling is None else ceiling._replace(method=None)
        found.append(plain if plain in scored.tables.probabilities else None)
    return found


def _checked(metric: Metric, values: Contributions, test: HeldOut) -> Contributions:
    """A metric's values, one number per row. Raises OutgrowError on anything else, as a plug-in may return."""
    values = np.asarray(values, dtype=np.float64)
    if values.shape != test.truth.shape or not np.isfinite(values).all():
        raise OutgrowError(
            f"the metric {metric.name} returned values of shape {list(values.shape)}, or some that are not finite, for "
            f"{len(test.truth)} rows; it returns one finite number per row"
        )
    return values


def on_own(asked: Sequence[RunToScore]) -> list[RunToScore]:
    """The runs as scored on their tasks' own test rows: one a run."""
    return [run for run in asked if run.test_set == OWN]


def cells_of(asked: Sequence[RunToScore]) -> list[list[RunToScore]]:
    """The runs by cell, in their order."""
    together: dict[tuple[str, ...], list[RunToScore]] = {}
    for run in asked:
        together.setdefault(run.cell, []).append(run)
    return list(together.values())


def run_rows(
    asked: Sequence[RunToScore], scored: Scored, metrics: Sequence[str] = ("accuracy",)
) -> list[dict[str, Any]]:
    """One mapping a run: names, accuracies, PGR, agreement, and what is known beside; then other metrics."""
    rows = []
    for run in asked:
        predicted = {role: scored.hard(run.models[role]) for role in ROLES}
        weak, student = predicted["weak"], predicted["student"]
        rows.append(
            {
                "task": run.task,
                "test_set": run.test_set,
                "weak": run.weak.written,
                "strong": run.strong.written,
                "method": run.method.written,
                "seed": run.seed,
                **_scores(run, scored, ACCURACY),
                "agreement": None if weak is None or student is None else agreement(student, weak),
                "n_test": len(scored.test(run.task, run.test_set).ids),
                **run.facts,
            }
        )
    for name in _others(metrics):
        for run, row in zip(asked, rows, strict=True):
            row.update(_scores(run, scored, metric_named(name)))
    return rows


def _scores(run: RunToScore, scored: Scored, metric: Metric) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    undefined = metric.undefined(scored.test(run.task, run.test_set))
    for role in ROLES:
        row = None if undefined else scored.contributions(run.models[role], metric)
        values[f"{role}_{metric.name}"] = None if row is None else float(row.mean())
    weak, student, ceiling = values.values()
    pgr = None
    if weak is not None and student is not None and ceiling is not None:
        gap = ceiling - weak if metric.higher_is_better else weak - ceiling
        gain = student - weak if metric.higher_is_better else weak - student
        pgr = gain / gap if gap > 0 else None
    return {**values, pgr_key(metric): pgr}


def cell_rows(
    asked: Sequence[RunToScore], scored: Scored, metrics: Sequence[str] = ("accuracy",)
) -> list[dict[str, Any]]:
    """One mapping a cell: names, seeds, intervals of accuracies and PGR, agreement; then other metrics."""
    together = cells_of(asked)
    rows = []
    for runs in together:
        first = runs[0]
        rows.append(
            {
                "task": first.task,
                "test_set": first.test_set,
                "weak": first.weak.written,
                "strong": first.strong.written,
                "method": first.method.written,
                "seeds": [run.seed for run in runs],
                "n_test": len(scored.test(first.task, first.test_set).ids),
                **({key: first.facts[key] for key in [MORE] if key in first.facts}),
                **intervals_of(runs, scored, ACCURACY),
                "agreement": _agreements(runs, scored),
            }
        )
    for name in _others(metrics):
        for runs, row in zip(together, rows, strict=True):
            found = intervals_of(runs, scored, metric_named(name))
            row.update({key: value for key, value in found.items() if key != "covers"})
    return rows


def leave_undefined(
    runs: Sequence[dict[str, Any]], asked: Sequence[RunToScore], cells: Sequence[dict[str, Any]]
) -> None:
    """Give the runs of a cell whose PGR is undefined no PGR either: a ratio to a gap that has not been shown is noise."""
    places = {id(run): place for place, run in enumerate(asked)}
    for members, cell in zip(cells_of(asked), cells, strict=True):
        for key in [key for key in cell if key == "pgr" or key.startswith("pgr_")]:
            if cell[key]["status"] != "ok":
                for run in members:
                    runs[places[id(run)]][key] = None


def _others(metrics: Sequence[str]) -> list[str]:
    return [name for name in metrics if name != "accuracy"]


def intervals_of(runs: Sequence[RunToScore], scored: Scored, metric: Metric = ACCURACY) -> dict[str, Any]:
    """A cell's intervals of the three models, gain and PGR in one metric, and what they cover."""
    which = runs[0].task, runs[0].test_set
    test, groups = scored.test(*which), scored.groups(*which)
    keys = {role: f"{role}_{metric.name}" for role in ROLES}
    undefined = metric.undefined(test)
    if undefined:
        nothing = Interval(None, None, None, undefined)
        return {key: written(nothing) for key in (*keys.values(), gain_key(metric), pgr_key(metric))}
    tables = {role: scored.table([run.models[role] for run in runs], metric) for role in ROLES}
    weak, student, ceiling = (tables[role] for role in ROLES)
    if weak is not None and student is not None and ceiling is not None:
        models = three_models(weak, student, ceiling, groups, metric.limits)
        intervals = recovery_of(models, metric=metric)
        better = _with_p(difference_of(models, gain_of(metric)))
    else:
        better = gain(weak, student, groups, metric)
        no_ceiling = str(runs[0].facts.get("no_ceiling", NO_TRUTH))
        intervals = {
            keys[role]: Interval(None, None, None, NOT_COVERED if role == "weak" else no_ceiling)
            if table is None
            else contrast(table[None], [1.0], groups, limits=metric.limits)
            for role, table in tables.items()
        }
        intervals[pgr_key(metric)] = Interval(None, None, None, NOT_COVERED if weak is None else no_ceiling)
    covers = intervals[keys["student"]].covers
    pgr = intervals.pop(pgr_key(metric))
    return {
        **{key: written(found) for key, found in intervals.items()},
        gain_key(metric): better,
        pgr_key(metric): written(pgr),
        "covers": covers,
    }


def gain(weak: Any, student: Any, groups: Any = None, metric: Metric = ACCURACY) -> dict[str, Any]:
    """Student less supervisor, or the other way round where less is better: interval and p, whether or not PGR is defined."""
    if weak is None or student is None:
        return {**written(Interval(None, None, None, NOT_COVERED)), "p": None}
    return _with_p(difference_of(measured([weak, student], groups, metric.limits), gain_of(metric)[:2]))


def _with_p(found: Difference) -> dict[str, Any]:
    return {**written(found.interval), "p": found.p}


def _agreements(runs: Sequence[RunToScore], scored: Scored) -> dict[str, Any] | None:
    """None where the supervisor's labels do not cover test."""
    which = runs[0].task, runs[0].test_set
    test, groups = scored.test(*which), scored.groups(*which)
    models = [(run.models["weak"], run.models["student"]) for run in runs]
    weak = [predicted for run in runs if (predicted := scored.hard(run.models["weak"])) is not None]
    student = [predicted for run in runs if (predicted := scored.hard(run.models["student"])) is not None]
    if len(weak) < len(runs) or len(student) < len(runs):
        return None
    ceiling = [predicted for run in runs if (predicted := scored.hard(run.models["ceiling"])) is not None]
    taught = np.stack(ceiling) if len(ceiling) == len(runs) else None
    values = scored.tables.probabilities
    soft = [np.stack([values[pair[place]] for pair in models]) for place in (0, 1)]  # type: ignore[index]
    found = agreements(np.stack(weak), np.stack(student), test.truth, test.alternatives, groups, ceiling=taught)
    found |= squared_misfit(soft[0], soft[1], test.truth, groups)
    densities = [run.facts[OVERLAP] for run in runs if OVERLAP in run.facts]
    if len(densities) == len(runs):
        found[OVERLAP] = contrast(np.array(densities)[None, :, None], [1.0])  # of seeds alone
    return {key: written(value) for key, value in found.items()}


def written(interval: Interval) -> dict[str, Any]:
    """An interval as results.json has it; `small_sample` where few examples carry its spread."""
    return {
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "status": interval.status,
        **({"small_sample": True} if interval.small and interval.estimate is not None else {}),
    }
