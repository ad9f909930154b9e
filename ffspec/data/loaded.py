"""The frozen values the loading is made of: raw rows in, splits ready for training out.

N rows, P raw columns, F features, C target columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffspec.data.fitted import Reading
from ffspec.data.held import Held, cells_of_held
from ffspec.spec.facts import Facts, TargetKind
from ffspec.spec.sources import Label

if TYPE_CHECKING:
    from ffspec.data.preparation import Preparation
    from ffspec.data.streamed.stream import Stream

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Features: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTarget:
    """The target as the source has it."""

    values: NDArray[Any]
    """Shape (N,) or (N, C): numbers, booleans or texts (of dtype object)."""
    names: tuple[str, ...] = ("target",)
    kind: TargetKind | None = None
    """What the source or the spec says it is."""
    numeric: bool = True
    """Whether labels of `kind` classes are numbers, which a loss on values may use as such."""
    classes: tuple[Label, ...] | None = None
    """The classes in the order of their codes, where the source fixes them; `values` then holds codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """All rows of a source, before split and preparation."""

    columns: list[Held]
    """P columns of shape (N,): numbers, NaN where one is missing; of categories, the indices of the levels.

    A list, because what prepares them lets go of each in turn: all of them beside the features would be too much.
    """
    names: tuple[str, ...]
    levels: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """The levels of the columns that are categories, by position."""
    readings: Mapping[int, Reading] = field(default_factory=dict)
    """How columns that are not numbers in the source became some, by position."""
    target: RawTarget
    fixed: Mapping[str, Ints] = field(default_factory=dict)
    """The rows the source itself puts into a split."""
    weights: Floats | None = None
    """Shape (N,): how much each row counts; all the same if None."""
    ranks: Ints | None = None
    """Shape (N,): the place of each row's value of `split.by` among all of them; equal values have equal places."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.target.values)

    @property
    def x(self) -> Floats:
        """The columns as a matrix of shape (N, P), made anew."""
        return np.stack([self.cells(index) for index in range(len(self.columns))], axis=1)

    def cells(self, index: int) -> Floats:
        """Return one column, of shape (N,)."""
        return cells_of_held(self.columns[index]).astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True)
class Split:
    """The rows of one split."""

    x: Features
    """Shape (N, F), contiguous, from a cache line on; computed in float64, and in the type the network takes."""
    y: Floats | Ints
    """Class codes of shape (N,), or values of shape (N, C)."""
    weight: Floats | None = None
    """Shape (N,): how much each row counts; all the same if None."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.x)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A data set ready for training."""

    splits: dict[str, Split]
    """In the order train, validation, test; a split that does not exist is absent."""
    facts: Facts
    """Complete: nothing in it is None."""
    features: tuple[str, ...]
    """The columns of x, after preparation."""
    targets: tuple[str, ...]
    classes: tuple[Label, ...] | None
    """The label of each class code; None for values."""
    preparation: Preparation
    """What was fitted on the training split, to be applied to rows that come later."""
    stream: Stream | None = None
    """All rows, where they are streamed: `splits` are samples of them then, and `facts` says how many there are."""
