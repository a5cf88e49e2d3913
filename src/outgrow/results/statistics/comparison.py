"""Two students compared: the paired difference, how sure it is, and how much data would show one of its size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgrow.results.metrics.scores import ACCURACY, Metric
from outgrow.results.statistics.crossed import ENOUGH_SEEDS, Crossed, Groups, Summed, crossed, standard_error
from outgrow.results.statistics.drawn_tasks import Drawn, drawn, ratio_of_sums
from outgrow.results.statistics.intervals import (
    NOT_ABOVE,
    Interval,
    Limits,
    Measured,
    fieller,
    interval,
    measured,
    reach,
)

Table = NDArray[np.float64]  # [seeds, examples]; [seeds] where there are accuracies alone

POWER = 0.8  # how often an experiment of the size named would show the difference
MOST_SEEDS, MOST_ROWS = 10_000, 100_000_000  # beyond, the answer is "no number"


@dataclass(frozen=True)
class Difference:
    """An interval of a difference, and the p-value of there being none, by the same t (None where undefined)."""

    interval: Interval
    p: float | None


def difference(
    first: ArrayLike, second: ArrayLike, groups: Groups = None, level: float = 0.95, metric: Metric = ACCURACY
) -> Difference:
    """second - first, paired by seed and example, contributions `[seeds, examples]` of both to a metric.

    p is of Student's t with the crossed variance and Satterthwaite's freedom: below 1 - level exactly where the interval
    leaves out 0. A sign-flip test over 5 seeds cannot go below 1/16, so it is of no use here.
    """
    scores = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    return difference_of(measured(scores, groups, metric.limits), [-1, 1], level)


def difference_of(models: Measured, weights: ArrayLike, level: float = 0.95) -> Difference:
    """A weighted sum of the models' scores and its p, see `difference`."""
    spread = models.spread(weights)
    found = interval(spread, 0, reach(weights, models.limits), level)
    return Difference(found, None if spread.covers == "nothing" else spread.p_value(np.ones(1)))


def unpaired(first: Crossed, second: Crossed, level: float = 0.95) -> Difference:
    """second - first of two means over other seeds and examples, as of two tasks: their variances add up."""
    spread = Summed.of([replace(first, means=-first.means), second])
    if spread.covers == "nothing":
        return Difference(Interval(float(spread.means[0]), None, None, "ok", "nothing"), None)
    return Difference(interval(spread, 0, Limits(-math.inf, math.inf), level), spread.p_value(np.ones(1)))


@dataclass(frozen=True)
class Triple:
    """The tables of supervisor, student and ceiling, `[seeds, examples]` each, of the same seeds and examples."""

    weak: Table
    student: Table
    ceiling: Table
    groups: Groups = None

    def gain_and_gap(self) -> Crossed:
        """Student minus weak, and ceiling minus weak, with their crossed covariance."""
        scores = np.stack([self.weak, self.student, self.ceiling])
        return measured(scores, self.groups).spread([-1, 1, 0], [-1, 0, 1])

    def pgr(self, level: float = 0.95) -> Interval:
        """As `recovery` has it."""
        return fieller(self.gain_and_gap(), Limits(-1.0, 1.0), level)

    def influence(self) -> Table:
        """PGR plus each example's influence on it for each seed, `[seeds, examples]`: the mean is PGR, linearised."""
        weak, student, ceiling = (
            np.asarray(table, dtype=np.float64) for table in (self.weak, self.student, self.ceiling)
        )
        gap = float(ceiling.mean() - weak.mean())
        share = float(student.mean() - weak.mean()) / gap
        return np.asarray(share + (student - weak - share * (ceiling - weak)) / gap)


