"""From the files of a table to raw rows: which columns, what they hold, and which rows belong to which split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ffspec.data.arrays import missing_target, no_value
from ffspec.data.columns import Cells, assemble, finite
from ffspec.data.dates import PARTS, UNIT, Moments, no_dates, parts_of, read_dates
from ffspec.data.files import open_table
from ffspec.data.fitted import DatePart, Order, Reading
from ffspec.data.held import Held, Labelled, kept_of_held
from ffspec.data.incoming import no_places, require_columns
from ffspec.data.loaded import Floats, Ints, Raw, RawTarget
from ffspec.data.opening import Folder, refuse_large
from ffspec.data.pieces import Part
from ffspec.data.problems import problem, quoted, some
from ffspec.data.ranking import comparable
from ffspec.data.texts import labelled, places_of
from ffspec.diagnostics import Path
from ffspec.spec.facts import SPLITS
from ffspec.spec.tables import Csv, Table

TEXT = 56
"""Bytes of a short text in Python, and of the place that refers to it."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of all files, one after another."""

    table: Table
    frame: pl.DataFrame
    floats: dict[str, Held]
    """The columns that were read as numbers at once; each is taken out when it is used."""
    origins: tuple[tuple[str, int], ...]
    """The files, and how many rows each has."""
    numbers: Ints
    """The number each row of `frame` has in all files together."""

    @property
    def path(self) -> Path:
        """The source in the spec."""
        return ("dataset", self.table.name)

    def column(self, name: str) -> pl.Series:
        """Return a column under another name: to polars, its own may be a pattern, as ^a.*$ is."""
        return self.frame.get_column(name).alias("cells")

    def row(self, index: int) -> int | str:
        """Return the number of a row in its file, counted from 1 after the header."""
        number = int(self.numbers[index])
        for name, count in self.origins:
            if number < count:
                return number + 1 if len(self.origins) == 1 else f"{number + 1} of {name}"
            number -= count
        raise IndexError(index)


def read_table(table: Table, folder: Folder, *, filled: bool, by: str | None = None) -> Raw:
    """Read all rows of a table, whatever file they are in.

    Where missing cells are `filled`, a text outside of an order counts as missing. The column `by` decides how rows are
    divided, and is no feature unless the spec names it as one.

    Raises:
        SpecError: FF030 to FF033, FF035 and FF037 to FF039.
    """
    path = ("dataset", table.name)
    with open_table(table, table.path, folder, (*path, "path")) as main:
        require_columns(asked(table, by), main.columns)
        features = features_of(table, main.columns, by)
        others = [*table.targets, *(name for name in (table.split_column, table.weight, by) if name)]
        used = list(dict.fromkeys([*features, *others]))
        # Several files must be read alike, which is sure of texts alone.
        apart = {*others, *(table.categorical or ()), *(table.dates or ()), *table.orders}
        plain = frozenset() if table.files else frozenset(features) - apart
        parts = {table.path: main.read(used, plain)}
    for name, file in table.files.items():
        with open_table(table, file, folder, (*path, name)) as other:
            require_columns(((column, (*path, name)) for column in used), other.columns)
            parts[f"{file}" if file not in parts else f"{file} ({name})"] = other.read(used, plain)
    sheet = _sheet(table, parts)
    columns = {name: part for feature in features for name, part in read_feature(sheet, feature, filled=filled)}
    made, levels = assemble(tuple(columns), [cells for cells, _ in columns.values()], path)
    readings = {index: reading for index, (_, reading) in enumerate(columns.values()) if reading is not None}
    return Raw(
        columns=made,
        names=tuple(columns),
        levels=levels,
        readings=readings,
        target=target_of_sheet(sheet),
        fixed=_fixed(sheet),
        ranks=None if by is None else _ranks(sheet, by),
        weights=None if table.weight is None else weights_of(sheet, table.weight),
    )


def asked(table: Table, by: str | None) -> Iterator[tuple[str, Path]]:
    """Yield every column the spec names, with its place."""
    path = ("dataset", table.name)
    if by is not None:
        yield by, ("dataset", "split", "by")
    for name in table.orders:
        yield name, (*path, "ordered", name)
    for field in ("target", "columns", "drop", "categorical", "dates", "split_column", "weight"):
        value = getattr(table, field)
        if isinstance(value, str):
            yield value, (*path, field)
        for index, name in enumerate(value if isinstance(value, tuple) else ()):
            yield name, (*path, field, index)


