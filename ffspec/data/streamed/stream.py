"""The rows of a streamed table, prepared a piece at a time.

N rows of a piece, F features, C classes or target columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import DTypeLike

from ffspec.data.features import assembled, prepared
from ffspec.data.fitted import Category, Column
from ffspec.data.loaded import Features, Floats, Ints, RawTarget, Split
from ffspec.data.streamed.division import Division
from ffspec.data.streamed.reader import Cells, Reader
from ffspec.data.streamed.summaries import Moments
from ffspec.data.texts import places_of

CHUNK = 1 << 20
"""Bytes of a file that are read at a time to identify it."""


@dataclass(frozen=True, slots=True)
class Coder:
    """Turns targets into what a loss takes, in every piece alike."""

    labels: Any = None
    """The sorted labels of classes, (C,), as the file has them; None for values."""

    def code(self, raw: RawTarget) -> Floats | Ints:
        """Return class codes of shape (N,), or values of shape (N, C)."""
        if self.labels is None:
            values = np.ascontiguousarray(raw.values, dtype=np.float64)
            return values if values.ndim == 2 else values.reshape(-1, 1)
        if self.labels.dtype.kind != "O":
            return np.searchsorted(self.labels, raw.values).astype(np.int64)
        place = {label: code for code, label in enumerate(self.labels.tolist())}
        return np.array([place[label] for label in raw.values.tolist()], dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """All rows of a data set of which only a sample is in memory."""

    reader: Reader
    division: Division
    columns: tuple[Column, ...]
    coder: Coder
    dtype: DTypeLike
    """The features' type."""
    buffer: int
    """The rows that are shuffled among each other."""
    targets: Moments
    """Of the training rows: of values, their moments."""
    classes: tuple[int, ...]
    """Of the training rows: of classes, how many there are of each."""

    @property
    def rows(self) -> dict[str, int]:
        """The rows of each split."""
        return self.division.totals

    def counts(self, split: str) -> tuple[int, ...]:
        """Return how many rows of a split each piece has."""
        return self.division.counts[split]

    def read(self, piece: int, splits: Sequence[str]) -> dict[str, Split]:
        """Read the rows that some splits have in a piece, in their order; a split without any is absent.

        Raises:
            SpecError: FF030, the file is not what it was.
        """
        frame = self.reader.frame(piece)
        rows = self.division.rows_of(piece, frame)
        return {name: self._prepared(piece, frame, rows[name]) for name in splits if len(rows[name])}

    def _prepared(self, piece: int, frame: pl.DataFrame, rows: Ints) -> Split:
        chosen = frame if len(rows) == len(frame) else frame[rows]
        sheet = self.reader.sheet(piece, chosen)
        cells = {name: found for name, (found, _) in self.reader.cells(sheet).items()}
        x = features_of_cells(self.columns, cells, self.dtype)
        return Split(x, self.coder.code(self.reader.target(sheet)), self.reader.weights(sheet))

    def digests(self) -> list[str]:
        """Return the SHA-256 of each file."""
        found = []
        for file in self.reader.files.values():
            digest = hashlib.sha256()
            with file.file.opened() as opened:
                while part := opened.read(CHUNK):
                    digest.update(part)
            found.append(digest.hexdigest())
        return found


def features_of_cells(columns: tuple[Column, ...], cells: Mapping[str, Cells], dtype: DTypeLike) -> Features:
    """Prepare the columns of some rows; shape (N, F)."""
    made = [prepared(_numbers(cells[column.name], column), column, dtype) for column in columns]
    return assembled(made, 0, len(made[0].values), dtype)


def _numbers(cells: Cells, column: Column) -> Floats:
    """Return numbers, or the indices of levels: -1 for an unknown one, NaN for a missing one."""
    if not isinstance(cells, pl.Series):
        return cells
    return places_of(cells, column.levels if isinstance(column, Category) else ())
