"""Preparing the features: filling, scaling and categories, fitted once and applied to every later row.

N rows, P raw columns, F features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ffspec.data import keeping
from ffspec.data.features import assembled, prepared, refuse_faults
from ffspec.data.fitted import Column
from ffspec.data.incoming import encode
from ffspec.data.loaded import Floats, Raw
from ffspec.diagnostics import Path


@dataclass(frozen=True, slots=True)
class Preparation:
    """What was fitted on the training split."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The raw columns it takes."""
        return tuple(dict.fromkeys(column.raw for column in self.columns))

    @property
    def features(self) -> tuple[str, ...]:
        """The features it gives."""
        return tuple(name for column in self.columns for name in column.features)

    @property
    def levels(self) -> tuple[int, ...]:
        """What each feature is; see `Facts.levels`."""
        return tuple(kind for column in self.columns for kind in column.kinds)

    def apply(self, rows: Any, *, path: Path = ()) -> Floats:
        """Prepare new rows: an array of shape (N, P), a list of rows or of mappings, a mapping to columns, or a frame.

        Columns found by name may stand in any order and beside others. Returns shape (N, F).

        Raises:
            SpecError: FF031 a column is missing, FF032 a cell is, FF033 a cell is no number, FF036 the shape is wrong.
        """
        return self.transform(encode(rows, self.columns, path), path=path)

    def transform(self, x: Floats, *, path: Path = ()) -> Floats:
        """Prepare raw columns of shape (N, P) whose categories are indices into the levels. Returns shape (N, F).

        Raises:
            SpecError: FF032, a cell is missing where that is not allowed; FF033, a result is too large for a number.
        """
        made = [prepared(x[:, index], column, np.float64) for index, column in enumerate(self.columns)]
        refuse_faults(made, path)
        return assembled(made, 0, len(x), np.float64).astype(np.float64, copy=False)

    def to_json(self) -> str:
        """Write it as JSON; every number is read back to the last bit."""
        return keeping.written(self.columns)

    @staticmethod
    def from_json(text: str) -> Preparation:
        """Read what `to_json` wrote.

        Raises:
            ValueError: the text is not that.
        """
        return Preparation(keeping.read(text))


def narrowed(raw: Raw, preparation: Preparation) -> Raw:
    """Return the rows without the columns that were left out, so that columns and raw columns stand side by side."""
    kept = [raw.names.index(column.name) for column in preparation.columns]
    if len(kept) == len(raw.names):
        return raw
    return replace(
        raw,
        columns=[raw.columns[index] for index in kept],
        names=tuple(raw.names[index] for index in kept),
        levels={place: raw.levels[index] for place, index in enumerate(kept) if index in raw.levels},
        readings={place: raw.readings[index] for place, index in enumerate(kept) if index in raw.readings},
    )
