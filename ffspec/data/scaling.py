"""Scaling numbers: what is fitted to the training rows of a column, and what is made of any rows with it.

N rows.
"""

from __future__ import annotations

import numpy as np

from ffspec.data.fitted import DatePart, Number, Reading
from ffspec.data.loaded import Floats
from ffspec.data.normal import normal_scores
from ffspec.data.problems import problem
from ffspec.diagnostics import Path
from ffspec.spec.dataset import Prepare

EPSILON = 10 * float(np.finfo(np.float64).eps)
"""A spread below this is none: scikit-learn's bound."""
FEWEST, MOST, EACH = 10, 1000, 30
"""Quantiles that are kept, at least and at most, and the training rows for each (Gorishniy et al. 2021)."""


def fit_number(name: str, reading: Reading | None, values: Floats, prepare: Prepare, path: Path) -> Number:
    """Fit filling and scaling to the training rows of a column, of shape (N,).

    Raises:
        SpecError: FF032, all of them are missing; FF033, they are too large to prepare.
    """
    holes = np.isnan(values)
    if holes.all() and len(values):
        raw = reading.column if isinstance(reading, DatePart) else name
        message = f"a column must have a number in the training split, but all cells of {raw!r} are missing"
        raise problem("FF032", message, path, f"leave it out with 'drop: [{raw}]'")
    quantiles: tuple[float, ...] = ()
    with np.errstate(over="ignore", invalid="ignore"):
        fill = None if prepare.missing == "error" else _fill(values[~holes], prepare.missing)
        # Where missing cells are refused, `transform` reports them; here they only must not spoil the fit.
        known = values[~holes] if fill is None else np.where(holes, fill, values)
        center, scale = (0.0, 1.0) if prepare.scale == "none" else _fit_scale(known, prepare.scale)
        if prepare.scale == "quantile" and known.min() != known.max():
            quantiles = _fit_quantiles(known)
    if not np.isfinite([fill or 0.0, center, scale, *quantiles]).all():
        raise problem("FF033", f"the numbers of column {name!r} are too large to prepare", path)
    indicator = prepare.missing_indicator and bool(holes.any())
    return Number(name, fill, center, scale, quantiles, prepare.smooth_clip, indicator, reading)


def scaled(x: Floats, column: Number) -> Floats:
    """Return numbers of a column, of shape (N,), filled, scaled and clipped; a cell that nothing fills stays NaN."""
    if column.fill is not None:
        x = np.where(np.isnan(x), column.fill, x)
    with np.errstate(over="ignore", invalid="ignore"):
        part: Floats = (x - column.center) / column.scale
    if column.quantiles:
        part = normal_scores(x, np.array(column.quantiles))
    if column.clip is not None:
        # As `hypot`, because a square may be too large where the number is not.
        part /= np.hypot(1.0, part / column.clip)
    return part


def _fill(values: Floats, missing: str) -> float:
    """Return what stands in for a missing number."""
    if missing == "median":
        return float(np.median(values))
    if missing == "mean":
        return float(np.mean(values))
    levels, counts = np.unique(values, return_counts=True)
    return float(levels[np.argmax(counts)])


def _fit_scale(values: Floats, scale: str) -> tuple[float, float]:
    """Return center and scale as scikit-learn's StandardScaler, MinMaxScaler and RobustScaler fit them.

    A constant column has scale 1, so that it becomes 0. What overflows is not finite. Where half of the numbers are
    equal, robust takes half the range in place of the interquartile range (Holzmüller et al. 2024, arXiv 2407.04491).
    """
    low, high = values.min(), values.max()
    if low == high:
        return float(low), 1.0
    if scale == "quantile":
        return 0.0, 1.0
    if scale == "standardize":
        mean, variance = float(values.mean()), float(values.var())
        return mean, spread_of(mean, variance, len(values))
    if scale == "minmax":
        center, spread = low, float(high - low)
    else:
        center, spread = np.median(values), float(np.subtract(*np.percentile(values, (75.0, 25.0))))
        if spread < EPSILON:
            spread = float(high - low) / 2
    return float(center), 1.0 if spread < EPSILON else spread


def spread_of(mean: float, variance: float, count: int) -> float:
    """Return the standard deviation of numbers, or 1 where they are constant but for rounding."""
    # Rounding gives such a column a tiny variance: StandardScaler's bound.
    epsilon = float(np.finfo(np.float64).eps)
    with np.errstate(over="ignore"):
        least = count * (epsilon * variance + count * np.square(mean * epsilon))
    return 1.0 if np.isfinite(variance) and variance <= least else float(np.sqrt(variance))


def _fit_quantiles(values: Floats) -> tuple[float, ...]:
    """Return evenly spaced quantiles, as scikit-learn's QuantileTransformer fits them without subsampling."""
    count = min(max(min(len(values) // EACH, MOST), FEWEST), len(values))
    return tuple(np.percentile(values, np.linspace(0, 1, count) * 100).tolist())
