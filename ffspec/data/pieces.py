"""Reading large files without holding them: a text file some lines at a time, a Parquet file column by column.

A column of numbers becomes an array at once. What the whole file would have been read as decides what a piece is read
as: whole numbers until a cell is none, then numbers, then texts, and what came before is read again where that makes a
difference. N rows.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ffspec.data.held import Descriptor, Growing, Held, Room, Stored
from ffspec.data.memory import unfilled

PIECE = 1 << 21
"""Bytes of a text file that are read at a time; a smaller file is read as a whole."""
ROOM, SHARE = 1 << 26, 0.6
"""Bytes of numbers that are held in float64 at least, and the part of the columns; others are read a second time, when
features have been made of the first and take half as much."""
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
    floats: dict[str, Held] = field(default_factory=dict)
    """Columns of numbers, NaN where one is missing; in float64, unless they lose nothing otherwise."""

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
    room = Room(max(ROOM, int(8 * source.lines * SHARE * len(kinds))))
    floats = {name: Growing(source.lines, room) for name in kinds}
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
                # Among whole numbers, -0 is 0; among others it is not.
                if kinds[name] == pl.String or (kinds[name] != before and floats[name].has_zero):
                    again[name] = index
            if name in kinds and kinds[name] != pl.String:
                floats[name].add(series.cast(pl.Float64).to_numpy())
            else:
                kinds.pop(name, None)
                floats.pop(name, None)
                texts[name].append(series)
        at += frame.height
    _read_again(source, again, starts, floats, texts)
    frame = pl.DataFrame({name: pl.concat(texts[name]) for name in used if name not in floats})
    found = {name: column.finished() for name, column in floats.items()}
    later = Later(source, {name: kinds[name] for name, held in found.items() if held is None})
    columns = {name: Stored(partial(later.take, name), at) if held is None else held for name, held in found.items()}
    return Part(frame, np.concatenate(blank), columns)


class Later:
    """Columns of numbers that are left in a text file: the first time one is needed, all of them are read."""

    def __init__(self, source: Lines, kinds: Mapping[str, Any]) -> None:
        self._source, self._kinds = source, dict(kinds)
        self._file = Descriptor(source.file)
        self._read: dict[str, NDArray[np.float64]] = {}

    def take(self, name: str) -> NDArray[np.float64]:
        """Return a column, and let go of it."""
        if name not in self._read:
            self._read = {name: unfilled((self._source.lines,), np.float64) for name in self._kinds}
            at = 0
            with self._file.opened() as file:
                source = replace(self._source, file=file)
                for piece in source.pieces():
                    frame = _read(source, piece, tuple(self._kinds), self._kinds)
                    for column, kind in self._kinds.items():
                        numbers = frame.get_column(column).cast(kind).cast(pl.Float64)
                        self._read[column][at : at + frame.height] = numbers.to_numpy()
                    at += frame.height
            self._read = {column: values[:at] for column, values in self._read.items()}
        return self._read.pop(name)


def _read_again(
    source: Lines,
    again: Mapping[str, int],
    starts: Sequence[int],
    floats: Mapping[str, Growing],
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
                floats[name].put(starts[index], series.cast(pl.Float64).to_numpy())
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


def read_columns(fetch: Callable[[str], pl.Series], kinds: Mapping[str, Any], plain: frozenset[str]) -> Part:
    """Read columns of a Parquet file one by one; numbers in `plain` stay there until they are needed.

    Args:
        fetch: Reads a column.
        kinds: The types of the columns that are used.
        plain: Those that may become arrays.
    """
    floats: dict[str, Held] = {}
    others: dict[str, pl.Series] = {}
    found: list[NDArray[np.bool_]] = []
    # Numbers last: as a rule there is a value in every row of another column, such as the target.
    later = [name for name in kinds if name in plain and kinds[name].is_numeric()]
    for name in (*(name for name in kinds if name not in later), *later):
        series = None
        if name not in later or not found or found[0].any():
            series = fetch(name)
            empty = series.is_null().to_numpy()
            found[:] = [found[0] & empty if found else empty]
        if name not in later and series is not None:
            others[name] = series
    (blank,) = found
    for name in later:
        floats[name] = Stored(partial(_numbers_of, fetch, name), len(blank))
    return Part(pl.DataFrame(others), blank, floats)


def _numbers_of(fetch: Callable[[str], pl.Series], name: str) -> NDArray[Any]:
    """Return a column of numbers, in its own type where that loses nothing."""
    series = fetch(name)
    kept = series.dtype in SMALLER and not series.has_nulls()
    return _copied((series if kept else series.cast(pl.Float64)).to_numpy())


def _copied(values: NDArray[Any]) -> NDArray[Any]:
    """Return a copy that does not hold on to what polars has."""
    result = unfilled(values.shape, values.dtype)
    result[:] = values
    return result
