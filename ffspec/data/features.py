"""From raw columns to features, a column at a time: fitted, prepared, and only then put side by side.

A column is worked on in float64 and kept in the type the network takes. The columns give back their memory as rows are
put side by side, so that the features of a large table are there once, and its raw columns never beside all of them.
N rows, P raw columns, F features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ffspec.data.columns import codes_of, finite
from ffspec.data.fitted import Category, Column, DatePart, Number
from ffspec.data.held import Stored, cells_of_held
from ffspec.data.loaded import Features, Floats, Ints, Raw
from ffspec.data.memory import give_back, unfilled
from ffspec.data.problems import missing_cells, overflowing, problem
from ffspec.data.scaling import fit_number, scaled
from ffspec.diagnostics import Path
from ffspec.spec.dataset import Prepare

CELLS = 1 << 16
"""How many numbers are worked on at a time."""
BLOCK = 1 << 18
"""How many bytes of features are put side by side at a time: they fit into the cache."""
STRETCH = 1 << 16
"""After how many rows the columns they come from give back their memory."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What becomes of a raw column."""

    column: Column
    values: NDArray[Any]
    """Shape (N,): a prepared number in the features' type, or the index of a level."""
    gaps: NDArray[np.bool_] | None
    """Where a number was missing, if a feature says so."""
    missing: int = 0
    """Cells that are missing and may not be."""
    infinite: bool = False
    """Whether a number became too large."""


def fit_features(
    raw: Raw, rows: Mapping[str, Ints], prepare: Prepare, path: Path, dtype: DTypeLike
) -> tuple[Ready, ...]:
    """Fit every column on the training rows alone, and prepare it for the rows of all splits, one after another.

    Parts of dates that are the same in all training rows are left out. The raw columns are gone afterwards.

    Raises:
        SpecError: FF032, a column has nothing but missing cells in training, or one where that is not allowed;
            FF033, a number is too large; FF037, no column is left.
    """
    order, train = np.concatenate(list(rows.values())), len(rows["train"])
    made: list[Ready] = []
    for index, name in enumerate(raw.names):
        held, raw.columns[index] = raw.columns[index], np.empty(0)
        cells = cells_of_held(held)
        if isinstance(held, Stored):
            finite(cells, name, path)
        values = cells[order].astype(np.float64, copy=False)
        del held, cells
        reading, levels = raw.readings.get(index), raw.levels.get(index)
        if levels is not None:
            category = _fit_category(name, values[:train], levels, prepare)
            made.append(prepared(_recoded(values, levels, category), category, dtype))
        elif not isinstance(reading, DatePart) or _varies(values[:train]):
            made.append(prepared(values, fit_number(name, reading, values[:train], prepare, path), dtype))
    if not made:
        raise problem("FF037", "no column is left to predict from: the dates are the same in all training rows", path)
    # The parts of a date are missing together: one mark, behind the last of them, says all.
    for index, following in enumerate(made[1:]):
        column = made[index].column
        if isinstance(column, Number) and column.raw == following.column.raw:
            made[index] = replace(made[index], column=replace(column, indicator=False), gaps=None)
    refuse_faults(made, path)
    return tuple(made)


def prepared(values: Floats, column: Column, dtype: DTypeLike) -> Ready:
    """Prepare the cells of one column, NaN where one is missing; those of a category are indices into its levels."""
    holes = np.isnan(values)
    if isinstance(column, Category):
        # An index of -1 is a level never seen in training: unknown, not missing.
        codes = unfilled((len(values),), np.int32)
        codes[:] = np.where(holes | (values < 0), len(column.levels), values)
        return Ready(column, codes, None, 0 if column.missing else int(holes.sum()))
    result, infinite = unfilled((len(values),), dtype), False
    for start in range(0, len(values), CELLS):
        part = scaled(values[start : start + CELLS], column)
        infinite = infinite or not np.isfinite(part).all()
        with np.errstate(over="ignore"):
            result[start : start + CELLS] = part
    missing = 0 if column.fill is not None else int(holes.sum())
    return Ready(column, result, holes if column.indicator else None, missing, infinite)


def refuse_faults(made: Sequence[Ready], path: Path) -> None:
    """Refuse cells that are missing where that is not allowed, and numbers that preparing made infinite.

    Raises:
        SpecError: FF032, FF033.
    """
    # The parts of a date are missing together, and are one cell.
    counts = {ready.column.raw: ready.missing for ready in made if ready.missing}
    if counts:
        raise missing_cells(counts, path)
    wrong = [ready.column.name for ready in made if ready.infinite]
    if wrong:
        raise overflowing(wrong, path)


def assembled(made: Sequence[Ready], start: int, stop: int, dtype: DTypeLike, *, last: bool = False) -> Features:
    """Put the features of some rows side by side; shape (stop - start, F).

    If it is the `last` use of these rows and of those before them, their memory is given back as they are put there.
    """
    widths = [len(ready.column.features) for ready in made]
    result = unfilled((stop - start, sum(widths)), dtype)
    rows = max(1, BLOCK // max(1, result.itemsize * result.shape[1]))
    for low in range(start, stop, rows):
        high, place = min(low + rows, stop), 0
        block = result[low - start : high - start]
        for ready, width in zip(made, widths, strict=True):
            _put(block[:, place : place + width], ready, slice(low, high))
            place += width
        if last and high // STRETCH > low // STRETCH:
            for ready in made:
                give_back(ready.values, high)
    return result


def _put(place: NDArray[Any], ready: Ready, rows: slice) -> None:
    """Put some rows of a column where they belong: a number, an index, or a 1 at the place of the level."""
    values = ready.values[rows]
    if isinstance(ready.column, Category) and not ready.column.coded:
        place[:] = 0
        place[np.arange(len(values)), values] = 1
        return
    place[:, 0] = values
    if ready.gaps is not None:
        place[:, 1] = ready.gaps[rows]


def _varies(values: Floats) -> bool:
    """Return whether the known numbers of a column differ, or there are none to tell."""
    known = values[~np.isnan(values)]
    return not len(known) or bool(known.min() != known.max())


def _fit_category(name: str, values: Floats, levels: Sequence[str], prepare: Prepare) -> Category:
    """Keep the levels that enough training rows have; what is rarer counts as unknown, which is trained by that."""
    seen, counts = np.unique(values[~np.isnan(values)].astype(np.int64), return_counts=True)
    kept = tuple(sorted(levels[code] for code in seen[counts >= prepare.min_rows].tolist()))
    return Category(name, kept, missing=prepare.missing != "error", coded=prepare.categories == "codes")


def _recoded(values: Floats, levels: Sequence[str], column: Category) -> Floats:
    """Return indices into all levels as indices into those that were kept, -1 for the others."""
    codes = codes_of(np.array(levels, dtype=object), column.levels)
    known = ~np.isnan(values)
    result = np.full(len(values), np.nan)
    result[known] = codes[values[known].astype(np.int64)]
    return result
