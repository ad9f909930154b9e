"""What is fitted to one column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

UNKNOWN = "(unknown)"
"""Stands for every level not seen in training, or too rarely, and for a missing one."""
MISSING = "(missing)"
"""Behind a column's name: the feature that says where the column had no number."""


@dataclass(frozen=True, slots=True)
class Order:
    """How texts become numbers: by their place among these, from 0."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatePart:
    """How dates become numbers: by one of their parts."""

    column: str
    part: str


Reading: TypeAlias = Order | DatePart


@dataclass(frozen=True, slots=True)
class Number:
    """A column of numbers: `(x - center) / scale`, with `fill` for x where it is missing."""

    name: str
    fill: float | None = None
    center: float = 0.0
    scale: float = 1.0
    quantiles: tuple[float, ...] = ()
    """In place of center and scale: the quantiles of the training rows, which become those of a normal distribution."""
    clip: float | None = None
    """What the scaled number stays below: `x / sqrt(1 + (x / clip)^2)`."""
    indicator: bool = False
    """Whether another feature says where the number is missing."""
    reading: Reading | None = None
    """How cells that are no numbers become some."""

    @property
    def raw(self) -> str:
        """The column it is read from."""
        return self.reading.column if isinstance(self.reading, DatePart) else self.name

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features."""
        return (self.name, f"{self.raw} {MISSING}") if self.indicator else (self.name,)

    @property
    def kinds(self) -> tuple[int, ...]:
        """What each feature is; see `Facts.levels`."""
        return (0, 1) if self.indicator else (0,)


@dataclass(frozen=True, slots=True)
class Category:
    """A column of categories: a feature for each level, and one for everything else; or one of codes for all."""

    name: str
    levels: tuple[str, ...]
    missing: bool = False
    """Whether a missing cell is allowed; it counts as unknown."""
    coded: bool = False
    """Whether it is one feature, the index of the level; the last index stands for everything else."""

    @property
    def raw(self) -> str:
        """The column it is read from."""
        return self.name

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features."""
        if self.coded:
            return (self.name,)
        return tuple(f"{self.name}={level}" for level in (*self.levels, UNKNOWN))

    @property
    def kinds(self) -> tuple[int, ...]:
        """What each feature is; see `Facts.levels`."""
        count = len(self.levels) + 1
        # A code is one among n >= 2: a column whose every level is unknown has one value all the same.
        return (max(count, 2),) if self.coded else (1,) * count


Column: TypeAlias = Number | Category
