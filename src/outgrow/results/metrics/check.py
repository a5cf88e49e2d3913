"""Checks a user's metric against its contract."""

from __future__ import annotations

import numpy as np

from outgrow.core.answers import Answers
from outgrow.core.findings import Findings, global_randomness
from outgrow.results.metrics.scores import Contributions, Metric
from outgrow.results.predictions import HeldOut

ROWS = 60


def check_metric(metric: Metric, name: str) -> list[str]:
    """A metric: one finite number per row, for any number of classes, that does not depend on the rows' order."""
    found = Findings(name)
    with global_randomness(found):
        for classes in (2, 3):
            _check(found, metric, classes)
    return found.close()


def _check(found: Findings, metric: Metric, classes: int) -> None:
    random = np.random.default_rng(classes)
    ids = np.array([f"{row:032x}" for row in range(ROWS)])
    values = random.dirichlet(np.ones(classes), ROWS).astype(np.float32)
    truth = np.arange(ROWS) % classes
    texts = tuple(f"text {row}" for row in range(ROWS))

    def computed(order: Contributions) -> Contributions:
        rows = order.astype(np.int64)
        shown = tuple(texts[row] for row in rows.tolist())
        held = HeldOut(ids[rows], shown, truth[rows], ids[rows], tuple(str(c) for c in range(classes)))
        return np.asarray(metric.contributions(Answers(ids[rows], values[rows]), held))

    case, order = f"{classes} classes", np.arange(float(ROWS))
    made = found.attempt(lambda: computed(order), f"contributions with {case}")
    if made is None:
        return
    if not found.expect(
        made.shape == (ROWS,) and bool(np.isfinite(made).all()),
        f"{case}: one finite number per row",
        f"{case}: contributions returned shape {list(made.shape)}, or numbers that are not finite, for {ROWS} rows",
    ):
        return
    low, high = metric.limits[0], metric.limits[1]
    found.expect(
        low - 1e-9 <= made.mean() <= high + 1e-9,
        f"{case}: the mean is within the metric's limits",
        f"{case}: the mean {made.mean():g} is outside the metric's limits {low:g} to {high:g}",
    )
    back = computed(order[::-1])
    found.expect(
        np.allclose(back[::-1], made),
        f"{case}: each row's number does not depend on the order",
        f"{case}: rows in another order have other numbers",
    )
