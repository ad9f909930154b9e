"""Columns of texts as the different ones, sorted, and which of them each row has: no text is an object of Python.

N rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ffspec.data.held import GAP, Labelled, Packed
from ffspec.data.loaded import Floats
from ffspec.data.memory import unfilled

MOST = 100_000
"""More different texts are counted, but not looked at."""


def labelled(texts: pl.Series) -> Labelled:
    """Return a column of texts, null where one is missing."""
    levels = texts.drop_nulls().unique().sort()
    if len(levels) > MOST:
        return Labelled(tuple(levels.head(MOST).to_list()), len(levels), Packed(np.empty(0, np.int32), 0), len(texts))
    codes = unfilled((len(texts),), np.int32)
    if len(levels):
        codes[:] = texts.cast(pl.Enum(levels)).to_physical().cast(pl.Int64).fill_null(GAP).to_numpy()
    else:
        codes[:] = GAP
    return Labelled(tuple(levels.to_list()), len(levels), Packed(codes, 0), len(texts))


def places_of(texts: pl.Series, values: Sequence[str]) -> Floats:
    """Return the place of each text among some: NaN where one is missing, -1 where it is none of them."""
    found = texts.replace_strict(list(values), list(range(len(values))), default=-1.0, return_dtype=pl.Float64)
    result = found.to_numpy().copy()
    result[texts.is_null().to_numpy()] = np.nan
    return result
