"""Finding and opening the files a spec names: where each really is, what may be read, and how large it is.

What is outside the folder of the spec is not even looked at, so that a spec cannot find out what there is.
"""

from __future__ import annotations

import os
import pathlib
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import polars as pl

from ffspec.data.parquet import MARK
from ffspec.data.problems import problem
from ffspec.diagnostics import Path, SpecError
from ffspec.limits import shortage
from ffspec.spec.sources import COLUMNS

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)
"""What polars raises for a file; a panic is a bug there, which a damaged Parquet file can set off."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the files of a spec are."""

    path: pathlib.Path
    open: bool = False
    """Whether a file may lie outside of it."""


def refuse_large(needed: int, what: str, path: Path, hint: str = "take fewer rows, or leave columns out") -> None:
    """Refuse to make what the memory has no room for.

    Raises:
        SpecError: FF039, it has none.
    """
    lack = shortage(needed)
    if lack is not None:
        raise problem("FF039", f"data must fit into memory, but {what} {lack}", path, hint)


def place(name: str, folder: Folder, path: Path) -> pathlib.Path:
    """Return where a file really is, links followed.

    What is outside the folder is not even looked at, so that a spec cannot find out what there is.

    Raises:
        SpecError: FF030 the name is none of a file, FF038 the file is outside.
    """
    if "://" in name or name.startswith((r"\\", "//")):
        raise unreadable(f"must be a file, found the address {name}", path, "download it first, and name the file")
    if "\0" in name:
        raise unreadable("must be the name of a file, found a null character in it", path)
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


def content(file: pathlib.Path, name: str, path: Path, copies: int) -> bytes:
    """Return what is in a file, which is measured before it is read."""
    with opened(file, name, path) as (found, size):
        refuse_large(copies * size, name, path)
        return found.read()


@contextmanager
def opened(file: pathlib.Path, name: str, path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file and say how large it is; never waits for a pipe or a device."""
    try:
        if file.is_dir():
            raise unreadable(f"must be a file, but {name} is a folder", path)
        if file.exists() and not file.is_file():
            raise unreadable(f"must be a regular file, but {name} is a pipe or a device", path)
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as found:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):  # changed since it was looked at
                raise unreadable(f"must be a regular file, but {name} is a pipe or a device", path)
            yield found, status.st_size
    except FileNotFoundError:
        raise unreadable(f"there is no file {name}", path, _hint(name)) from None
    except OSError as error:
        raise unreadable(f"{name} cannot be read: {error.strerror}", path) from None


def _hint(name: str) -> str:
    if name.startswith("~"):
        return "'~' does not stand for the home folder here; paths begin at the folder of the spec"
    if re.search(r"[*?[]", name):
        return "one file is read: '*', '?' and '[' stand for themselves"
    return "paths begin at the folder of the spec"


def no_parquet(start: bytes, name: str, path: Path, error: BaseException) -> SpecError:
    """Return the error of a file that is none; `start` is how it begins."""
    hint = None if start == MARK else "for a text file, write 'csv:' in place of 'parquet:'"
    return unreadable(f"{name} is not a Parquet file: {first_line(error)}", path, hint)


def first_line(error: BaseException) -> str:
    """Return what an exception says, up to the first line break."""
    return (str(error) or type(error).__name__).splitlines()[0]


def refuse_wide(columns: int, name: str, path: Path) -> None:
    """Refuse a table that is too wide.

    Raises:
        SpecError: FF039, it is.
    """
    if columns > COLUMNS:
        raise problem("FF039", f"a table may have at most {COLUMNS:,} columns, found {columns:,} in {name}", path)


def unreadable(message: str, path: Path, hint: str | None = None) -> SpecError:
    """Return the error of a file that cannot be read."""
    return problem("FF030", message, path, hint)
