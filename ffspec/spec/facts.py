"""What the planner needs to know of a data set, before or after it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

TargetKind: TypeAlias = Literal["classes", "values"]
"""Labels out of a finite set, or numbers."""

Levels: TypeAlias = tuple[int, ...]
"""What each feature is: 0 a number, 1 a part of a category that is 0 or 1, n a code among n levels."""

SPLITS: tuple[str, ...] = ("train", "validation", "test")
"""The parts rows are divided into, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The shape of a data set; None wherever only the data itself can tell.

    A generator's facts follow from its arguments; a table's are known once it is read.
    """

    features: int | None = None
    """Columns of x after preparation: the width the first layer sees."""
    target: TargetKind | None = None
    outputs: int | None = None
    """The number of classes, or of target columns."""
    rows: dict[str, int | None] = field(default_factory=dict)
    """Rows of every split, in the order train, validation, test; a split that does not exist is absent."""
    levels: Levels | None = None
    """What each feature is."""
