"""What a column of a table is ordered by: numbers, dates or texts."""

from __future__ import annotations

import polars as pl

from ffspec.data.dates import read_dates


def comparable(series: pl.Series, *, parse: bool) -> pl.Series:
    """Return a column as what its values are compared by; a missing one is null.

    With `parse`, texts that are all numbers are numbers, as in a CSV file; texts that are all ISO dates are dates.
    """
    if series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    if series.dtype == pl.String and parse:
        for dtype in (pl.Int64, pl.Float64):
            numbers = series.cast(dtype, strict=False)
            if numbers.null_count() == series.null_count():
                series = numbers
                break
    if series.dtype == pl.String:
        moments, failed = read_dates(series.to_list())
        return series if len(failed) else pl.Series(moments)
    return series.fill_nan(None) if series.dtype.is_float() else series
