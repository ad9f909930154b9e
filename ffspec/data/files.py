"""Reading CSV and Parquet files through polars, and saying what is wrong with one that cannot be read.

polars is handed bytes and never a name: it would expand patterns, follow addresses and unpack what is compressed.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import pathlib
import re
import stat
from collections import Counter
from dataclasses import dataclass

import polars as pl

from ffspec.data.parquet import MARK, largest_page
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
    """Return what is in a file; never waits for a pipe or a device, and measures before it reads."""
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
            refuse_large(copies * status.st_size, name, path)
            return opened.read()
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
        hint = None if data[:4] == MARK else "for a text file, write 'csv:' in place of 'parquet:'"
        raise _unreadable(f"{name} is not a Parquet file: {_first_line(error)}", path, hint) from None


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
