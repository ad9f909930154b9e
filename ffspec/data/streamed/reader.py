"""The pieces of a streamed table as columns of cells: numbers, or texts of categories.

N rows of a piece.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

from ffspec.data.fitted import Reading
from ffspec.data.held import Labelled, cells_of_held
from ffspec.data.incoming import require_columns
from ffspec.data.loaded import Floats, RawTarget
from ffspec.data.opening import Folder
from ffspec.data.problems import problem, some
from ffspec.data.streamed.pieces import Pieces, open_pieces
from ffspec.data.tables import Sheet, asked, features_of, read_feature, target_of_sheet, typed, weights_of
from ffspec.diagnostics import Path
from ffspec.spec.tables import Parquet

Cells: TypeAlias = "Floats | pl.Series"
"""Shape (N,): numbers, NaN where one is missing, or texts, null where one is missing."""

MOST = 262_144
"""Rows of a piece, at most; whatever the buffer, so that it does not decide which rows are in which split."""


@dataclass(frozen=True, slots=True)
class Reader:
    """The files of a table, open."""

    table: Parquet
    files: Mapping[str, Pieces]
    """By the split that the file is alone; the main one under nothing."""
    features: tuple[str, ...]
    used: tuple[str, ...]
    filled: bool
    """Whether a text outside of an order counts as missing."""

    @property
    def path(self) -> Path:
        """The source in the spec."""
        return ("dataset", self.table.name)

    @property
    def rows(self) -> tuple[int, ...]:
        """The rows of all pieces."""
        return tuple(count for file in self.files.values() for count in file.rows)

    def frame(self, piece: int, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Read a piece, or some columns of it."""
        for file in self.files.values():
            if piece < len(file.rows):
                return file.read(piece, self.used if columns is None else columns)
            piece -= len(file.rows)
        raise IndexError(piece)

    def sheet(self, piece: int, frame: pl.DataFrame) -> Sheet:
        """Return a piece with the numbers that its rows have in all files together."""
        names = {"": self.table.path, **self.table.files}
        origins = tuple((names[own], sum(file.rows)) for own, file in self.files.items())
        start = sum(self.rows[:piece])
        return Sheet(self.table, frame, {}, origins, np.arange(start, start + len(frame), dtype=np.int64))

    def cells(self, sheet: Sheet) -> dict[str, tuple[Cells, Reading | None]]:
        """Return the columns of a piece, and how those that are not numbers in the file become some.

        Raises:
            SpecError: FF033, cells are of the wrong kind.
        """
        return {name: cells for feature in self.features for name, cells in self._cells(sheet, feature).items()}

    def _cells(self, sheet: Sheet, feature: str) -> dict[str, tuple[Cells, Reading | None]]:
        if feature in (self.table.dates or ()) or feature in self.table.orders:
            found = read_feature(sheet, feature, filled=self.filled)
            return {
                n: (cells_of_held(cells), reading) for n, (cells, reading) in found if not isinstance(cells, Labelled)
            }
        series = typed(sheet, feature, self.path)
        if feature in (self.table.categorical or ()):
            if series.dtype.is_float():
                message = f"column {feature!r} must hold whole numbers or texts to be categories, found {series.dtype}"
                raise problem(
                    "FF033", message, self.path, "rows that are streamed are not read to see if all are whole"
                )
            return {feature: (series.cast(pl.String), None)}
        if not series.dtype.is_numeric():
            return {feature: (series.cast(pl.String), None)}
        numbers = series.cast(pl.Float64).to_numpy()
        infinite = np.flatnonzero(np.isinf(numbers)).tolist()
        if infinite:
            found_there = some(f"{numbers[row]} in row {sheet.row(row)}" for row in infinite)
            raise problem("FF033", f"column {feature!r} must hold finite numbers, found {found_there}", self.path)
        return {feature: (numbers, None)}

    def target(self, sheet: Sheet) -> RawTarget:
        """Return the target of a piece."""
        return target_of_sheet(sheet, coded=False)

    def weights(self, sheet: Sheet) -> Floats | None:
        """Return how much each row of a piece counts; None where all count the same."""
        return None if self.table.weight is None else weights_of(sheet, self.table.weight)


def open_reader(table: Parquet, folder: Folder, *, filled: bool) -> Reader:
    """Open the files of a table.

    Raises:
        SpecError: FF030, FF031, FF037 to FF039: they cannot be read, or columns are missing.
    """
    path = ("dataset", table.name)
    main = open_pieces(table.path, folder, (*path, "path"), MOST)
    require_columns(asked(table, None), main.columns)
    features = features_of(table, main.columns, None)
    others = [*table.targets, *(name for name in (table.split_column, table.weight) if name)]
    used = tuple(dict.fromkeys([*features, *others]))
    files = {"": main}
    for name, file in table.files.items():
        files[name] = open_pieces(file, folder, (*path, name), MOST)
        require_columns(((column, (*path, name)) for column in used), files[name].columns)
    return Reader(table, files, tuple(features), used, filled)
