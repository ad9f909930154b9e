"""What is fitted to one column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

UNKNOWN = "(unknown)"
"""Stands for every level not seen in training, and for a missing one."""


@dataclass(frozen=True, slots=True)
class Number:
    """A column of numbers: `(x - center) / scale`, with `fill` for x where it is missing."""

    name: str
    fill: float | None = None
    center: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Category:
    """A column of categories: a feature for each level, and one for everything else."""

    name: str
    levels: tuple[str, ...]
    missing: bool = False
    """Whether a missing cell is allowed; it counts as unknown."""

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features."""
        return tuple(f"{self.name}={level}" for level in (*self.levels, UNKNOWN))


Column: TypeAlias = Number | Category
