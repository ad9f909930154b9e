"""Reading a table of which nothing is known: what kind of file it is, what parts its cells, whether it has a header."""

from __future__ import annotations

import csv
import io
import pathlib
from dataclasses import dataclass, field
from itertools import pairwise

import polars as pl

from ffspec.data.files import opening, read_file
from ffspec.data.incoming import require_columns
from ffspec.data.opening import Folder
from ffspec.data.problems import problem, some
from ffspec.spec import tables
from ffspec.suggest import suggest

SEPARATORS = (",", ";", "\t", "|")
LINES = 100
"""Lines that are looked at to find what parts the cells."""
LEAST = 10
"""With fewer rows there is nothing to train on, and nothing to test with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file and its rows."""

    file: pathlib.Path
    text: bool
    """Whether it is a text file; else it is a Parquet file."""
    separator: str
    frame: pl.DataFrame = field(repr=False)
    """The rows; of a text file every cell is a text, or null where it is empty."""
    headless: bool = False
    """Whether the first line may be a row instead of the names of the columns."""


def read(file: pathlib.Path, target: str) -> Sheet:
    """Read a file.

    Raises:
        SpecError: FF030 it cannot be read, FF031 it has no such column, FF035 it has too few rows, FF039 it is too
            large.
    """
    folder = Folder(file.parent)
    if not file.exists():
        near = suggest(file.name, _tables(file.parent))
        hint = f"did you mean '{file.parent / near}'?" if near else None
        raise problem("FF030", f"there is no file {file}", (), hint)
    head = opening(file.name, folder, ())
    separator = "," if head is None else _separator(head)
    table: tables.Table = tables.Parquet(path=file.name, target=target)
    if head is not None:
        table = tables.Csv(path=file.name, target=target, separator=separator)
    frame = read_file(table, file.name, folder, ())
    headless = head is not None and _headless(frame.columns)
    if headless and target not in frame.columns:
        found = some(map(repr, frame.columns))
        hint = "write a line with the names of the columns above it"
        raise problem("FF031", f"the first line must name the columns, found {found}", (), hint)
    require_columns([(target, ())], tuple(frame.columns))
    frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    if frame.height < LEAST:
        raise problem("FF035", f"a table must have at least {LEAST} rows, found {frame.height}", ())
    return Sheet(file=file, text=head is not None, separator=separator, frame=frame, headless=headless)


def _tables(folder: pathlib.Path) -> list[str]:
    """Return the names of the files that may be tables."""
    ends = {".csv", ".tsv", ".txt", ".parquet"}
    return [file.name for file in folder.iterdir() if file.suffix in ends] if folder.is_dir() else []


def _separator(text: str) -> str:
    """Return what parts the lines into most cells, of each line as many; a comma if nothing does."""
    found = {}
    for separator in SEPARATORS:
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))[:LINES]
        except csv.Error:
            continue
        widths = {len(row) for row in rows if row}
        if len(widths) == 1:
            found[separator] = widths.pop()
    best = max(found, key=lambda separator: found[separator], default=",")
    return best if found.get(best, 1) > 1 else ","


def _headless(names: list[str]) -> bool:
    """Whether the names of columns look like a row: most are numbers, and they do not just count."""
    numbers = []
    for name in names:
        try:
            numbers.append(float(name))
        except ValueError:
            continue
    steps = {there - here for here, there in pairwise(numbers)}
    return 2 * len(numbers) > len(names) and steps != {1.0} and len(names) > 1
