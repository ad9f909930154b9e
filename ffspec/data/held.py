"""Columns of numbers as they are held until their features are made: in four bytes, or not at all.

All raw columns of a large table in float64 would be twice its features. Numbers of a few decimals are kept as whole
ones; others, and what a Parquet file has, may be left where they are and read when they are needed. Both give back what
was read, to the last bit. N rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, TypeAlias
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from ffspec.data.memory import unfilled

GAP, ZERO = -(1 << 31), -(1 << 31) + 1
"""What stands for a missing number, and for -0."""
LARGEST = (1 << 31) - 1
DIGITS = 9
"""Decimals that are looked for, at most."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Numbers with so many decimals, times ten to that power."""

    whole: NDArray[np.int32]
    """Shape (N,)."""
    digits: int

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.whole)

    def kept(self, mask: NDArray[np.bool_]) -> Packed:
        """Return some rows."""
        return replace(self, whole=self.whole[mask])

    def read(self) -> NDArray[np.float64]:
        """Return the numbers, NaN where one is missing."""
        return unpacked(self.whole, self.digits, unfilled(self.whole.shape, np.float64))


@dataclass(frozen=True, slots=True)
class Stored:
    """A column that is still in its file."""

    fetch: Callable[[], NDArray[Any]]
    rows: int
    mask: NDArray[np.bool_] | None = None
    """The rows of the file that are wanted; all if None."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.rows

    def kept(self, mask: NDArray[np.bool_]) -> Stored:
        """Return some rows of a whole column."""
        return replace(self, rows=int(mask.sum()), mask=mask)

    def read(self) -> NDArray[Any]:
        """Return the numbers, NaN where one is missing."""
        values = self.fetch()
        return values if self.mask is None else values[self.mask]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A column of texts."""

    levels: tuple[str, ...]
    """Sorted; of too many, the first."""
    count: int
    """How many there are."""
    codes: Packed
    """Shape (N,): the index of each row's level; without rows where there are too many levels."""
    rows: int


Held: TypeAlias = "NDArray[Any] | Packed | Stored"


def cells_of_held(column: Held) -> NDArray[Any]:
    """Return a column as an array."""
    return column if isinstance(column, np.ndarray) else column.read()


def kept_of_held(column: Held, mask: NDArray[np.bool_]) -> Held:
    """Return some rows of a column."""
    return column[mask] if isinstance(column, np.ndarray) else column.kept(mask)


def unpacked(whole: NDArray[np.int32], digits: int, result: NDArray[np.float64]) -> NDArray[np.float64]:
    """Write the numbers that whole ones stand for; the quotient is the number nearest to the decimal one."""
    np.divide(whole, 10.0**digits, out=result)
    result[whole == GAP] = np.nan
    result[whole == ZERO] = -0.0
    return result


def packed(values: NDArray[np.float64], digits: int) -> NDArray[np.int32] | None:
    """Return numbers as whole ones, or None where that would lose a bit of one."""
    holes = np.isnan(values)
    known = np.where(holes, 0.0, values) if holes.any() else values
    with np.errstate(over="ignore"):
        scaled = np.rint(known * 10.0**digits)
    if not (np.abs(scaled) <= LARGEST - 1).all() or not (scaled / 10.0**digits == known).all():
        return None
    whole = scaled.astype(np.int32)
    if not whole.all():
        whole[np.signbit(known) & (whole == 0)] = ZERO
    whole[holes] = GAP
    return whole


class Descriptor:
    """A file that stays open for as long as somebody may read it."""

    def __init__(self, file: BinaryIO) -> None:
        self._number = os.dup(file.fileno())
        finalize(self, os.close, self._number)

    def opened(self) -> BinaryIO:
        """Return the file, at its start."""
        file = os.fdopen(os.dup(self._number), "rb")
        file.seek(0)
        return file


class Room:
    """How many bytes of columns may be held in float64; what finds none is left in the file."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int) -> bool:
        """Take some of it, if there is as much."""
        fits = size <= self._left
        self._left -= size if fits else 0
        return fits


class Growing:
    """A column of numbers that is read some rows at a time."""

    def __init__(self, rows: int, room: Room) -> None:
        self._rows, self._at, self._digits, self._room = rows, 0, 0, room
        self._held: NDArray[Any] | None = unfilled((rows,), np.int32)
        """Whole numbers, or floats where those would lose something, or nothing."""

    @property
    def has_zero(self) -> bool:
        """Whether a zero of any sign is held."""
        if self._held is None:
            return False
        so_far = self._held[: self._at]
        return bool((so_far == 0).any() or (self._packs(so_far) and (so_far == ZERO).any()))

    def add(self, values: NDArray[np.float64]) -> None:
        """Append rows."""
        self.put(self._at, values)
        self._at += len(values)

    def put(self, start: int, values: NDArray[np.float64]) -> None:
        """Write rows, which may be there already."""
        made: NDArray[Any] | None = values
        if self._held is not None and self._packs(self._held):
            made = packed(values, self._digits)
            while made is None and self._digits < DIGITS and self._finer(self._held[: self._at]):
                made = packed(values, self._digits)
            if made is None:
                self._held, made = self._widened(self._held), values
        if self._held is not None:
            self._held[start : start + len(values)] = made

    def finished(self) -> NDArray[Any] | Packed | None:
        """Return the column; None if there was no room for it."""
        if self._held is None:
            return None
        found = self._held[: self._at]
        return Packed(found, self._digits) if self._packs(found) else found

    @staticmethod
    def _packs(held: NDArray[Any]) -> bool:
        return held.dtype == np.int32

    def _finer(self, whole: NDArray[Any]) -> bool:
        """Keep another decimal, if there is one to spare."""
        marked = whole <= ZERO
        if len(whole) and int(np.abs(np.where(marked, 0, whole)).max()) > LARGEST // 10:
            return False
        whole *= np.where(marked, 1, 10).astype(np.int32)
        self._digits += 1
        return True

    def _widened(self, whole: NDArray[Any]) -> NDArray[Any] | None:
        """Return the numbers as they are, if there is room."""
        if not self._room.take(8 * self._rows):
            return None
        result = unfilled((self._rows,), np.float64)
        unpacked(whole[: self._at], self._digits, result[: self._at])
        return result