def pgr_difference(first: Triple, second: Triple, level: float = 0.95) -> Difference:
    """PGR of second minus that of first, paired.

    With the same supervisor and ceiling it is (student - student) / (ceiling - weak): Fieller's interval, and the p-value of
    the students' difference, for one is 0 where the other is. Else each PGR is linearised (the delta method). Undefined
    where one of the two is.
    """
    for triple in (first, second):
        alone = triple.pgr(level)
        if alone.status != "ok":
            return Difference(alone, None)
    if np.array_equal(first.weak, second.weak) and np.array_equal(first.ceiling, second.ceiling):
        scores = np.stack([first.student, second.student, first.weak, first.ceiling])
        spread = measured(scores, first.groups).spread([-1, 1, 0, 0], [0, 0, -1, 1])
        return Difference(fieller(spread, Limits(-1.0, 1.0), level, NOT_ABOVE), spread.p_value(np.array([1.0, 0.0])))
    table = (second.influence() - first.influence())[None]
    spread = crossed(table.reshape(*table.shape[:2], -1), first.groups)
    return Difference(interval(spread, 0, Limits(-math.inf, math.inf), level), spread.p_value(np.ones(1)))


def unpaired_pgr_difference(first: Triple, second: Triple, level: float = 0.95) -> Difference:
    """PGR of second minus that of first, of two tasks: each linearised, their variances added up."""
    for triple in (first, second):
        alone = triple.pgr(level)
        if alone.status != "ok":
            return Difference(alone, None)
    spreads = [crossed(t.influence()[None].reshape(1, len(t.weak), -1), t.groups) for t in (first, second)]
    return unpaired(spreads[0], spreads[1], level)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's (1979) correction over the comparisons that have a p-value: each at most 1, never falling in their order."""
    order = sorted(
        (place for place, p in enumerate(p_values) if p is not None), key=lambda place: p_values[place] or 0.0
    )
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * (p_values[place] or 0.0)))
        corrected[place] = highest
    return corrected


def demanded(corrected: Sequence[float | None], level: float = 0.95) -> float:
    """The p below which Holm's correction is sure to show a comparison that it does not show now.

    That of the first step which fails: 1 - level by the number of comparisons that are not shown.
    """
    open_still = sum(p is not None and p >= 1 - level for p in corrected)
    return (1 - level) / max(1, open_still)


@dataclass(frozen=True)
class Needed:
    """What would show a true difference of the size seen, at p < 1 - level, in 4 of 5 experiments.

    `seeds` at this number of test rows, `rows` at this number of seeds, `both` enlarged by one factor; None: no number of
    them would, or it is not known (seeds, where there is but one).
    """

    seeds: int | None
    rows: int | None
    both: tuple[int, int] | None


def needed(first: ArrayLike, second: ArrayLike, groups: Groups = None, level: float = 0.95) -> Needed:
    """How many seeds and test rows would show a difference as large as that between two tables `[seeds, examples]`.

    The variance components of the paired differences (seeds, examples, residual) come from the two-way analysis of
    variance without repeats; a component that comes out below 0 is taken as 0. They make up the variance and its freedom as
    `crossed` does at that number of seeds. Rows mean rows in groups of the same size.
    """
    apart = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    if apart.ndim == 1:
        return Needed(None, None, None)
    n_seeds, n_rows = apart.shape
    spread = crossed(apart[None], groups)
    mean, units = float(spread.means[0]), spread.units
    a, b, r = (float(part[0, 0]) for part in (spread.seeds, spread.examples, spread.residual))
    residual = r * n_seeds * units
    of_seeds, of_units = n_seeds * max(0.0, a - r), units * max(0.0, b - r)

    def shows(seeds: float, many: float) -> bool:
        from scipy.special import stdtrit

        a = (of_seeds + residual / many) / seeds if n_seeds > 1 else 0.0
        b = (of_units + residual / seeds) / many
        v = a + b
        if v == 0:
            return mean != 0
        freedom = v**2 / (a**2 / max(seeds - 1, 1e-9) + b**2 / max(many - 1, 1e-9))
        if seeds >= ENOUGH_SEEDS:
            less = max(v - residual / (seeds * many), a, b)
            v, freedom = less, freedom * (less / v) ** 2
        far = stdtrit(freedom, (1 + level) / 2) + stdtrit(freedom, POWER)
        return abs(mean) > float(far) * math.sqrt(v)

    size = n_rows / units
    seeds = None if n_seeds == 1 else _least(lambda s: shows(s, units), 2, MOST_SEEDS)
    many = _least(lambda g: shows(n_seeds, g), 2, MOST_ROWS)
    factor = (
        None if n_seeds == 1 else _least(lambda f: shows(n_seeds * f / 100, units * f / 100), 100, 100 * MOST_SEEDS)
    )
    both = None if factor is None else (math.ceil(n_seeds * factor / 100), math.ceil(n_rows * factor / 100))
    return Needed(seeds, None if many is None else math.ceil(many * size), both)


