"""Preparing the features: filling, scaling and categories, fitted once and applied to every later row.

N rows, P raw columns, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ffspec.data import keeping
from ffspec.data.fitted import Category, Column, DatePart, Number
from ffspec.data.incoming import encode
from ffspec.data.loaded import Floats, Raw
from ffspec.data.problems import counted, problem, quoted, some
from ffspec.data.scaling import fit_number, scaled
from ffspec.diagnostics import Path
from ffspec.spec.dataset import Prepare


@dataclass(frozen=True, slots=True)
class Preparation:
    """What was fitted on the training split."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The raw columns it takes."""
        return tuple(dict.fromkeys(column.raw for column in self.columns))

    @property
    def features(self) -> tuple[str, ...]:
        """The features it gives."""
        return tuple(name for column in self.columns for name in column.features)

    @property
    def levels(self) -> tuple[int, ...]:
        """What each feature is; see `Facts.levels`."""
        return tuple(kind for column in self.columns for kind in column.kinds)

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
        ready = scaled(x, numbers)
        self._refuse_overflow(ready, path)
        if all(isinstance(column, Number) and not column.indicator for column in self.columns):
            return np.ascontiguousarray(ready)
        result = np.empty((len(x), len(self.features)))
        start = 0
        for index, column in enumerate(self.columns):
            stop = start + len(column.features)
            if isinstance(column, Category):
                _put_category(result[:, start:stop], x[:, index], column)
            else:
                result[:, start] = ready[:, index]
                if column.indicator:
                    result[:, start + 1] = np.isnan(x[:, index])
            start = stop
        return result

    def _refuse_missing(self, x: Floats, path: Path) -> None:
        allowed = [c.missing if isinstance(c, Category) else c.fill is not None for c in self.columns]
        # An index of -1 is a level never seen in training: unknown, not missing.
        holes = np.isnan(x) & ~np.array(allowed, dtype=np.bool_)
        if not holes.any():
            return
        # The parts of a date are missing together, and are one cell.
        counts = {
            self.columns[index].raw: int(count) for index, count in enumerate(holes.sum(axis=0).tolist()) if count
        }
        found = some(f"{name} ({count:,})" for name, count in counts.items())
        raise problem(
            "FF032",
            f"no cell may be missing, found {counted(sum(counts.values()), 'missing cell')}: {found}",
            path,
            "write 'prepare: {missing: median}' (or mean, most_frequent), or leave the column out with 'drop'",
        )

    def _refuse_overflow(self, scaled: Floats, path: Path) -> None:
        infinite = np.flatnonzero(~np.isfinite(scaled).all(axis=0)).tolist()
        wrong = [self.columns[index].name for index in infinite if isinstance(self.columns[index], Number)]
        if wrong:
            raise problem("FF033", f"scaled numbers must be finite, but overflow in column {quoted(wrong)}", path)

    def to_json(self) -> str:
        """Write it as JSON; every number is read back to the last bit."""
        return keeping.written(self.columns)

    @staticmethod
    def from_json(text: str) -> Preparation:
        """Read what `to_json` wrote.

        Raises:
            ValueError: the text is not that.
        """
        return Preparation(keeping.read(text))


def fit(raw: Raw, rows: Sequence[int] | np.ndarray[Any, Any], prepare: Prepare, path: Path) -> Preparation:
    """Fit the preparation on the training rows alone.

    Parts of dates that are the same in all of them are left out.

    Raises:
        SpecError: FF032, a column has nothing but missing cells there; FF037, no column is left.
    """
    x = raw.x[rows]
    columns: list[Column] = []
    for index, name in enumerate(raw.names):
        values, reading = x[:, index], raw.readings.get(index)
        if index in raw.levels:
            columns.append(_fit_category(name, values, raw.levels[index], prepare))
        elif not isinstance(reading, DatePart) or _varies(values):
            columns.append(fit_number(name, reading, values, prepare, path))
    if not columns:
        raise problem("FF037", "no column is left to predict from: the dates are the same in all training rows", path)
    # The parts of a date are missing together: one mark, behind the last of them, says all.
    following = [column.raw for column in columns[1:]]
    for index, raw_name in enumerate(following):
        column = columns[index]
        if isinstance(column, Number) and column.raw == raw_name:
            columns[index] = replace(column, indicator=False)
    return Preparation(tuple(columns))


def narrowed(raw: Raw, preparation: Preparation) -> Raw:
    """Return the rows without the columns that were left out, so that columns and raw columns stand side by side."""
    kept = [raw.names.index(column.name) for column in preparation.columns]
    if len(kept) == len(raw.names):
        return raw
    return replace(
        raw,
        x=raw.x[:, kept],
        names=tuple(raw.names[index] for index in kept),
        levels={place: raw.levels[index] for place, index in enumerate(kept) if index in raw.levels},
        readings={place: raw.readings[index] for place, index in enumerate(kept) if index in raw.readings},
    )


def _varies(values: Floats) -> bool:
    """Return whether the known numbers of a column differ, or there are none to tell."""
    known = values[~np.isnan(values)]
    return not len(known) or bool(known.min() != known.max())


def _fit_category(name: str, values: Floats, levels: Sequence[str], prepare: Prepare) -> Category:
    """Keep the levels that enough training rows have; what is rarer counts as unknown, which is trained by that."""
    seen, counts = np.unique(values[~np.isnan(values)].astype(np.int64), return_counts=True)
    kept = tuple(sorted(levels[code] for code in seen[counts >= prepare.min_rows].tolist()))
    return Category(name, kept, missing=prepare.missing != "error", coded=prepare.categories == "codes")


def _put_category(place: Floats, codes: Floats, column: Category) -> None:
    """Put in shape (N, 1) the index of the level, or in (N, levels + 1) a 1 there; the last where it is unknown."""
    known = np.isfinite(codes) & (codes >= 0)
    found = np.where(known, codes, len(column.levels))
    if column.coded:
        place[:, 0] = found
        return
    place[:] = 0.0
    place[np.arange(len(codes)), found.astype(np.int64)] = 1.0
