"""The column whose equal values stay in one split."""

from __future__ import annotations

import polars as pl

from ffspec.data.incoming import require_columns
from ffspec.data.problems import counted, problem
from ffspec.data.profile import ColumnProfile, profile

SPLITS = 3


def keeper(frame: pl.DataFrame, by: str, target: str, *, text: bool) -> ColumnProfile:
    """Return what a column holds by which rows are kept together.

    Raises:
        SpecError: FF031 there is none of that name, FF032 cells of it are missing, FF035 it has too few values.
    """
    require_columns([(by, ())], tuple(frame.columns))
    if by == target:
        raise problem("FF035", f"rows must be kept together by another column than the target {target!r}", ())
    found = profile(frame.get_column(by), text=text)
    missing = found.missing or len(found.marks)
    if missing:
        message = f"every row must have a value of {by!r} to be divided by, but it is missing in "
        raise problem("FF032", message + counted(found.missing, "row"), ())
    if found.distinct < SPLITS:
        message = f"each of the {SPLITS} splits must have a value of {by!r} to itself, found {found.distinct}"
        raise problem("FF035", message, ())
    return found
