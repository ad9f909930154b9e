"""Reading CSV and Parquet files through polars, and saying what is wrong with one that cannot be read.

polars is handed bytes and never a name: it would expand patterns, follow addresses and unpack what is compressed.
"""

from __future__ import annotations

import codecs
import csv
import io
import mmap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import polars as pl

from ffspec.data import pieces
from ffspec.data.held import Descriptor
from ffspec.data.opening import (
    UNREADABLE,
    Folder,
    content,
    first_line,
    no_parquet,
    opened,
    place,
    refuse_large,
    refuse_wide,
    unreadable,
)
from ffspec.data.parquet import MARK, largest_page
from ffspec.data.pieces import Odd, Part
from ffspec.data.problems import counted
from ffspec.diagnostics import Path
from ffspec.spec.tables import Csv, Table

COMPRESSED = {b"\x1f\x8b": "gzip", b"(\xb5/\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}
"""What compressed files begin with."""

CSV_COPIES = 3
"""How often a text file is held at once: as bytes, as text, and as what polars reads."""
CELL = {Csv: 48, Table: 24}
"""The bytes that reading a cell takes at least, as measured: of a text file it is a text first."""
STREAM = "write streaming: true beside its path, take fewer rows, or leave columns out"


def read_file(table: Table, name: str, folder: Folder, path: Path) -> pl.DataFrame:
    """Read one file of a table; `path` is where the spec names it.

    Of a CSV file every cell is a text without the blanks around it, or null where it is empty or one of `null_values`.

    Raises:
        SpecError: FF030 it cannot be read, FF038 it lies outside the folder, FF039 it is too large.
    """
    text = isinstance(table, Csv)
    data = content(place(name, folder, path), name, path, CSV_COPIES if text else 1)
    frame = _csv(data, table, name, path) if isinstance(table, Csv) else _parquet(data, name, path)
    if frame.height == 0:
        raise unreadable(f"{name} has a header but no rows" if frame.width else f"{name} is empty", path)
    return frame


@dataclass(frozen=True, slots=True)
class Opened:
    """A file of a table whose columns are known, but not read yet."""

    columns: tuple[str, ...]
    read: Callable[[Sequence[str], frozenset[str]], Part]
    """Reads some columns; those among the second ones may become arrays of numbers."""


@contextmanager
def open_table(table: Table, name: str, folder: Folder, path: Path) -> Iterator[Opened]:
    """Open one file of a table; `path` is where the spec names it. What is read is what `read_file` would say.

    A large file is read by pieces, where it is: what it takes is little more than what is kept of it.

    Raises:
        SpecError: FF030 it cannot be read, FF038 it lies outside the folder, FF039 it is too large.
    """
    with opened(place(name, folder, path), name, path) as (file, size):
        large = None
        if size > pieces.PIECE and isinstance(table, Csv):
            large = _large_csv(file, table, name, path)
        elif size > pieces.PIECE:
            large = _large_parquet(file, name, path)
        if large is None:
            frame = read_file(table, name, folder, path)
            large = Opened(tuple(frame.columns), lambda used, _: pieces.whole(_chosen(frame, used)))

        def read(used: Sequence[str], plain: frozenset[str]) -> Part:
            try:
                return large.read(used, plain)
            except Odd:
                return pieces.whole(_chosen(read_file(table, name, folder, path), used))

        yield Opened(large.columns, read)


def _large_csv(file: BinaryIO, table: Csv, name: str, path: Path) -> Opened | None:
    """Open a large text file; None for one that has to be read as a whole."""
    start = file.read(4)
    file.seek(0)
    if start == MARK or any(start.startswith(packed) for packed in COMPRESSED):
        return None
    try:
        found = pieces.survey(file, table.separator, table.null_values)
    except Odd:
        return None
    _check_header(found.header.decode("utf-8-sig"), table.separator, name, path)
    if found.lines == 0:
        return None
    cells = found.lines * len(found.columns)
    refuse_large(cells * CELL[Table] // 3, name, path)
    return Opened(found.columns, lambda used, plain: pieces.read_lines(found, used, plain))


def _large_parquet(file: BinaryIO, name: str, path: Path) -> Opened | None:
    """Open a large Parquet file; None for one that has no rows."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            page = largest_page(data)
            file.seek(0)
            kinds = pl.read_parquet_schema(file)
            file.seek(0)
            rows = int(pl.scan_parquet(file).select(pl.len()).collect().item())
        except UNREADABLE as error:
            raise no_parquet(data[:4], name, path, error) from None
    columns = tuple(kinds)
    refuse_wide(len(columns), name, path)
    if not rows:
        return None
    column = _column_reader(file, columns, name, path)

    def read(used: Sequence[str], plain: frozenset[str]) -> Part:
        refuse_large(page + rows * len(used) * CELL[Table] // 6, name, path, STREAM)
        return pieces.read_columns(column, {one: kinds[one] for one in used}, plain)

    return Opened(columns, read)


def _column_reader(file: BinaryIO, columns: tuple[str, ...], name: str, path: Path) -> Callable[[str], pl.Series]:
    """Return what reads one column, also when the file has been closed here."""
    kept = Descriptor(file)

    def read(column: str) -> pl.Series:
        # A name that looks like a pattern would be taken for one, however it is asked for.
        pattern = "*" in column or column.startswith("^")
        try:
            with kept.opened() as again:
                frame = pl.read_parquet(again, columns=None if pattern else [columns.index(column)])
        except UNREADABLE as error:
            raise no_parquet(MARK, name, path, error) from None
        return frame.get_column(column).alias(pieces.CELLS)

    return read


def _chosen(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return some columns by their very names; `select` would take a name such as * for a pattern.

    A list of series would do too, but of one without a name polars makes `column_0`.
    """
    return pl.DataFrame({name: frame.get_column(name) for name in names})


def opening(name: str, folder: Folder, path: Path, size: int = 65_536) -> str | None:
    """Return how a text file begins, whole lines of it; None for a Parquet file.

    Raises:
        SpecError: FF030 it cannot be read, FF038 it lies outside the folder, FF039 it is too large.
    """
    data = content(place(name, folder, path), name, path, 1)
    if data[:4] == MARK:
        return None
    text = _decoded(data, name, path)[:size]
    return text if len(data) <= size else text[: text.rfind("\n") + 1] or text


def _parquet(data: bytes, name: str, path: Path) -> pl.DataFrame:
    """Read a Parquet file, whose end says how large it will be: a few bytes can stand for a billion rows."""
    try:
        page = largest_page(data)
        columns = pl.read_parquet_schema(io.BytesIO(data))
        rows = int(pl.scan_parquet(io.BytesIO(data)).select(pl.len()).collect().item())
        refuse_wide(len(columns), name, path)
        refuse_large(len(data) + page + rows * len(columns) * CELL[Table], name, path, STREAM)
        return pl.read_parquet(io.BytesIO(data)) if rows else pl.DataFrame(schema=columns)
    except UNREADABLE as error:
        raise no_parquet(data[:4], name, path, error) from None


def _csv(data: bytes, table: Csv, name: str, path: Path) -> pl.DataFrame:
    text = _decoded(data, name, path)
    _check_header(text, table.separator, name, path)
    cells = text.count(table.separator) + text.count("\n") + 1
    refuse_large(CSV_COPIES * len(data) + cells * CELL[Csv], name, path)
    # Behind a byte order mark nothing looks compressed to polars, which would unpack it.
    marked = io.BytesIO(codecs.BOM_UTF8 + data.removeprefix(codecs.BOM_UTF8))
    try:
        frame = pl.read_csv(marked, infer_schema=False, separator=table.separator, glob=False)
    except UNREADABLE as error:
        fault = _fault(text, table.separator) or first_line(error)
        raise unreadable(f"{name} is not a well-formed table: {fault}", path) from None
    # polars fills a line that is too short with nulls, of which the last column then has one.
    if frame.width and frame.get_column(frame.columns[-1]).has_nulls():
        short = _fault(text, table.separator)
        if short is not None:
            raise unreadable(f"{name} is not a well-formed table: {short}", path)
    missing = ["", *table.null_values]
    cells_of_all = pl.all().str.strip_chars()
    return frame.select(pl.when(~cells_of_all.is_in(missing)).then(cells_of_all).name.keep())


def _decoded(data: bytes, name: str, path: Path) -> str:
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise unreadable(f"{name} is empty", path)
    if data[:4] == MARK:
        raise unreadable(f"{name} is a Parquet file", path, "write 'parquet:' in place of 'csv:'")
    packed = next((kind for start, kind in COMPRESSED.items() if data.startswith(start)), None)
    if packed is not None:
        raise unreadable(f"must be a text file, but {name} is compressed with {packed}", path, "unpack it first")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{data[error.start]:02x} in line {line}"
        raise unreadable(f"{name} must be UTF-8 text, found {found}", path) from None


def _check_header(text: str, separator: str, name: str, path: Path) -> None:
    """Refuse a name that stands twice in the header: polars would rename the second column."""
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error as error:
        raise unreadable(f"the header of {name} cannot be read: {error}", path) from None
    refuse_wide(len(header), name, path)
    times = Counter(header)
    for column in header:
        if times[column] > 1:
            raise unreadable(f"the columns of {name} must have different names, found {column!r} twice", path)


def _fault(text: str, separator: str) -> str | None:
    """Return the first fault in the form of a CSV text, with its line."""
    line = 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        width = len(next(reader))
        line = reader.line_num + 1
        for row in reader:
            # A line without any cell is a blank line.
            if row and len(row) != width:
                return f"line {line} has {counted(len(row), 'cell')}, but the header has {width}"
            line = reader.line_num + 1
    except csv.Error:
        return f"a quote that opens in line {line} is not closed, or text follows it"
    return None
