"""Rows in whatever form Python has them, taken apart into columns: to train on, or to prepare for a prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ffspec.data.columns import Cells, cells_of, codes_of, is_numbers
from ffspec.data.dates import moments_of, parts_of
from ffspec.data.fitted import Category, Column, DatePart, Number, Order
from ffspec.data.loaded import Floats
from ffspec.data.problems import counted, problem, quoted, some
from ffspec.diagnostics import Diagnostic, Path, SpecError
from ffspec.suggest import suggest


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows taken apart."""

    names: tuple[str, ...] | None
    """The names of the columns, if they have any."""
    columns: tuple[Any, ...]
    """As they came: arrays, series or lists."""

    @property
    def named(self) -> tuple[str, ...]:
        """The names of the columns; x0, x1 and so on where they have none."""
        return tuple(f"x{index}" for index in range(len(self.columns))) if self.names is None else self.names


def take_apart(rows: Any, path: Path) -> Rows:
    """Return the columns of a mapping, a list of mappings, a polars or pandas frame, or an array of shape (N, P).

    Raises:
        SpecError: FF036, it is none of these, or has no row or no column.
    """
    if isinstance(rows, Mapping):
        found = Rows(tuple(map(str, rows)), tuple(rows.values()))
    elif isinstance(rows, list | tuple) and rows and all(isinstance(row, Mapping) for row in rows):
        names = dict.fromkeys(name for row in rows for name in row)
        found = Rows(tuple(map(str, names)), tuple([row.get(name) for row in rows] for name in names))
    elif hasattr(rows, "columns") and hasattr(rows, "to_numpy"):
        found = Rows(tuple(map(str, rows.columns)), tuple(rows[name].to_numpy() for name in rows.columns))
    else:
        array = array_of(rows, "x", path)
        if array.ndim != 2:
            hint = "for one feature, write x.reshape(-1, 1)" if array.ndim == 1 else None
            raise problem("FF036", f"x must have the shape (rows, features), found {array.shape}", path, hint)
        found = Rows(None, tuple(array.T))
    lengths = {len(column) if hasattr(column, "__len__") else -1 for column in found.columns}
    if -1 in lengths or len(lengths) > 1:
        raise problem("FF036", "the columns of x must be lists of the same length", path)
    if not lengths or lengths == {0}:
        raise problem("FF036", "x must have at least one row and one column, found none", path)
    return found


def array_of(values: Any, name: str, path: Path) -> np.ndarray[Any, Any]:
    """Return an array of a list, an array, a series or a tensor.

    Raises:
        SpecError: FF036, its rows are of different lengths, or it is not on the CPU.
    """
    try:
        if isinstance(values, list | tuple):
            lengths = {len(row) for row in values if isinstance(row, list | tuple)}
            if len(lengths) > 1:
                found = some(sorted(lengths))
                raise problem("FF036", f"the rows of {name} must be equally long, found {found} cells", path)
            if _mixed(values):
                return np.array(values, dtype=object)
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise problem("FF036", f"{name} cannot be read as an array: {str(error).splitlines()[0]}", path) from None


def _mixed(values: Sequence[Any]) -> bool:
    """Whether a list holds texts, booleans or gaps: numpy would make one kind of them and the numbers beside."""
    cells = (cell for row in values for cell in (row if isinstance(row, list | tuple) else (row,)))
    return any(cell is None or isinstance(cell, str | bool) for cell in cells)


