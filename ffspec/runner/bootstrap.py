"""How far a measure of the test split may be relied on: percentile intervals of resampled rows (Efron 1979).

No resample is evaluated row by row: it is a count for each row, and every measure is a function of sums weighted so.

Shapes: R resamples, N rows, C classes or target columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ffspec.runner.resampled import Statistic, cost, ratio, statistic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ffspec.runner.metrics import Reading
    from ffspec.spec.metrics import Metric

Interval: TypeAlias = tuple[float, float]
"""The lower and the upper bound."""

RESAMPLES = 1000
DRAWS = 10_000_000
"""Rows that are added up in all at most: of more than 10,000 rows there are fewer resamples, and of a measure that
sorts them of more than 2,000."""
LEAST = 40
"""Resamples there are of any number of rows: enough for a standard deviation, to a tenth."""
AT_ONCE = 500_000
"""Counts in memory at a time: what the cache holds."""
NORMAL = 1.959964
"""Standard deviations to both sides of a normal distribution that hold 95 %."""


def intervals(
    reading: Reading, metrics: Sequence[Metric], losses: tuple[Any, Any] | None, found: Mapping[str, float], seed: int
) -> dict[str, Interval]:
    """Return the 95 % interval of the loss and of every metric that is defined; none where rows have weights.

    Args:
        reading: What the metrics are computed from.
        metrics: The metrics.
        losses: The loss of each row and its weight, (N,); None where the loss is no mean over rows.
        found: The measures of all rows.
        seed: What the resamples are drawn from.
    """
    if reading.weight is not None:  # a resample is told by counts of rows
        return {}
    rows = len(reading.truth)
    statistics: dict[str, tuple[Statistic, int]] = {}
    if losses is not None:
        statistics["loss"] = ratio(*losses), count_for(rows)
    for metric in metrics:
        made = statistic(metric, reading) if metric.name in found else None
        if made is not None:
            statistics[metric.name] = made, count_for(rows * cost(metric, reading))
    values: dict[str, list[Any]] = {name: [] for name in statistics}
    for first, counts_RN in resamples(rows, seed, max((count for _, count in statistics.values()), default=0)):
        for name, (compute, count) in statistics.items():
            if first < count:
                values[name].append(compute(counts_RN[: count - first]))
    bounds = {name: bounds_of(np.concatenate(parts), found[name]) for name, parts in values.items()}
    return {name: pair for name, pair in bounds.items() if pair is not None}


def count_for(work: int) -> int:
    """Return how many resamples there are, each so much work."""
    return min(RESAMPLES, max(LEAST, DRAWS // work))


def resamples(rows: int, seed: int, count: int) -> Iterator[tuple[int, Any]]:
    """Yield how often each row is in each resample, (R, N), some resamples at a time, and how many were before."""
    generator = np.random.default_rng(seed)
    step = max(1, AT_ONCE // rows)
    for first in range(0, count, step):
        drawn = generator.integers(rows, size=(min(step, count - first), rows), dtype=np.uint32)
        counts_RN = np.empty(drawn.shape)
        for counts, one in zip(counts_RN, drawn, strict=True):
            counts[:] = np.bincount(one, minlength=rows)
        yield first, counts_RN


def bounds_of(values: Any, found: float) -> Interval | None:
    """Return the interval that resampled values make; None where most of them are undefined.

    Of few resamples percentiles are uncertain: there, the normal distribution around the value of all rows is taken.
    """
    defined = values[np.isfinite(values)]
    if 2 * len(defined) < len(values):
        return None
    if len(values) < RESAMPLES:
        spread = NORMAL * float(defined.std())
        return found - spread, found + spread
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)
