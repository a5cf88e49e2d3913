"""PGR of made-up models."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.results.statistics.intervals import Interval
from outgrow.results.statistics.recovery import recovery

Array = NDArray[np.float64]


def recover(table: Array, groups: Any = None, level: float = 0.95) -> dict[str, Interval]:
    weak, student, ceiling = table
    return recovery(weak, student, ceiling, groups, level)
