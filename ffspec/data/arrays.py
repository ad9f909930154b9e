"""Rows that are already there: arrays handed over in Python, and rows written in the spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ffspec.data.columns import Cells, assemble, cells_of, is_numbers
from ffspec.data.dates import is_dates, moments_of
from ffspec.data.incoming import Rows, array_of, require_columns, take_apart
from ffspec.data.loaded import Ints, Raw, RawTarget
from ffspec.data.problems import counted, problem, quoted, some
from ffspec.diagnostics import Path, SpecError
from ffspec.spec.facts import SPLITS
from ffspec.spec.tables import Inline

PATH = ("dataset",)
HINT = "hand over data=(X, y), or data={'train': (X, y), 'test': (X, y)}"


def read_inline(source: Inline) -> Raw:
    """Return the rows written in the spec."""
    x = np.array(source.rows, dtype=np.float64)
    names = tuple(f"x{index}" for index in range(x.shape[1]))
    return Raw(columns=list(x.T), names=names, target=target_of(source.y, ("dataset", "inline", "y")))


def read_arrays(arrays: Any, *, by: str | None = None) -> Raw:
    """Return the rows handed over: `(X, y)`, or a mapping from train, validation and test to such pairs.

    X is an array of shape (rows, features), a list of rows, a mapping from names to columns, or a polars or pandas
    frame; y is as long, an array, a list or a series of labels or numbers, or has the shape (rows, targets). The
    column `by` decides how rows are divided, and is no feature.

    Raises:
        SpecError: FF036 arrays are missing or badly shaped, FF033 they hold something else, FF031 a column is missing.
    """
    if arrays is None:
        raise problem("FF036", "arrays must be handed over, found none", PATH, HINT)
    if not isinstance(arrays, Mapping):
        rows, y = _pair(arrays, "data")
        return _ranked([rows], [y], {}, by)
    if not arrays or "train" not in arrays or not set(arrays) <= set(SPLITS):
        found = quoted(arrays) or "nothing"
        raise problem("FF036", f"data must name the splits train, validation and test, found {found}", PATH, HINT)
    named = [(name, *_pair(arrays[name], name)) for name in SPLITS if name in arrays]
    fixed: dict[str, Ints] = {}
    start = 0
    for name, _, y in named:
        fixed[name] = np.arange(start, start + len(y), dtype=np.int64)
        start += len(y)
    return _ranked([rows for _, rows, _ in named], [y for _, _, y in named], fixed, by)


def _ranked(parts: Sequence[Rows], targets: Sequence[Any], fixed: dict[str, Ints], by: str | None) -> Raw:
    """Put the splits one after another, without the column that keeps rows together, and with what it says."""
    if by is None:
        return _joined(parts, targets, fixed)
    place, values, others = ("dataset", "split", "by"), [], []
    for part in parts:
        if part.names is None:
            hint = "hand over a mapping from names to columns, or a frame"
            raise problem("FF036", f"there must be a column {by!r}, but the columns of X have no names", place, hint)
        require_columns([(by, place)], part.names)
        index = part.names.index(by)
        values.append(part.columns[index])
        others.append(Rows(_without(part.names, index), _without(part.columns, index)))
    if not others[0].columns:
        raise problem("FF036", f"x must have a column beside {by!r} to predict from, found none", place)
    return replace(_joined(others, targets, fixed), ranks=_ranks(values, by, place))


def _without(items: tuple[Any, ...], index: int) -> tuple[Any, ...]:
    return (*items[:index], *items[index + 1 :])


def _ranks(parts: Sequence[Any], name: str, path: Path) -> Ints:
    """Return the place of each value among all of them: numbers, dates or texts in their order.

    Raises:
        SpecError: FF032, a value is missing; FF033, they are of several kinds.
    """
    if all(is_dates(values) for values in parts):
        values: Any = np.concatenate([moments_of(values, name, path) for values in parts])
        holes = np.isnat(values)
    else:
        cells = join([cells_of(values, name, path) for values in parts], name, path)
        values = cells
        holes = np.isnan(cells) if is_numbers(cells) else np.array([cell is None for cell in cells])
    if holes.any():
        raise no_value(name, (np.flatnonzero(holes) + 1).tolist())
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def no_value(name: str, rows: Sequence[int | str]) -> SpecError:
    """Return the error of rows without a value of the column that keeps rows together."""
    noun = "row" if len(rows) == 1 else "rows"
    message = f"every row must have a value of {name!r} to be divided by, but it is missing in {noun} {some(rows)}"
    return problem("FF032", message, ("dataset", "split", "by"))


def _pair(value: Any, name: str) -> tuple[Rows, Any]:
    """Take (X, y) apart; they must have as many rows."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise problem("FF036", f"{name} must be a pair (X, y), found {type(value).__name__}", PATH, HINT)
    rows = take_apart(value[0], PATH)
    y = array_of(value[1], "y", PATH)
    if y.ndim not in (1, 2) or y.size == 0:
        raise problem("FF036", f"y must have the shape (rows,) or (rows, targets), found {y.shape}", PATH)
    if len(y) != len(rows.columns[0]):
        message = f"X and y must have as many rows, found {counted(len(rows.columns[0]), 'row')} and {len(y):,}"
        raise problem("FF036", message, PATH)
    return rows, y


