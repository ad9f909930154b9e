"""Reading CSV and Parquet files through polars, and saying what is wrong with one that cannot be read.

polars is handed bytes and never a name: it would expand patterns, follow addresses and unpack what is compressed.
"""

from __future__ import annotations

import codecs
import csv
import io
import mmap
import os
import pathlib
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import polars as pl

from ffspec.data import pieces
from ffspec.data.held import Descriptor
from ffspec.data.parquet import MARK, largest_page
from ffspec.data.pieces import Odd, Part
from ffspec.data.problems import counted, problem
from ffspec.diagnostics import Path, SpecError
from ffspec.limits import shortage
from ffspec.spec.sources import COLUMNS
from ffspec.spec.tables import Csv, Table

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)
"""What polars raises for a file; a panic is a bug there, which a damaged Parquet file can set off."""

COMPRESSED = {b"\x1f\x8b": "gzip", b"(\xb5/\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}
"""What compressed files begin with."""

CSV_COPIES = 3
"""How often a text file is held at once: as bytes, as text, and as what polars reads."""
CELL = {Csv: 48, Table: 24}
"""The bytes that reading a cell takes at least, as measured: of a text file it is a text first."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the files of a spec are."""

    path: pathlib.Path
    open: bool = False
    """Whether a file may lie outside of it."""


def read_file(table: Table, name: str, folder: Folder, path: Path) -> pl.DataFrame:
    """Read one file of a table; `path` is where the spec names it.

    Of a CSV file every cell is a text without the blanks around it, or null where it is empty or one of `null_values`.

    Raises:
        SpecError: FF030 it cannot be read, FF038 it lies outside the folder, FF039 it is too large.
    """
    text = isinstance(table, Csv)
    data = _bytes(_place(name, folder, path), name, path, CSV_COPIES if text else 1)
    frame = _csv(data, table, name, path) if isinstance(table, Csv) else _parquet(data, name, path)
    if frame.height == 0:
        raise _unreadable(f"{name} has a header but no rows" if frame.width else f"{name} is empty", path)
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
    with _opened(_place(name, folder, path), name, path) as (file, size):
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
            raise _no_parquet(data[:4], name, path, error) from None
    columns = tuple(kinds)
    _refuse_wide(len(columns), name, path)
    if not rows:
        return None
    column = _column_reader(file, columns, name, path)

    def read(used: Sequence[str], plain: frozenset[str]) -> Part:
        refuse_large(page + rows * len(used) * CELL[Table] // 6, name, path)
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
            raise _no_parquet(MARK, name, path, error) from None
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
    data = _bytes(_place(name, folder, path), name, path, 1)
    if data[:4] == MARK:
        return None
    text = _decoded(data, name, path)[:size]
    return text if len(data) <= size else text[: text.rfind("\n") + 1] or text


def refuse_large(needed: int, what: str, path: Path, hint: str = "take fewer rows, or leave columns out") -> None:
    """Refuse to make what the memory has no room for.

    Raises:
        SpecError: FF039, it has none.
    """
    lack = shortage(needed)
    if lack is not None:
        raise problem("FF039", f"data must fit into memory, but {what} {lack}", path, hint)


def _place(name: str, folder: Folder, path: Path) -> pathlib.Path:
    """Return where a file really is, links followed.

    What is outside the folder is not even looked at, so that a spec cannot find out what there is.

    Raises:
        SpecError: FF030 the name is none of a file, FF038 the file is outside.
    """
    if "://" in name or name.startswith((r"\\", "//")):
        raise _unreadable(f"must be a file, found the address {name}", path, "download it first, and name the file")
    if "\0" in name:
        raise _unreadable("must be the name of a file, found a null character in it", path)
    root = os.path.realpath(folder.path)
    file = os.path.realpath(folder.path / name)
    if not folder.open and not pathlib.Path(file).is_relative_to(root):
        hint = "move it there, or allow it: --allow-outside, or allow_outside=True in Python"
        raise problem(
            "FF038", f"a data file must lie in the folder of the spec, {_found(name, file, root)}", path, hint
        )
    return pathlib.Path(file)


def _found(name: str, file: str, root: str) -> str:
    """Say where a file outside is, as its name does or, where that is a link, as seen from the folder."""
    try:
        seen = os.path.relpath(file, root)
    except ValueError:  # on another drive
        seen = file
    return f"found {name}" if os.path.normpath(name) in {seen, file} else f"but {name} leads to {seen}"


def _bytes(file: pathlib.Path, name: str, path: Path, copies: int) -> bytes:
    """Return what is in a file, which is measured before it is read."""
    with _opened(file, name, path) as (opened, size):
        refuse_large(copies * size, name, path)
        return opened.read()


@contextmanager
def _opened(file: pathlib.Path, name: str, path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file and say how large it is; never waits for a pipe or a device."""
    try:
        if file.is_dir():
            raise _unreadable(f"must be a file, but {name} is a folder", path)
        if file.exists() and not file.is_file():
            raise _unreadable(f"must be a regular file, but {name} is a pipe or a device", path)
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as opened:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):  # changed since it was looked at
                raise _unreadable(f"must be a regular file, but {name} is a pipe or a device", path)
            yield opened, status.st_size
    except FileNotFoundError:
        raise _unreadable(f"there is no file {name}", path, _hint(name)) from None
    except OSError as error:
        raise _unreadable(f"{name} cannot be read: {error.strerror}", path) from None


def _hint(name: str) -> str:
    if name.startswith("~"):
        return "'~' does not stand for the home folder here; paths begin at the folder of the spec"
    if re.search(r"[*?[]", name):
        return "one file is read: '*', '?' and '[' stand for themselves"
    return "paths begin at the folder of the spec"


def _parquet(data: bytes, name: str, path: Path) -> pl.DataFrame:
    """Read a Parquet file, whose end says how large it will be: a few bytes can stand for a billion rows."""
    try:
        page = largest_page(data)
        columns = pl.read_parquet_schema(io.BytesIO(data))
        rows = int(pl.scan_parquet(io.BytesIO(data)).select(pl.len()).collect().item())
        _refuse_wide(len(columns), name, path)
        refuse_large(len(data) + page + rows * len(columns) * CELL[Table], name, path)
        return pl.read_parquet(io.BytesIO(data)) if rows else pl.DataFrame(schema=columns)
    except UNREADABLE as error:
        raise _no_parquet(data[:4], name, path, error) from None


def _no_parquet(start: bytes, name: str, path: Path, error: BaseException) -> SpecError:
    hint = None if start == MARK else "for a text file, write 'csv:' in place of 'parquet:'"
    return _unreadable(f"{name} is not a Parquet file: {_first_line(error)}", path, hint)


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
        fault = _fault(text, table.separator) or _first_line(error)
        raise _unreadable(f"{name} is not a well-formed table: {fault}", path) from None
    # polars fills a line that is too short with nulls, of which the last column then has one.
    if frame.width and frame.get_column(frame.columns[-1]).has_nulls():
        short = _fault(text, table.separator)
        if short is not None:
            raise _unreadable(f"{name} is not a well-formed table: {short}", path)
    missing = ["", *table.null_values]
    cells_of_all = pl.all().str.strip_chars()
    return frame.select(pl.when(~cells_of_all.is_in(missing)).then(cells_of_all).name.keep())


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _decoded(data: bytes, name: str, path: Path) -> str:
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise _unreadable(f"{name} is empty", path)
    if data[:4] == MARK:
        raise _unreadable(f"{name} is a Parquet file", path, "write 'parquet:' in place of 'csv:'")
    packed = next((kind for start, kind in COMPRESSED.items() if data.startswith(start)), None)
    if packed is not None:
        raise _unreadable(f"must be a text file, but {name} is compressed with {packed}", path, "unpack it first")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{data[error.start]:02x} in line {line}"
        raise _unreadable(f"{name} must be UTF-8 text, found {found}", path) from None


def _check_header(text: str, separator: str, name: str, path: Path) -> None:
    """Refuse a name that stands twice in the header: polars would rename the second column."""
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error as error:
        raise _unreadable(f"the header of {name} cannot be read: {error}", path) from None
    _refuse_wide(len(header), name, path)
    times = Counter(header)
    for column in header:
        if times[column] > 1:
            raise _unreadable(f"the columns of {name} must have different names, found {column!r} twice", path)


def _refuse_wide(columns: int, name: str, path: Path) -> None:
    if columns > COLUMNS:
        raise problem("FF039", f"a table may have at most {COLUMNS:,} columns, found {columns:,} in {name}", path)


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


def _unreadable(message: str, path: Path, hint: str | None = None) -> SpecError:
    return problem("FF030", message, path, hint)
