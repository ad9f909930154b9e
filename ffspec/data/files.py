"""Reading CSV and Parquet files through polars, and saying what is wrong with one that cannot be read."""

from __future__ import annotations

import codecs
import csv
import io
import pathlib

import polars as pl

from ffspec.data.problems import counted, problem
from ffspec.diagnostics import Path, SpecError
from ffspec.spec.tables import Csv, Table


def read_file(table: Table, name: str, directory: pathlib.Path, path: Path) -> pl.DataFrame:
    """Read one file of a table; `path` is where the spec names it.

    Of a CSV file every cell is a text without the blanks around it, or null where it is empty or one of `null_values`.

    Raises:
        SpecError: FF030, it cannot be read.
    """
    data = _bytes(name, directory, path)
    frame = _csv(data, table, name, path) if isinstance(table, Csv) else _parquet(data, name, path)
    if frame.height == 0:
        raise _unreadable(f"{name} has a header but no rows" if frame.width else f"{name} is empty", path)
    return frame


def _bytes(name: str, directory: pathlib.Path, path: Path) -> bytes:
    if "://" in name:
        raise _unreadable(f"must be a file, found the address {name}", path, "download it first, and name the file")
    if "\0" in name:
        raise _unreadable("must be the name of a file, found a null character in it", path)
    file = directory / name
    try:
        if file.is_dir():
            raise _unreadable(f"must be a file, but {name} is a folder", path)
        if file.exists() and not file.is_file():
            raise _unreadable(f"must be a regular file, but {name} is a pipe or a device", path)
        return file.read_bytes()
    except FileNotFoundError:
        hint = "paths begin at the folder of the spec"
        raise _unreadable(f"there is no file {name}", path, hint) from None
    except OSError as error:
        raise _unreadable(f"{name} cannot be read: {error.strerror}", path) from None


def _parquet(data: bytes, name: str, path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        hint = None if data[:4] == b"PAR1" else "for a text file, write 'csv:' in place of 'parquet:'"
        raise _unreadable(f"{name} is not a Parquet file: {str(error).splitlines()[0]}", path, hint) from None


def _csv(data: bytes, table: Csv, name: str, path: Path) -> pl.DataFrame:
    text = _decoded(data, name, path)
    _check_header(text, table.separator, name, path)
    try:
        frame = pl.read_csv(io.BytesIO(text.encode()), infer_schema=False, separator=table.separator, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        fault = _fault(text, table.separator) or str(error).splitlines()[0]
        raise _unreadable(f"{name} is not a well-formed table: {fault}", path) from None
    # polars fills a line that is too short with nulls, of which the last column then has one.
    if frame.width and frame.get_column(frame.columns[-1]).has_nulls():
        short = _fault(text, table.separator)
        if short is not None:
            raise _unreadable(f"{name} is not a well-formed table: {short}", path)
    missing = ["", *table.null_values]
    cells = pl.all().str.strip_chars()
    return frame.select(pl.when(~cells.is_in(missing)).then(cells).name.keep())


def _decoded(data: bytes, name: str, path: Path) -> str:
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise _unreadable(f"{name} is empty", path)
    if data[:4] == b"PAR1":
        raise _unreadable(f"{name} is a Parquet file", path, "write 'parquet:' in place of 'csv:'")
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
    except csv.Error:
        return
    for column in header:
        if header.count(column) > 1:
            raise _unreadable(f"the columns of {name} must have different names, found {column!r} twice", path)


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