def _least(enough: Callable[[int], bool], least: int, most: int) -> int | None:
    """The smallest number from `least` on that is enough; None if `most` is not. What is enough stays enough."""
    if enough(least):
        return least
    low, high = least, 2 * least
    while not enough(min(high, most)):
        if high >= most:
            return None
        low, high = high, 2 * high
    high = min(high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@dataclass(frozen=True)
class Average:
    """PGR over several tasks: the ratio of summed gains to summed gaps, and the median of those defined.

    `drawn` is the same ratio, with the interval of tasks as drawn; None where one task alone has both.
    """

    ratio_of_sums: Interval
    drawn: Interval | None
    median: float | None
    defined: tuple[str, ...]
    undefined: Mapping[str, str]  # task -> its status


def average(tasks: Mapping[str, Triple | str], level: float = 0.95) -> Average:
    """PGR over tasks. A task that has no triple of tables is there with its status, and is named as undefined.

    The ratio of sums holds every task with a triple, those too whose own PGR is undefined because the ceiling is not
    above the supervisor: leaving them out would favour the lucky. The median can only be of those defined. The interval of the
    ratio holds these tasks alone; `drawn` says what it is over others like them. Their tables count as independent.
    """
    triples = {task: triple for task, triple in tasks.items() if isinstance(triple, Triple)}
    own = {task: triple.pgr(level) for task, triple in triples.items()}
    undefined = {task: triple for task, triple in tasks.items() if isinstance(triple, str)}
    undefined |= {task: found.status for task, found in own.items() if found.status != "ok"}
    values = [found.estimate for found in own.values() if found.estimate is not None]
    members = [triple.gain_and_gap() for triple in triples.values()]
    if triples:
        whole = fieller(Summed.of(members), Limits(-math.inf, math.inf), level)
    else:
        whole = Interval(None, None, None, next(iter(undefined.values()), NOT_ABOVE))
    median = float(np.median(values)) if values else None
    over = ratio_of_sums(members, level) if len(members) > 1 else None
    return Average(whole, over, median, tuple(task for task in own if task not in undefined), undefined)


@dataclass(frozen=True)
class MeanDifference:
    """A mean over tasks: of these tasks, and of those that they were drawn from (statistics/drawn_tasks.py)."""

    given: Difference
    drawn: Drawn


def mean_difference(pairs: Sequence[tuple[Table, Table, Groups]], level: float = 0.95) -> MeanDifference:
    """The mean over tasks of the paired differences (second - first); the tasks' tables count as independent."""
    members, effects, variances = [], [], []
    for first, second, groups in pairs:
        scores = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)]) / len(pairs)
        members.append(measured(scores, groups).spread([-1, 1]))
        effects.append(len(pairs) * float(members[-1].means[0]))
        variances.append((len(pairs) * standard_error(members[-1].parts(np.ones(1)))[0]) ** 2)
    over = drawn(effects, variances, level)
    spread = Summed.of(members)
    if spread.covers == "nothing":
        return MeanDifference(Difference(Interval(float(spread.means[0]), None, None, "ok", "nothing"), None), over)
    given = Difference(interval(spread, 0, Limits(-1.0, 1.0), level), spread.p_value(np.ones(1)))
    return MeanDifference(given, over)
