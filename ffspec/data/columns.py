"""Columns of cells: numbers with NaN for a missing one, or texts with None; and from them the raw columns.

N rows, P raw columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffspec.data.dates import ISO
from ffspec.data.held import Held, Labelled
from ffspec.data.loaded import Floats
from ffspec.data.problems import counted, problem, some
from ffspec.diagnostics import Path

Cells: TypeAlias = NDArray[Any]
"""Shape (N,): numbers, NaN where one is missing, or object, holding texts and None for a missing one."""

MOST_LEVELS = 1000
"""A column of more different texts is no category."""

TRUTH = {True: "true", False: "false"}
"""Booleans as levels."""


def is_numbers(cells: Held) -> bool:
    """Whether a column holds numbers; one without any value counts as numbers."""
    return not isinstance(cells, np.ndarray) or cells.dtype.kind in "fiu"


def cells_of(values: Any, name: str, path: Path) -> Cells:
    """Turn a sequence of numbers, of booleans or of texts into a column; None and NaN are missing.

    Raises:
        SpecError: FF033, the values are of several kinds or of another one, or infinite.
    """
    if isinstance(values, list | tuple):  # of numbers and texts, numpy would make texts
        return _cells_of_objects(list(values), name, path)
    array = np.asarray(values)
    if array.dtype.kind in "fiu":
        return finite(array.astype(np.float64), name, path)
    if array.dtype.kind == "b":
        return np.array([TRUTH[bool(value)] for value in array], dtype=object)
    if array.dtype.kind in "OU":
        return _cells_of_objects(array.tolist(), name, path)
    raise problem("FF033", f"column {name!r} must hold numbers, booleans or texts, found {array.dtype}", path)


def _cells_of_objects(values: list[Any], name: str, path: Path) -> Cells:
    kinds: dict[str, tuple[int, Any]] = {}
    cells: list[Any] = []
    for row, value in enumerate(values):
        cell, kind = _cell(value)
        cells.append(cell)
        if kind is not None:
            kinds.setdefault(kind, (row, value))
    if len(kinds) > 1 or "other" in kinds:
        found = some(f"{kind} ({value!r} in row {row + 1})" for kind, (row, value) in kinds.items())
        raise problem("FF033", f"column {name!r} must hold numbers, booleans or texts alone, found {found}", path)
    if not kinds or "a number" in kinds:
        numbers = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
        return finite(numbers, name, path)
    return np.array(cells, dtype=object)


def _cell(value: Any) -> tuple[Any, str | None]:
    """Return a cell and its kind; a missing cell has none."""
    if value is None or (isinstance(value, Real) and isnan(value)):
        return None, None
    if isinstance(value, bool | np.bool_):
        return TRUTH[bool(value)], "a boolean"
    if isinstance(value, Real):
        return float(value), "a number"
    return (str(value), "a text") if isinstance(value, str) else (None, "other")


def finite(numbers: Cells, name: str, path: Path) -> Cells:
    """Return the column unless it holds infinity.

    Raises:
        SpecError: FF033, it does.
    """
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        found = some(f"{numbers[row]} in row {row + 1}" for row in infinite)
        raise problem("FF033", f"column {name!r} must hold finite numbers, found {found}", path)
    return numbers


def assemble(
    names: Sequence[str], columns: Sequence[Held | Labelled], path: Path
) -> tuple[list[Held], dict[int, tuple[str, ...]]]:
    """Return the raw columns, categories as indices into their levels, and the levels by position.

    Raises:
        SpecError: FF033, a column holds too many different texts to be categories.
    """
    levels: dict[int, tuple[str, ...]] = {}
    made: list[Held] = []
    for index, (name, cells) in enumerate(zip(names, columns, strict=True)):
        if isinstance(cells, Labelled):
            levels[index] = cells.levels
            refuse_identifier(name, cells.levels, cells.rows, path, count=cells.count)
            made.append(cells.codes)
            continue
        if not isinstance(cells, np.ndarray) or is_numbers(cells):
            made.append(cells)
            continue
        levels[index] = tuple(sorted({cell for cell in cells if cell is not None}))
        refuse_identifier(name, levels[index], len(cells), path)
        made.append(codes_of(cells, levels[index]))
    return made, levels


def codes_of(cells: Cells, levels: tuple[str, ...]) -> Floats:
    """Return the index of each cell's level: NaN where the cell is missing, -1 where the level is unknown."""
    code: dict[str | None, float] = {level: float(index) for index, level in enumerate(levels)}
    code[None] = np.nan
    return np.array([code.get(cell, -1.0) for cell in cells], dtype=np.float64)


def refuse_identifier(name: str, levels: Sequence[str], rows: int, path: Path, *, count: int | None = None) -> None:
    """Refuse a column of names or numbers of rows: one-hot, it would be wide and teach nothing.

    Raises:
        SpecError: FF033, it is one.
    """
    count = len(levels) if count is None else count
    if count <= MOST_LEVELS and (count <= 20 or count <= rows / 2):
        return
    hint = f"leave it out with 'drop: [{name}]'"
    if len(path) > 1 and all(map(ISO.fullmatch, levels)):  # a table, which can be told so
        hint = f"write 'dates: [{name}]' to use its parts, or {hint}"
    message = f"column {name!r} must hold categories, found {count:,} different texts in {counted(rows, 'row')}"
    raise problem("FF033", message, path, hint)
