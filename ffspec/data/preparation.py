"""Preparing the features: filling, scaling and one-hot columns, fitted once and applied to every later row.

N rows, P raw columns, F features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ffspec.data.fitted import Category, Column, Number
from ffspec.data.incoming import encode
from ffspec.data.loaded import Floats, Raw
from ffspec.data.problems import counted, problem, quoted, some
from ffspec.diagnostics import Path
from ffspec.spec.dataset import Prepare

VERSION = 1
EPSILON = 10 * float(np.finfo(np.float64).eps)
"""A spread below this is none: scikit-learn's bound."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What was fitted on the training split."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The raw columns it takes."""
        return tuple(column.name for column in self.columns)

    @property
    def features(self) -> tuple[str, ...]:
        """The features it gives."""
        parts = ((item.name,) if isinstance(item, Number) else item.features for item in self.columns)
        return tuple(name for part in parts for name in part)

    @property
    def levels(self) -> tuple[int, ...]:
        """What each feature is; see `Facts.levels`."""
        parts = ((0,) if isinstance(item, Number) else (1,) * len(item.features) for item in self.columns)
        return tuple(level for part in parts for level in part)

    def apply(self, rows: Any, *, path: Path = ()) -> Floats:
        """Prepare new rows: an array of shape (N, P), a list of rows or of mappings, a mapping to columns, or a frame.

        Columns found by name may stand in any order and beside others. Returns shape (N, F).

        Raises:
            SpecError: FF031 a column is missing, FF032 a cell is, FF033 a cell is no number, FF036 the shape is wrong.
        """
        return self.transform(encode(rows, self.columns, path), path=path)

    def transform(self, x: Floats, *, path: Path = ()) -> Floats:
        """Prepare raw columns of shape (N, P) whose categories are indices into the levels. Returns shape (N, F).

        Raises:
            SpecError: FF032, a cell is missing where that is not allowed; FF033, a result is too large for a number.
        """
        self._refuse_missing(x, path)
        numbers = [column if isinstance(column, Number) else Number(column.name) for column in self.columns]
        fills = np.array([np.nan if column.fill is None else column.fill for column in numbers])
        centers = np.array([column.center for column in numbers])
        scales = np.array([column.scale for column in numbers])
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (np.where(np.isnan(x), fills, x) - centers) / scales
        self._refuse_overflow(scaled, path)
        if all(isinstance(column, Number) for column in self.columns):
            return np.ascontiguousarray(scaled)
        parts = [
            scaled[:, [index]] if isinstance(column, Number) else _one_hot(x[:, index], len(column.levels))
            for index, column in enumerate(self.columns)
        ]
        return np.ascontiguousarray(np.concatenate(parts, axis=1))

    def _refuse_missing(self, x: Floats, path: Path) -> None:
        allowed = [c.missing if isinstance(c, Category) else c.fill is not None for c in self.columns]
        # An index of -1 is a level never seen in training: unknown, not missing.
        holes = np.isnan(x) & ~np.array(allowed, dtype=np.bool_)
        if not holes.any():
            return
        counts = holes.sum(axis=0)
        found = some(f"{self.names[index]} ({counts[index]:,})" for index in np.flatnonzero(counts))
        raise problem(
            "FF032",
            f"no cell may be missing, found {counted(int(counts.sum()), 'missing cell')}: {found}",
            path,
            "write 'prepare: {missing: median}' (or mean, most_frequent), or leave the column out with 'drop'",
        )

    def _refuse_overflow(self, scaled: Floats, path: Path) -> None:
        infinite = np.flatnonzero(~np.isfinite(scaled).all(axis=0)).tolist()
        wrong = [self.names[index] for index in infinite if isinstance(self.columns[index], Number)]
        if wrong:
            raise problem("FF033", f"scaled numbers must be finite, but overflow in column {quoted(wrong)}", path)

    def to_json(self) -> str:
        """Write it as JSON; every number is read back to the last bit."""
        columns = [
            {"name": c.name, "fill": c.fill, "center": c.center, "scale": c.scale}
            if isinstance(c, Number)
            else {"name": c.name, "levels": list(c.levels), "missing": c.missing}
            for c in self.columns
        ]
        value = {"version": VERSION, "columns": columns}
        return json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1) + "\n"

    @staticmethod
    def from_json(text: str) -> Preparation:
        """Read what `to_json` wrote.

        Raises:
            ValueError: the text is not that.
        """
        try:
            value = json.loads(text)
            if value["version"] != VERSION:
                raise ValueError(f"unknown version {value['version']!r} of a preparation")
            return Preparation(tuple(_column(item) for item in value["columns"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a preparation: {error!r}") from error


def fit(raw: Raw, rows: Sequence[int] | np.ndarray[Any, Any], prepare: Prepare, path: Path) -> Preparation:
    """Fit the preparation on the training rows alone.

    Raises:
        SpecError: FF032, a column has nothing but missing cells there.
    """
    x = raw.x[rows]
    columns: list[Column] = []
    for index, name in enumerate(raw.names):
        values = x[:, index]
        if index in raw.levels:
            seen = np.unique(values[~np.isnan(values)]).astype(np.int64)
            levels = tuple(sorted(raw.levels[index][code] for code in seen))
            columns.append(Category(name, levels, missing=prepare.missing != "error"))
        else:
            columns.append(_fit_number(name, values, prepare, path))
    return Preparation(tuple(columns))


def _fit_number(name: str, values: Floats, prepare: Prepare, path: Path) -> Number:
    holes = np.isnan(values)
    if holes.all() and len(values):
        message = f"a column must have a number in the training split, but all cells of {name!r} are missing"
        raise problem("FF032", message, path, f"leave it out with 'drop: [{name}]'")
    with np.errstate(over="ignore", invalid="ignore"):
        fill = None if prepare.missing == "error" else _fill(values[~holes], prepare.missing)
        # Where missing cells are refused, `transform` reports them; here they only must not spoil the fit.
        known = values[~holes] if fill is None else np.where(holes, fill, values)
        center, scale = (0.0, 1.0) if prepare.scale == "none" else _fit_scale(known, prepare.scale)
    if not np.isfinite([fill or 0.0, center, scale]).all():
        raise problem("FF033", f"the numbers of column {name!r} are too large to prepare", path)
    return Number(name, fill, center, scale)


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

    A constant column has scale 1, so that it becomes 0. What overflows is not finite.
    """
    low, high = values.min(), values.max()
    if low == high:
        return float(low), 1.0
    if scale == "standardize":
        mean, variance = values.mean(), values.var()
        # Rounding gives a column that is constant but for the last bits a tiny variance: StandardScaler's bound.
        epsilon = np.finfo(np.float64).eps
        constant = np.isfinite(variance) and variance <= len(values) * (
            epsilon * variance + len(values) * (mean * epsilon) ** 2
        )
        return float(mean), 1.0 if constant else float(np.sqrt(variance))
    center = low if scale == "minmax" else np.median(values)
    if scale == "robust":
        low, high = np.percentile(values, (25.0, 75.0))
    spread = float(high - low)
    return float(center), 1.0 if spread < EPSILON else spread


def _one_hot(codes: Floats, levels: int) -> Floats:
    """Return shape (N, levels + 1): a 1 at the level, or at the end where it is unknown or missing."""
    known = np.isfinite(codes) & (codes >= 0)
    hot = np.zeros((len(codes), levels + 1))
    hot[np.arange(len(codes)), np.where(known, codes, levels).astype(np.int64)] = 1.0
    return hot


def _column(item: dict[str, Any]) -> Column:
    if "levels" in item:
        return Category(str(item["name"]), tuple(map(str, item["levels"])), bool(item["missing"]))
    fill = None if item["fill"] is None else float(item["fill"])
    return Number(str(item["name"]), fill, float(item["center"]), float(item["scale"]))
