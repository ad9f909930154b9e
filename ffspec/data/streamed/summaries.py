"""What is fitted to the columns of a streamed table in one pass, whose memory does not grow with the rows.

Counts, ranges, means and variances are those of all rows: the moments of the pieces are merged as Chan, Golub and
LeVeque do (1979), which loses no digits. A median or a quantile is that of a sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from ffspec.data.columns import MOST_LEVELS, refuse_identifier
from ffspec.data.fitted import Category, Number, Reading
from ffspec.data.loaded import Floats, Ints
from ffspec.data.problems import problem
from ffspec.data.scaling import EPSILON, fit_number, scaled, spread_of
from ffspec.diagnostics import Path
from ffspec.spec.dataset import Prepare


@dataclass(slots=True)
class Moments:
    """Number, mean, squared deviations and range of numbers that come some at a time; shape (C,) each but the number.

    Of no numbers the range is from infinity to minus infinity.
    """

    count: int = 0
    mean: Floats = field(default_factory=lambda: np.zeros(1))
    squares: Floats = field(default_factory=lambda: np.zeros(1))
    low: Floats = field(default_factory=lambda: np.full(1, np.inf))
    high: Floats = field(default_factory=lambda: np.full(1, -np.inf))

    def add(self, values: Floats) -> None:
        """Add numbers, of shape (N, C)."""
        if len(values):
            with np.errstate(over="ignore", invalid="ignore"):
                mean = values.mean(axis=0)
                squares = ((values - mean) ** 2).sum(axis=0)
                self.merge(Moments(len(values), mean, squares, values.min(axis=0), values.max(axis=0)))

    def merge(self, other: Moments) -> None:
        """Add the numbers of another; those of C columns to none at all make C columns."""
        total = self.count + other.count
        if not total:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            step = other.mean - self.mean
            self.mean = self.mean + step * (other.count / total)
            self.squares = self.squares + other.squares + step**2 * (self.count * other.count / total)
        self.low, self.high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        self.count = total

    @property
    def deviation(self) -> Floats:
        """The standard deviation of all numbers there are."""
        return np.sqrt(self.squares / max(self.count, 1))


@dataclass(slots=True)
class NumberSummary:
    """A column of numbers."""

    name: str
    reading: Reading | None
    moments: Moments = field(default_factory=Moments)
    """Of the training rows."""
    holes: int = 0
    """Training rows without a number."""
    low: float = np.inf
    high: float = -np.inf
    """The range of all rows."""
    missing: int = 0
    """Rows without a number."""

    def add(self, values: Floats, train: Ints) -> None:
        """Add rows, of shape (N,); `train` are those of the training split."""
        trained = values[train]
        holes = np.isnan(trained)
        self.moments.add((trained[~holes] if holes.any() else trained).reshape(-1, 1))
        self.holes += int(holes.sum())
        self.missing += int(np.isnan(values).sum())
        self.low = float(np.fmin.reduce(values, initial=self.low))
        self.high = float(np.fmax.reduce(values, initial=self.high))

    @property
    def varies(self) -> bool:
        """Whether the numbers of the training rows differ, or there are none to tell."""
        return not self.moments.count or bool(self.moments.low[0] != self.moments.high[0])

    def fitted(self, sample: Floats, prepare: Prepare, path: Path) -> Number:
        """Return what is fitted.

        Args:
            sample: Training rows, of which a median or a quantile is taken.
            prepare: How the column is prepared.
            path: Where the spec says so.

        Raises:
            SpecError: As `fit_number`.
        """
        known = self.moments
        if known.count and np.isnan(sample).all():
            sample = known.mean  # numbers are rare: no row of the sample has one
        number = fit_number(self.name, self.reading, sample, prepare, path)
        indicator = prepare.missing_indicator and self.holes > 0
        if not known.count:
            return number
        # What is scaled by quantiles of the sample is filled as the sample is: to the last bit, or ranks would jump.
        whole = prepare.scale not in {"robust", "quantile"}
        fill = float(known.mean[0]) if prepare.missing == "mean" and whole else number.fill
        number = replace(number, fill=fill, indicator=indicator)
        if prepare.scale in {"standardize", "minmax"}:
            filled = replace(known)
            if fill is not None:
                one = np.array([fill])
                filled.merge(Moments(self.holes, one, np.zeros(1), one, one) if self.holes else Moments())
            center, scale = self._scale(filled, prepare.scale)
            number = replace(number, center=center, scale=scale)
        finite = np.isfinite([number.fill or 0.0, number.center, number.scale, *number.quantiles])
        if not finite.all():
            raise problem("FF033", f"the numbers of column {self.name!r} are too large to prepare", path)
        return number

    @staticmethod
    def _scale(known: Moments, scale: str) -> tuple[float, float]:
        """Return center and scale, as `fit_number` does for rows in memory."""
        low, high = float(known.low[0]), float(known.high[0])
        if low == high:
            return low, 1.0
        if scale == "minmax":
            return low, 1.0 if high - low < EPSILON else high - low
        variance = float(known.squares[0]) / known.count
        return float(known.mean[0]), spread_of(float(known.mean[0]), variance, known.count)

    def overflows(self, column: Number) -> bool:
        """Whether a prepared number is not finite: scaling keeps the order, so that the outermost tell."""
        return self.low <= self.high and not np.isfinite(scaled(np.array([self.low, self.high]), column)).all()


@dataclass(slots=True)
class TextSummary:
    """A column of categories."""

    name: str
    levels: set[str] = field(default_factory=set)
    trained: Counter[str] = field(default_factory=Counter)
    """How many training rows have each level."""
    rows: int = 0
    missing: int = 0

    def add(self, texts: pl.Series, train: Ints, path: Path) -> None:
        """Add rows.

        Raises:
            SpecError: FF033, there are too many different texts.
        """
        self.levels.update(texts.drop_nulls().unique().to_list())
        self.trained.update(_counts(texts.gather(train)))
        self.rows += len(texts)
        self.missing += texts.null_count()
        if len(self.levels) > MOST_LEVELS:
            self.check(path)

    def check(self, path: Path) -> None:
        """Refuse a column of names.

        Raises:
            SpecError: FF033, it is one.
        """
        refuse_identifier(self.name, sorted(self.levels), self.rows, path)

    def fitted(self, prepare: Prepare) -> Category:
        """Keep the levels that enough training rows have."""
        kept = tuple(sorted(level for level, count in self.trained.items() if count >= prepare.min_rows))
        return Category(self.name, kept, missing=prepare.missing != "error", coded=prepare.categories == "codes")


def _counts(texts: pl.Series) -> dict[str, int]:
    table = texts.drop_nulls().value_counts()
    values, counts = table.columns
    return dict(zip(table[values].to_list(), table[counts].to_list(), strict=True))


def with_one_mark(columns: Sequence[Number | Category]) -> tuple[Number | Category, ...]:
    """Let only the last part of a date say that the date is missing: its parts are missing together."""
    made = list(columns)
    for index, following in enumerate(made[1:]):
        column = made[index]
        if isinstance(column, Number) and column.raw == following.raw:
            made[index] = replace(column, indicator=False)
    return tuple(made)