def encode(rows: Any, columns: Sequence[Column], path: Path = ()) -> Floats:
    """Return the raw matrix of new rows, of shape (N, P), as `Preparation.transform` takes it.

    Raises:
        SpecError: FF031 a column is missing, FF033 a cell is of the wrong kind, FF036 the shape is wrong.
    """
    plain = all(isinstance(column, Number) and column.reading is None for column in columns)
    if isinstance(rows, np.ndarray) and rows.dtype.kind in "fiu" and plain:
        if rows.ndim != 2 or rows.shape[1] != len(columns):
            raise problem("FF036", f"x must have the shape (rows, {len(columns)}), found {rows.shape}", path)
        return _finite_matrix(rows.astype(np.float64), columns, path)
    found = take_apart(rows, path)
    names = tuple(dict.fromkeys(column.raw for column in columns))
    if found.names is None:
        if len(found.columns) != len(names):
            message = f"x must have {counted(len(names), 'column')}, found {len(found.columns)}"
            raise problem("FF036", message, path)
        given = dict(zip(names, found.columns, strict=True))
    else:
        given = dict(zip(found.names, found.columns, strict=True))
    require_columns(((name, path) for name in names), tuple(given))
    dated = {column.raw for column in columns if isinstance(column, Number) and isinstance(column.reading, DatePart)}
    parts = {name: parts_of(moments_of(given[name], name, path)) for name in dated}
    return np.stack([_encoded(column, given[column.raw], parts, path) for column in columns], axis=1)


def _finite_matrix(x: Floats, columns: Sequence[Column], path: Path) -> Floats:
    for index in np.flatnonzero(np.isinf(x).any(axis=0)).tolist():
        cells_of(x[:, index], columns[index].name, path)
    return x


def _encoded(column: Column, values: Any, parts: Mapping[str, Mapping[str, Floats]], path: Path) -> Floats:
    """Return a column as numbers, categories as codes."""
    if isinstance(column, Number) and isinstance(column.reading, DatePart):
        return parts[column.raw][column.reading.part]
    cells = cells_of(values, column.name, path)
    if isinstance(column, Number) and column.reading is None:
        return _numbers(column, cells, path)
    if is_numbers(cells):
        known = cells[~np.isnan(cells)]
        if not len(known):
            return cells
        raise problem("FF033", f"column {column.name!r} must hold texts, as in training, found {known[0]:g}", path)
    if isinstance(column, Category):
        return codes_of(cells, column.levels)
    return places_of(cells, column, path)


def _numbers(column: Number, cells: Cells, path: Path) -> Floats:
    if is_numbers(cells):
        return cells
    row = next(index for index, cell in enumerate(cells) if cell is not None)
    message = f"column {column.name!r} must hold numbers, as in training, found {cells[row]!r} in row {row + 1}"
    raise problem("FF033", message, path)


def places_of(cells: Cells, column: Number, path: Path) -> Floats:
    """Return the place of each cell in the order of a column; one that has none is missing, if that is filled.

    Raises:
        SpecError: FF033, a cell has no place, and nothing is filled.
    """
    values = column.reading.values if isinstance(column.reading, Order) else ()
    places = codes_of(cells, values)
    strange = np.flatnonzero(places < 0)
    if len(strange) and column.fill is None:
        raise no_places(column.name, values, [f"{cells[row]!r} in row {row + 1}" for row in strange.tolist()], path)
    return np.where(places < 0, np.nan, places)


def no_places(name: str, values: Sequence[str], found: Sequence[str], path: Path) -> SpecError:
    """Return the error of cells that are not among the values in order."""
    message = f"column {name!r} must hold one of {quoted(values, most=12)}, found {some(found)}"
    return problem("FF033", message, path, "name it in 'ordered', or write 'prepare: {missing: median}'")


def require_columns(asked: Any, found: tuple[str, ...]) -> None:
    """Report every column in `asked`, pairs of a name and its place in the spec, that is not there.

    Raises:
        SpecError: FF031.
    """
    problems = []
    for name, path in asked:
        if name not in found:
            near = suggest(name, [column for column in found if column.strip(" _-")])
            hint = f"did you mean '{near}'?" if near else f"the columns are {quoted(found, most=12)}"
            problems.append(Diagnostic(code="FF031", message=f"there is no column {name!r}", path=path, hint=hint))
    if problems:
        raise SpecError(tuple(problems))