def features_of(table: Table, columns: Sequence[str], by: str | None) -> list[str]:
    """Return the columns to predict from.

    Raises:
        SpecError: FF037, there is none, or one without a name.
    """
    others = {*table.targets, *(table.drop or ()), table.split_column, table.weight}
    if by not in {*(table.categorical or ()), *(table.dates or ()), *table.orders}:
        others.add(by)
    features = list(table.columns or (name for name in columns if name not in others))
    if not features:
        raise problem("FF037", "no column is left to predict from", ("dataset", table.name))
    if "" in features and table.columns is None:
        hint = "leave it out with drop: [''], or give it a name"
        raise problem("FF037", "a column without a name must be left out or named", ("dataset", table.name), hint)
    for index, name in enumerate(table.dates or ()):
        taken = [f"{name}.{part}" for part in PARTS if f"{name}.{part}" in features]
        if taken:
            message = f"the parts of {name!r} need names that are free, but there is a column {taken[0]!r}"
            raise problem("FF037", message, ("dataset", table.name, "dates", index), f"write drop: {quoted(taken)}")
    return features


def _sheet(table: Table, parts: dict[str, Part]) -> Sheet:
    """Put the files one after another, without blank lines and, if asked, rows without a target."""
    try:
        frame = pl.concat([part.frame for part in parts.values()], how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        message = f"the files must have columns of the same kinds: {str(error).splitlines()[0]}"
        raise problem("FF033", message, ("dataset", table.name)) from None
    mask = ~np.concatenate([part.blank for part in parts.values()])
    for name in table.targets if table.missing_target == "drop" else ():
        # Under another name: polars takes one such as ^a.*$ for a pattern.
        mask &= frame.get_column(name).alias("target").is_not_null().to_numpy()
    if not mask.any():
        raise problem("FF032", "every row must have a target, found none that has", ("dataset", table.name, "target"))
    floats = next(iter(parts.values())).floats  # of several files there are none
    if not mask.all():
        frame = frame.filter(mask)
        for name in floats:
            floats[name] = kept_of_held(floats[name], mask)
    origins = tuple((name, len(part)) for name, part in parts.items())
    return Sheet(table, frame, floats, origins, np.flatnonzero(mask).astype(np.int64))


def _ranks(sheet: Sheet, name: str) -> Ints:
    """Return the place of each row's value of a column among all of them: numbers, dates or texts in their order.

    Raises:
        SpecError: FF032, a row has none.
    """
    path = ("dataset", "split", "by")
    series = sheet.column(name)
    if name in (sheet.table.dates or ()):
        series = pl.Series(_moments(sheet, name))
    elif name in sheet.table.orders:
        series = pl.Series(_places(sheet, name, filled=False), nan_to_null=True)
    else:
        series = comparable(series, parse=isinstance(sheet.table, Csv))
    if not (series.dtype.is_numeric() or series.dtype.is_temporal() or series.dtype in (pl.Boolean, pl.String)):
        message = f"column {name!r} must hold numbers, dates, booleans or texts, found {series.dtype}"
        raise problem("FF033", message, path)
    holes = np.flatnonzero(series.is_null())
    if len(holes):
        raise no_value(name, [sheet.row(row) for row in holes.tolist()])
    return series.rank("dense").cast(pl.Int64).to_numpy()


def weights_of(sheet: Sheet, name: str) -> Floats:
    """Return how much each row counts.

    Raises:
        SpecError: FF033, a cell is no number of at least 0.
    """
    path = (*sheet.path, "weight")
    series = typed(sheet, name, path)
    if not series.dtype.is_numeric():
        raise problem("FF033", f"column {name!r} must hold weights, numbers of at least 0, found {series.dtype}", path)
    weights = series.cast(pl.Float64).to_numpy().astype(np.float64)
    wrong = np.flatnonzero(~(weights >= 0) | ~np.isfinite(weights)).tolist()
    if wrong:
        cells = ("none" if np.isnan(weights[row]) else f"{weights[row]:g}" for row in wrong)
        found = some(f"{cell} in row {sheet.row(row)}" for cell, row in zip(cells, wrong, strict=True))
        raise problem("FF033", f"column {name!r} must hold weights, numbers of at least 0, found {found}", path)
    return weights


def _fixed(sheet: Sheet) -> dict[str, Ints]:
    """Return the rows that the split column or files of their own put into a split."""
    table = sheet.table
    if table.split_column is not None:
        path = (*sheet.path, "split_column")
        words = sheet.column(table.split_column).cast(pl.String)
        said = words.unique(maintain_order=True).to_list()
        strange = [word for word in said if word not in SPLITS]
        if strange:
            cells = ("an empty cell" if word is None else repr(word) for word in strange)
            rows = (
                sheet.row(int((words.is_null() if word is None else words == word).arg_true()[0])) for word in strange
            )
            found = some(f"{cell} in row {row}" for cell, row in zip(cells, rows, strict=True))
            message = f"{table.split_column!r} must say train, validation or test, found {found}"
            raise problem("FF035", message, path)
        if "train" not in said:
            raise problem("FF035", f"{table.split_column!r} must put rows into train, found none", path)
        return {name: np.flatnonzero((words == name).to_numpy()).astype(np.int64) for name in SPLITS if name in said}
    fixed = {}
    start = sheet.origins[0][1]
    for name, (file, count) in zip(table.files, sheet.origins[1:], strict=True):
        inside = (sheet.numbers >= start) & (sheet.numbers < start + count)
        if not inside.any():
            raise problem("FF035", f"{file} must have rows with a target, found none", (*sheet.path, name))
        fixed[name] = np.flatnonzero(inside).astype(np.int64)
        start += count
    return fixed


def read_feature(
    sheet: Sheet, name: str, *, filled: bool
) -> Iterator[tuple[str, tuple[Held | Labelled, Reading | None]]]:
    """Yield what becomes of a column: itself, or the parts of its dates."""
    if name in (sheet.table.dates or ()):
        for part, values in parts_of(_moments(sheet, name)).items():
            yield f"{name}.{part}", (values, DatePart(name, part))
    elif name in sheet.table.orders:
        yield name, (_places(sheet, name, filled=filled), Order(sheet.table.orders[name]))
    else:
        yield name, (_feature(sheet, name), None)


def _moments(sheet: Sheet, name: str) -> Moments:
    """Return a column of dates; a time in a zone as UTC."""
    series = sheet.column(name)
    path = (*sheet.path, "dates", (sheet.table.dates or ()).index(name))
    if series.dtype in (pl.Date, pl.Datetime):
        return series.cast(pl.Datetime("us")).to_numpy().astype(UNIT)
    if series.dtype != pl.String and series.null_count() < len(series):
        message = f"column {name!r} must hold dates, or texts such as 2026-01-31, found {series.dtype}"
        raise problem("FF033", message, path)
    moments, failed = read_dates(_texts(series.cast(pl.String), name, path))
    if len(failed):
        raise no_dates(name, [f"{series[row]!r} in row {sheet.row(row)}" for row in failed.tolist()], path)
    return moments


def _places(sheet: Sheet, name: str, *, filled: bool) -> Cells:
    """Return the place of each cell of a column in its order; outside of it, a cell is missing or wrong."""
    path, values = (*sheet.path, "ordered", name), sheet.table.orders[name]
    series = sheet.column(name)
    if series.dtype not in (pl.String, pl.Categorical, pl.Enum) and series.null_count() < len(series):
        message = f"column {name!r} must hold texts to be ordered, found {series.dtype}"
        raise problem("FF033", message, path, "numbers are in order as they are")
    texts = series.cast(pl.String)
    places = places_of(texts, values)
    strange = np.flatnonzero(places < 0).tolist()
    if strange and not filled:
        raise no_places(name, values, [f"{texts[row]!r} in row {sheet.row(row)}" for row in strange], path)
    return np.where(places < 0, np.nan, places)


def _feature(sheet: Sheet, name: str) -> Held | Labelled:
    """Return a column as numbers or as texts."""
    if name in sheet.floats:
        held = sheet.floats.pop(name)
        return finite(held, name, sheet.path) if isinstance(held, np.ndarray) else held
    series = typed(sheet, name, sheet.path)
    if name in (sheet.table.categorical or ()):
        texts = series.cast(pl.Boolean) if series.dtype == pl.Boolean else _whole(series)
        return labelled(texts.cast(pl.String))
    if series.dtype.is_numeric():
        return finite(series.cast(pl.Float64).to_numpy().astype(np.float64), name, sheet.path)
    return labelled(series.cast(pl.String))


def _texts(series: pl.Series, name: str, path: Path) -> list[str | None]:
    """Return a column of texts, each an object of its own: a file may say a long one once for a million rows.

    Raises:
        SpecError: FF039, there is no room for them.
    """
    size = int(series.str.len_bytes().sum()) + TEXT * len(series)
    refuse_large(size, f"column {name!r}", path, f"leave it out with 'drop: [{name}]'")
    return series.to_list()


def _whole(series: pl.Series) -> pl.Series:
    """Return numbers that are all whole as integers, so that as levels they read `1`, not `1.0`."""
    if series.dtype.is_float() and (series.drop_nulls() % 1 == 0).all():
        return series.cast(pl.Int64)
    return series


def target_of_sheet(sheet: Sheet, *, coded: bool = True) -> RawTarget:
    """Return the target; if it is texts, `coded`, or the texts themselves.

    Raises:
        SpecError: FF032, a row has none; FF033, it is no number or text.
    """
    table = sheet.table
    columns = []
    for index, name in enumerate(table.targets):
        path = (*sheet.path, "target") if isinstance(table.target, str) else (*sheet.path, "target", index)
        series = typed(sheet, name, path)
        holes = (series.is_null() | series.is_nan()) if series.dtype.is_float() else series.is_null()
        if holes.any():
            rows = [sheet.row(int(row)) for row in np.flatnonzero(holes.to_numpy())]
            hint = f"write '{table.name}: {{missing_target: drop}}' to leave such rows out"
            raise missing_target(name, rows, path, hint)
        if len(table.targets) > 1 and not (series.dtype.is_numeric() or series.dtype == pl.Boolean):
            texts = quoted(series.unique().sort().to_list())
            message = f"several targets must be numbers, but {name!r} holds texts: {texts}"
            raise problem("FF033", message, path)
        if coded and len(table.targets) == 1 and series.dtype == pl.String:
            found = labelled(series)
            if found.count == len(found.levels):
                return _classes(table, found)
        columns.append(_target_values(series, name, path))
    values = columns[0] if len(columns) == 1 else np.stack(columns, axis=1).astype(np.float64)
    return RawTarget(values=values, names=table.targets, kind=table.known().target)


def _classes(table: Table, texts: Labelled) -> RawTarget:
    """Return texts as a target."""
    codes, kind = texts.codes.whole.astype(np.int64), table.known().target
    return RawTarget(values=codes, names=table.targets, kind=kind, numeric=False, classes=texts.levels)


def _target_values(series: pl.Series, name: str, path: Path) -> Any:
    if series.dtype.is_integer():
        return series.cast(pl.Int64).to_numpy()
    if series.dtype.is_numeric():
        return finite(series.cast(pl.Float64).to_numpy().astype(np.float64), name, path)
    return series.to_numpy() if series.dtype == pl.Boolean else np.array(_texts(series, name, path), dtype=object)


def typed(sheet: Sheet, name: str, path: Path) -> pl.Series:
    """Return a column as numbers, booleans or texts; missing cells are null, or NaN among numbers.

    Raises:
        SpecError: FF033, it is neither, or numbers but for a few cells.
    """
    series = sheet.column(name)
    if isinstance(sheet.table, Csv):
        return _parsed(series, sheet, name, path)
    if series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.String):
        return series
    if series.dtype in (pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    if series.dtype == pl.Null:
        return series.cast(pl.Float64)
    message = f"column {name!r} must hold numbers, booleans or texts, found {series.dtype}"
    hint = f"leave it out with 'drop: [{name}]'"
    if series.dtype in (pl.Date, pl.Datetime):
        hint = f"write 'dates: [{name}]' to use its parts, or {hint}"
    raise problem("FF033", message, path, hint)


def _parsed(texts: pl.Series, sheet: Sheet, name: str, path: Path) -> pl.Series:
    """Read the texts of a CSV column as whole numbers, as numbers or as booleans, if all of them are."""
    if texts.null_count() == len(texts):
        return texts.cast(pl.Float64)
    whole = texts.cast(pl.Int64, strict=False)
    if whole.null_count() == texts.null_count():
        return whole
    numbers = texts.cast(pl.Float64, strict=False)
    failed = numbers.is_null() & texts.is_not_null()
    if not failed.any():
        return numbers
    lower = texts.str.to_lowercase()
    if lower.drop_nulls().is_in(["true", "false"]).all():
        return lower == "true"
    present = len(texts) - texts.null_count()
    if int(failed.sum()) * 2 < present and name not in (sheet.table.categorical or ()):
        rows = np.flatnonzero(failed.to_numpy())
        found = some(f"{texts[int(row)]!r} in row {sheet.row(int(row))}" for row in rows)
        value = texts[int(rows[0])]
        hint = f"write null_values: [{value!r}] if it stands for a missing cell, or categorical: [{name}] to read texts"
        raise problem("FF033", f"column {name!r} must hold numbers, as most of its cells do, found {found}", path, hint)
    return texts
