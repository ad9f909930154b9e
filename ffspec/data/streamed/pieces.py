"""A Parquet file in pieces of a bounded number of rows, each read when it is needed."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import polars as pl
from polars.selectors import by_name

from ffspec.data.held import Descriptor
from ffspec.data.opening import UNREADABLE, Folder, no_parquet, opened, place, refuse_large, refuse_wide, unreadable
from ffspec.data.parquet import MARK, largest_page, rows_of_groups
from ffspec.diagnostics import Path


@dataclass(frozen=True, slots=True)
class Pieces:
    """A Parquet file that is read some rows at a time, for as long as it is needed."""

    columns: tuple[str, ...]
    rows: tuple[int, ...]
    """The rows of each piece: a row group, or a part of a large one."""
    read: Callable[[int, Sequence[str]], pl.DataFrame]
    """Reads some columns of a piece."""
    file: Descriptor


def open_pieces(name: str, folder: Folder, path: Path, most: int) -> Pieces:
    """Open a Parquet file to be read in pieces of at most so many rows; `path` is where the spec names it.

    Raises:
        SpecError: FF030 it cannot be read, FF038 it lies outside the folder, FF039 it is too large.
    """
    with opened(place(name, folder, path), name, path) as (file, size):
        if size == 0:
            raise unreadable(f"{name} is empty", path)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                refuse_large(largest_page(data), name, path)
                groups = rows_of_groups(data)
                file.seek(0)
                columns = tuple(pl.read_parquet_schema(file))
            except UNREADABLE as error:
                raise no_parquet(data[:4], name, path, error) from None
        kept = Descriptor(file)
    refuse_wide(len(columns), name, path)
    counts = [-(-rows // most) for rows in groups]
    rows = tuple(
        (index + 1) * rows // count - index * rows // count
        for rows, count in zip(groups, counts, strict=True)
        for index in range(count)
    )
    if not rows:
        raise unreadable(f"{name} has a header but no rows" if columns else f"{name} is empty", path)
    starts = [0, *accumulate(rows)]

    def read(index: int, used: Sequence[str]) -> pl.DataFrame:
        try:
            with kept.opened() as again:
                part = pl.scan_parquet(again).slice(starts[index], rows[index])
                return part.select(by_name(*used)).collect()
        except UNREADABLE as error:
            raise no_parquet(MARK, name, path, error) from None

    return Pieces(columns, rows, read, kept)
