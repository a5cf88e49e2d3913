"""The accuracy of what is chosen among several by the same rows that it is then measured on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from outgrow.core.examples import Floats, Strings
from outgrow.results.statistics.crossed import Crossed
from outgrow.results.statistics.intervals import UNIT, Interval, interval, measured, reach

DEALS, PARTS = 30, 5
UNDECIDED = 2.0  # how often the variance between deals counts, see `over_deals`


def best_of(losses: Floats) -> int:
    """The choice of the least mean loss, each at the temperature that suits it best; of equals the first.

    losses: `[choices, temperatures, rows]`.
    """
    return int(losses.mean(axis=2).min(axis=1).argmin())


def scores_of_choice(right: Floats, losses: Floats, groups: Strings, seed: int) -> Floats:
    """`[deals, rows]` scores: each row by the choice that the rows of other parts make, in each of many deals into parts.

    right: `[choices, rows]`, 1 where right, and losses: `[choices, temperatures, rows]`, by students that owe nothing to the
    row. Rows of one group share a part.
    """
    _, of_group = np.unique(groups, return_inverse=True)
    random = np.random.default_rng([seed, DEALS])
    scores = np.empty((DEALS, right.shape[1]))
    for deal in scores:
        part = (random.permutation(of_group.max() + 1) % PARTS)[of_group]
        here = np.eye(PARTS)[part]
        elsewhere = losses.sum(axis=2)[..., None] - losses @ here  # all other parts have as many rows for every choice
        deal[:] = right[elsewhere.min(axis=1).argmin(axis=0)[part], np.arange(right.shape[1])]
    return scores


def over_deals(scores: Floats, weights: Sequence[float]) -> Interval:
    """The interval of a weighted sum of accuracies, weights `[models]`, of scores `[deals, models, rows]`.

    In one deal the parts' choices depend on one another's rows, so its mean moves more than its rows' spread shows: of ten
    parts, 80 to 95% of 95% intervals held the truth. The mean over deals moves less. Its variance is put together as
    Rubin (1987) does for multiple imputation, the mean of the deals' variances and the variance between deals; this
    counts twice, not 1 + 1 / deals times, since it also stands for what is undecided of the kept choice's own accuracy.
    benchmarks/science/choose.py has the coverage, docs/audit.md the table.
    """
    made = [measured(deal[:, None]).spread(weights) for deal in scores]
    means = np.array([one.means[0] for one in made])
    within = np.mean([one.examples for one in made], axis=0)
    carriers = np.mean([one.carriers for one in made], axis=0)
    first, nothing = made[0], np.zeros((1, 1))
    spread = Crossed(
        np.array([np.mean(np.asarray(weights) @ scores)]),  # of whole numbers: no rounding where all deals are alike
        nothing,
        within + UNDECIDED * means.var(ddof=1),
        nothing,
        0,
        first.example_freedom,
        first.units,
        carriers,
    )
    return interval(spread, 0, reach(weights, UNIT))


def accuracy_of_choice(scores: ArrayLike) -> Interval:
    """The interval of the accuracy of what is chosen, scores `[deals, rows]`."""
    return over_deals(np.asarray(scores)[:, None], [1.0])
