"""Dates and times as numbers: year, month, day, weekday, hour and minute.

N rows.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffspec.data.loaded import Floats, Ints
from ffspec.data.problems import problem, some
from ffspec.diagnostics import Path, SpecError

Moments: TypeAlias = NDArray[np.datetime64]
"""Shape (N,), in microseconds; NaT where one is missing."""

PARTS = ("year", "month", "day", "weekday", "hour", "minute")
"""What becomes of a date; the weekday counts from 0, a Monday."""
ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)
UNIT = "datetime64[us]"


def parts_of(moments: Moments) -> dict[str, Floats]:
    """Return each part of the dates, NaN where one is missing."""
    moments = moments.astype(UNIT)
    days, months = moments.astype("datetime64[D]"), moments.astype("datetime64[M]")
    minutes = (moments - days).astype("timedelta64[m]").astype(np.int64)
    found = {
        "year": months.astype(np.int64) // 12 + 1970,
        "month": months.astype(np.int64) % 12 + 1,
        "day": (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
        "weekday": (days.astype(np.int64) + 3) % 7,  # counting began on a Thursday
        "hour": minutes // 60,
        "minute": minutes % 60,
    }
    return {name: np.where(np.isnat(moments), np.nan, part) for name, part in found.items()}


def read_dates(texts: Sequence[str | None]) -> tuple[Moments, Ints]:
    """Read ISO dates, with or without a time, one in a zone as UTC; return them, and which cells are none."""
    different = list(dict.fromkeys(text for text in texts if text is not None))
    place = {text: index for index, text in enumerate(different)}
    found = np.array([*map(_moment, different), np.datetime64("NaT")], dtype=UNIT)
    codes = np.array([-1 if text is None else place[text] for text in texts], dtype=np.int64)
    moments = found[codes]
    return moments, np.flatnonzero(np.isnat(moments) & (codes >= 0)).astype(np.int64)


def moments_of(values: Any, name: str, path: Path) -> Moments:
    """Turn a column of dates of any kind, or of ISO texts, into moments; None, NaN and NaT are missing.

    Raises:
        SpecError: FF033, a cell is no date.
    """
    array = None if isinstance(values, list | tuple) else np.asarray(values)
    if array is not None and array.dtype.kind == "M":
        return array.astype(UNIT)
    cells = list(values) if array is None else array.tolist()
    texts = [_text(cell) for cell in cells]
    moments, failed = read_dates(texts)
    if len(failed):
        raise no_dates(name, [f"{cells[row]!r} in row {row + 1}" for row in failed.tolist()], path)
    return moments


def is_dates(values: Any) -> bool:
    """Return whether a column holds dates, or ISO texts of them, and nothing else but gaps."""
    array = None if isinstance(values, list | tuple) else np.asarray(values)
    if array is not None and array.dtype.kind != "O":
        return array.dtype.kind == "M" or (array.dtype.kind == "U" and all(map(ISO.fullmatch, array.tolist())))
    known = [cell for cell in (values if array is None else array.tolist()) if _text(cell) is not None]
    return bool(known) and all(
        isinstance(cell, dt.date) or (isinstance(cell, str) and ISO.fullmatch(cell)) for cell in known
    )


def no_dates(name: str, found: Sequence[str], path: Path) -> SpecError:
    """Return the error of cells that are no dates."""
    message = f"column {name!r} must hold dates such as 2026-01-31 or 2026-01-31 14:30, found {some(found)}"
    return problem("FF033", message, path)


def _moment(text: str) -> np.datetime64:
    if ISO.fullmatch(text):
        try:
            return np.datetime64(_naive(dt.datetime.fromisoformat(text)), "us")
        except (ValueError, OverflowError):
            pass
    return np.datetime64("NaT")


def _naive(moment: dt.datetime) -> dt.datetime:
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)


def _text(cell: Any) -> str | None:
    """Return a cell as text; what equals not even itself is missing."""
    missing = cell is None or cell != cell  # noqa: PLR0124 - as NaN and every NaT do
    if missing:
        return None
    return cell.isoformat() if isinstance(cell, dt.date) else str(cell)