def _joined(parts: Sequence[Rows], targets: Sequence[Any], fixed: dict[str, Ints]) -> Raw:
    """Put the splits one after another."""
    first = parts[0]
    for part in parts[1:]:
        if first.names is not None and part.names is not None:
            require_columns(((name, PATH) for name in first.names), part.names)
        elif len(part.columns) != len(first.columns):
            message = f"all splits must have {counted(len(first.columns), 'feature')}, found {len(part.columns)}"
            raise problem("FF036", message, PATH)
    columns = []
    for index, name in enumerate(first.named):
        found = (
            part.columns[index] if first.names is None or part.names is None else part.columns[part.names.index(name)]
            for part in parts
        )
        columns.append(join([cells_of(values, name, PATH) for values in found], name, PATH))
    made, levels = assemble(first.named, columns, PATH)
    widths = {y.shape[1:] for y in targets}
    if len(widths) > 1:
        raise problem("FF036", "y must have the same shape in all splits, up to the rows", PATH)
    # Of numbers and texts, numpy would make texts: as objects they stay what they are.
    same = len({y.dtype.kind for y in targets}) == 1
    y = np.concatenate([y if same else y.astype(object) for y in targets])
    return Raw(columns=made, names=first.named, levels=levels, target=target_of(y, PATH), fixed=fixed)


def join(parts: Sequence[Cells], name: str, path: Path) -> Cells:
    """Return one column of several; a part without any value fits to texts, too.

    Raises:
        SpecError: FF033, some parts are numbers and some are texts.
    """
    texts = [not is_numbers(part) for part in parts]
    if not any(texts) or all(texts):
        return np.concatenate(parts)
    if any(is_numbers(part) and not np.isnan(part).all() for part in parts):
        raise problem("FF033", f"column {name!r} must hold numbers, booleans or texts alone, in all splits", path)
    return np.concatenate([np.full(len(part), None) if is_numbers(part) else part for part in parts])


def target_of(y: Any, path: Path) -> RawTarget:
    """Return the target of rows in memory: labels or numbers, in one column or several.

    Raises:
        SpecError: FF032 a target is missing, FF033 it is of another kind.
    """
    values = array_of(y, "y", path)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dtype.kind in "biu" and values.ndim == 1:
        return RawTarget(values=values, names=("y",))
    if values.ndim == 1:
        return RawTarget(values=_complete(values, "y", path), names=("y",))
    names = tuple(f"y{index}" for index in range(values.shape[1]))
    columns = [_complete(column, name, path) for column, name in zip(values.T, names, strict=True)]
    for name, column in zip(names, columns, strict=True):
        if not is_numbers(column) and column.dtype.kind != "b":
            raise problem("FF033", f"several targets must be numbers, but {name} holds texts: {quoted(column)}", path)
    return RawTarget(values=np.stack(columns, axis=1).astype(np.float64), names=names)


def _complete(values: Any, name: str, path: Path) -> Cells:
    """Return a target column as numbers, booleans or texts, none of them missing."""
    if values.dtype.kind == "b":
        return np.asarray(values)
    cells = cells_of(values, name, path)
    holes = np.isnan(cells) if is_numbers(cells) else np.array([cell is None for cell in cells])
    if holes.any():
        raise missing_target(name, (np.flatnonzero(holes) + 1).tolist(), path)
    if is_numbers(cells):
        return cells
    booleans = all(isinstance(value, bool | np.bool_) for value in values.tolist())
    return np.array(values.tolist(), dtype=np.bool_) if booleans else cells


def missing_target(name: str, rows: Sequence[int | str], path: Path, hint: str | None = None) -> SpecError:
    """Return the error of rows without a target."""
    noun = "row" if len(rows) == 1 else "rows"
    return problem("FF032", f"every row must have a target, but {name!r} is missing in {noun} {some(rows)}", path, hint)
