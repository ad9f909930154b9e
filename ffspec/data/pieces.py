"""Reading large files without holding them: a text file some lines at a time, a Parquet file column by column.

A column of numbers becomes an array at once. What the whole file would have been read as decides what a piece is read
as: whole numbers until a cell is none, then numbers, then texts, and what came before is read again where that makes a
difference. N rows.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ffspec.data.memory import unfilled

PIECE = 1 << 21
"""Bytes of a text file that are read at a time; a smaller file is read as a whole."""
WIDER: Mapping[Any, Any] = {pl.Int64: pl.Float64, pl.Float64: pl.String}
"""What a column is read as if not every cell is a number of a kind."""
CELLS = "cells"
"""What a series is called while it is worked on: polars would take some names for patterns."""
READABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


class Odd(Exception):
    """A text file that must be read as a whole: it has quotes, or is no table, and then that is said there."""


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one file."""

    frame: pl.DataFrame
    """The columns that are not in `floats`."""
    blank: NDArray[np.bool_]
    """Shape (N,): where no column has a value."""
    floats: dict[str, NDArray[Any]] = field(default_factory=dict)
    """Columns of numbers, NaN where one is missing; in float64, unless they lose nothing in a smaller type."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.blank)


@dataclass(frozen=True, slots=True)
class Lines:
    """A text file without quotes, as it will be read piece by piece."""

    file: BinaryIO
    header: bytes
    separator: str
    missing: tuple[str, ...]
    """What else than an empty cell is a missing one."""
    columns: tuple[str, ...]
    lines: int
    """The lines behind the header, blank ones too."""

    def pieces(self) -> Iterator[bytes]:
        """Yield the lines behind the header, some at a time."""
        self.file.seek(len(self.header))
        rest = b""
        while data := self.file.read(PIECE):
            end = data.rfind(b"\n") + 1
            if end:
                yield rest + data[:end]
                rest = data[end:]
            else:
                raise Odd
        if rest:
            yield rest


def survey(file: BinaryIO, separator: str, missing: Sequence[str]) -> Lines:
    """Look through a text file: it must be UTF-8, and have no quote behind the header.

    Raises:
        Odd: It is not, or has some, or very long lines.
    """
    header = file.readline(PIECE)
    names = _texts(header, b"", separator) if header.count(b'"') % 2 == 0 and header.strip() else None
    if names is None or not header.endswith(b"\n"):
        raise Odd
    found = Lines(file, header, separator, tuple(missing), tuple(names.columns), 0)
    lines = 0
    for piece in found.pieces():
        try:
            piece.decode("utf-8")
        except UnicodeDecodeError:
            raise Odd from None
        if b'"' in piece:
            raise Odd
        lines += piece.count(b"\n") + (not piece.endswith(b"\n"))
    return Lines(file, header, separator, tuple(missing), tuple(names.columns), lines)


def read_lines(source: Lines, used: Sequence[str], plain: frozenset[str]) -> Part:
    """Read a text file piece by piece; the columns in `plain` become numbers where all their cells are.

    Raises:
        Odd: It is no table.
    """
    kinds: dict[str, Any] = {name: pl.Int64 for name in used if name in plain and name}
    floats = {name: unfilled((source.lines,), np.float64) for name in kinds}
    texts: dict[str, list[pl.Series]] = {name: [] for name in used}
    again: dict[str, int] = {}
    blank, starts, at = [], [], 0
    for index, piece in enumerate(source.pieces()):
        frame = _read(source, piece, used, kinds if index else {})
        starts.append(at)
        blank.append(_blank(frame))
        for name in used:
            series = frame.get_column(name)
            if name in kinds:
                before, (kinds[name], series) = kinds[name], _numbers(series, kinds[name])
                part = floats[name][:at]
                # Among whole numbers, -0 is 0; among others it is not.
                if kinds[name] == pl.String or (kinds[name] != before and (part == 0).any()):
                    again[name] = index
            if name in kinds and kinds[name] != pl.String:
                floats[name][at : at + len(series)] = series.cast(pl.Float64).to_numpy()
            else:
                kinds.pop(name, None)
                floats.pop(name, None)
                texts[name].append(series)
        at += frame.height
    _read_again(source, again, starts, floats, texts)
    frame = pl.DataFrame({name: pl.concat(texts[name]) for name in used if name not in floats})
    return Part(frame, np.concatenate(blank), {name: values[:at] for name, values in floats.items()})


def _read_again(
    source: Lines,
    again: Mapping[str, int],
    starts: Sequence[int],
    floats: Mapping[str, NDArray[Any]],
    texts: dict[str, list[pl.Series]],
) -> None:
    """Read columns once more as what they turned out to be, up to the piece in which they did."""
    before: dict[str, list[pl.Series]] = {name: [] for name in again if name not in floats}
    for index, piece in enumerate(source.pieces() if max(again.values(), default=0) else ()):
        wanted = [name for name, end in again.items() if index < end]
        if not wanted:
            break
        frame = _read(source, piece, wanted, {})
        for name in wanted:
            series = frame.get_column(name)
            if name in floats:
                start = starts[index]
                floats[name][start : start + len(series)] = series.cast(pl.Float64).to_numpy()
            else:
                before[name].append(series)
    for name, parts in before.items():
        texts[name] = [*parts, *texts[name]]


def _read(source: Lines, piece: bytes, used: Sequence[str], kinds: Mapping[str, Any]) -> pl.DataFrame:
    """Read some lines: as numbers where they all are, else as texts, null where one is missing."""
    frame = None
    # A number that stands for a missing cell is compared as a text, with the blanks around it gone.
    if kinds and not any(map(_is_number, source.missing)):
        frame = _texts(source.header, piece, source.separator, kinds, source.missing)
    if frame is None:
        frame = _texts(source.header, piece, source.separator)
    if frame is None:
        raise Odd
    last = frame.get_column(frame.columns[-1])
    lines = piece.count(b"\n") + (not piece.endswith(b"\n"))
    # polars fills a line that is too short with nulls, and refuses one that is too long.
    if last.has_nulls() and piece.count(source.separator.encode()) != lines * (frame.width - 1):
        raise Odd
    missing = ["", *source.missing]
    columns = {}
    for name in used:
        series = frame.get_column(name).alias(CELLS)
        if series.dtype == pl.String:
            series = series.str.strip_chars()
            series = series.set(series.is_in(missing).fill_null(value=False), None)
        columns[name] = series
    return pl.DataFrame(columns)


def _texts(
    header: bytes,
    piece: bytes,
    separator: str,
    kinds: Mapping[str, Any] | None = None,
    missing: Sequence[str] = (),
) -> pl.DataFrame | None:
    """Return some lines as polars reads them, or None where it does not."""
    # Behind a byte order mark nothing looks compressed to polars, which would unpack it.
    end = b"" if header.endswith(b"\n") else b"\n"
    data = io.BytesIO(codecs.BOM_UTF8 + header.removeprefix(codecs.BOM_UTF8) + end + piece)
    try:
        return pl.read_csv(
            data,
            infer_schema=False,
            schema_overrides=dict(kinds or {}),
            null_values=list(missing) or None,
            separator=separator,
            glob=False,
        )
    except READABLE:
        return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(series: pl.Series, kind: Any) -> tuple[Any, pl.Series]:
    """Read a column as a kind of number, or as the next wider kind if some cells are none."""
    if series.dtype != pl.String:
        return kind, series
    while kind != pl.String:
        numbers = series.cast(kind, strict=False)
        if numbers.null_count() == series.null_count():
            return kind, numbers
        kind = WIDER[kind]
    return kind, series


def _blank(frame: pl.DataFrame) -> NDArray[np.bool_]:
    """Mark the rows without any value."""
    if not all(series.has_nulls() for series in frame.iter_columns()):
        return np.zeros(frame.height, dtype=np.bool_)
    return frame.select(pl.all_horizontal(pl.all().is_null()).alias("blank")).get_column("blank").to_numpy()


def whole(frame: pl.DataFrame) -> Part:
    """Return the rows of a file that was read as a whole."""
    return Part(frame, _blank(frame))


SMALLER = (pl.Float32, pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16)
"""Types whose numbers are kept as they are."""


def read_columns(file: BinaryIO, columns: Sequence[str], used: Sequence[str], plain: frozenset[str]) -> Part:
    """Read columns of a Parquet file one by one; those in `plain` become arrays where they hold numbers."""
    floats: dict[str, NDArray[Any]] = {}
    others: dict[str, pl.Series] = {}
    blank = np.zeros(0, dtype=np.bool_)
    for index, name in enumerate(used):
        file.seek(0)
        # A name that looks like a pattern would be taken for one, however it is asked for.
        pattern = "*" in name or name.startswith("^")
        asked = None if pattern else [columns.index(name)]
        series = pl.read_parquet(file, columns=asked).get_column(name).alias(CELLS)
        if index == 0 or blank.any():
            empty = series.is_null().to_numpy()
            blank = empty if index == 0 else blank & empty
        if name not in plain or not series.dtype.is_numeric():
            others[name] = series
        elif series.dtype in SMALLER and not series.has_nulls():
            floats[name] = _copied(series.to_numpy())
        else:
            floats[name] = _copied(series.cast(pl.Float64).to_numpy())
    return Part(pl.DataFrame(others), blank, floats)


def _copied(values: NDArray[Any]) -> NDArray[Any]:
    """Return a copy that does not hold on to what polars has."""
    result = unfilled(values.shape, values.dtype)
    result[:] = values
    return result
